// lower.h -- turns batches into TorchScript graphs.
#pragma once
#include <torch/csrc/jit/ir/ir.h>

#include "executor/torchscript/node_operator.h"
#include "executor/torchscript/plan.h"
#include "graph/batch/batch.h"
#include "graph/memory/buffer.h"

namespace rt::torchscript {

/// The use of a graph.
enum class Purpose : uint8_t {
  Running,  ///< scalars are 0-d tensors where operators take tensors; layouts are as inferred
  Reading,  ///< by people and torch.jit.load: scalars are numbers, and no node is added
};

/// Consecutive steps of a batch as a graph.
struct Part {
  enum class Input : uint8_t { Tensor, Number, Integer, NumberTensor, Memory };
  /// An input that is no value of the batch.
  struct Further {
    uint32_t id;  ///< index of a scalar of the batch; of a Memory: index in `planned`
    Input form;
    DType dtype;  ///< for a NumberTensor: the dtype of the step's result
  };
  std::shared_ptr<torch::jit::Graph> graph;
  /// Memory that every run uses again for small results, one after the other.
  struct Planned {
    at::ScalarType type;
    Shape sizes;
  };
  std::vector<uint32_t> inputs;  ///< ids of values, the graph's first inputs
  std::vector<Further> further;  ///< the inputs after them
  std::vector<Planned> planned;
  std::vector<uint32_t> results;  ///< ids of its outputs: roots, and values that later steps read
  std::vector<std::unique_ptr<NodeOperator>> operators;  ///< that nodes of the graph refer to
};

/// Steps [begin, end) of the batch as a graph. `memory` counts the results of kernels of ours and
/// must outlive the part; without it libtorch's run. Throws Error where this libtorch lacks an
/// operator.
Part lower(const Batch& batch, uint32_t begin, uint32_t end, Purpose purpose,
           Optimizations use = {}, MemoryCount* memory = nullptr);

/// The whole batch as text, and as an archive that torch.jit.load opens. Its inputs are the tensors
/// by their ids, then the scalars with their recorded values as defaults. It returns the root, or a
/// tuple of several. Both throw Error where this libtorch lacks an operator.
std::string ir_text(const Batch& batch);
std::string module_archive(const Batch& batch);

}  // namespace rt::torchscript
