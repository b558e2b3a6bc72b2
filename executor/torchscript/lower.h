// lower.h -- batches as TorchScript graphs.
#pragma once
#include <torch/csrc/jit/ir/ir.h>

#include "executor/torchscript/fused.h"
#include "executor/torchscript/plan.h"
#include "graph/batch/batch.h"

namespace rt::torchscript {

/// What a graph is for.
enum class Purpose : uint8_t {
  Running,  ///< scalars are 0-d tensors where the operator takes tensors; layouts are kept to
  Reading,  ///< by people and torch.jit.load: scalars are numbers, and nothing is added
};

/// Consecutive steps of a batch as a graph.
struct Part {
  enum class Input : uint8_t { Tensor, Number, Integer, NumberTensor, Memory };
  /// An input that is no value of the batch.
  struct Further {
    uint32_t id;  ///< of the batch's scalars; of a Memory: in `planned`
    Input form;
    DType dtype;  ///< of a NumberTensor; f16 and bf16 take f64, as PyTorch's own numbers do
  };
  std::shared_ptr<torch::jit::Graph> graph;
  /// Memory that small results are written to in every run, one after the other.
  struct Planned {
    at::ScalarType type;
    Shape sizes;
  };
  std::vector<uint32_t> inputs;  ///< value numbers, the graph's first inputs
  std::vector<Further> further;  ///< those behind them
  std::vector<Planned> planned;
  /// Value numbers of its outputs: roots, and what comes later uses.
  std::vector<uint32_t> results;
  std::vector<std::unique_ptr<FusedOperator>> groups;  ///< that the graph names
};

/// Steps [begin, end) of the batch. Throws Error when this libtorch lacks an operator.
Part lower(const Batch& batch, uint32_t begin, uint32_t end, Purpose purpose,
           Optimizations use = {});

/// The whole batch as text (Ir) or as an archive that torch.jit.load opens. Its inputs are the
/// tensors in the order of their numbers, then the scalars with their recorded values as defaults;
/// it gives the roots, as a tuple when there are several.
std::string ir_text(const Batch& batch);
std::string module_archive(const Batch& batch);

}  // namespace rt::torchscript
