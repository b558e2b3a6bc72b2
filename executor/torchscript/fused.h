// fused.h -- groups of elementwise steps as one operator of a graph, rt_torch::fused.
#pragma once
#include <torch/csrc/jit/ir/ir.h>

#include <vector>

#include "elementwise/fused.h"

namespace rt::torchscript {

/// A group, and the batch's scalars that it takes. Nodes name it by its address.
class FusedOperator {
 public:
  FusedOperator(const Batch& batch, const Batch::Step& step, bool reuse);
  FusedOperator(const FusedOperator&) = delete;
  FusedOperator& operator=(const FusedOperator&) = delete;
  virtual ~FusedOperator() = default;

  /// A node that computes it of these values; it lives as long as what is compiled of the graph.
  torch::jit::Node* node(torch::jit::Graph& graph, at::ArrayRef<torch::jit::Value*> inputs) const;
  /// Takes its operands off the stack and leaves its results. Virtual, so that each copy of this
  /// plugin in the process runs its own: the operator is registered once.
  virtual void run(torch::jit::Stack& stack) const;
  size_t bytes() const { return sizeof *this + group_.bytes(); }

 private:
  struct Input {
    at::ScalarType type;
    Shape sizes;
  };
  std::vector<Input> inputs_;
  std::vector<uint32_t> scalars_;
  cpu::FusedGroup group_;
  const bool reuse_;  ///< results may take the memory of operands
};

/// libtorch's own threads, of which another team would only be in the way.
cpu::Team own_team();

/// While one lives, the operators that this thread runs take these scalars.
class BoundScalars {
 public:
  explicit BoundScalars(const int64_t* scalars);
  ~BoundScalars();
  BoundScalars(const BoundScalars&) = delete;
  BoundScalars& operator=(const BoundScalars&) = delete;
};

}  // namespace rt::torchscript
