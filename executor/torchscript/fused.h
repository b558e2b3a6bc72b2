// fused.h -- the operator rt_torch::fused, which computes a group of elementwise steps.
#pragma once
#include <torch/csrc/jit/ir/ir.h>

#include <vector>

#include "elementwise/fused.h"

namespace rt::torchscript {

/// A group, and its scalars of the batch. Nodes refer to it by its address.
class FusedOperator {
 public:
  FusedOperator(const Batch& batch, const Batch::Step& step, bool reuse);
  FusedOperator(const FusedOperator&) = delete;
  FusedOperator& operator=(const FusedOperator&) = delete;
  virtual ~FusedOperator() = default;

  /// Appends a node that computes the group of `inputs`. This object must outlive all code compiled
  /// from the graph.
  torch::jit::Node* node(torch::jit::Graph& graph, at::ArrayRef<torch::jit::Value*> inputs) const;
  /// Pops the operands off the stack and pushes the results. Virtual, because the first copy of the
  /// plugin in the process registers the operator, but each copy must run its own code.
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

/// libtorch's threads: a second team would compete with them for the processors.
cpu::Team own_team();

/// In its scope the groups that this thread runs read these scalars. Does not own them.
class BoundScalars {
 public:
  explicit BoundScalars(const int64_t* scalars);
  ~BoundScalars();
  BoundScalars(const BoundScalars&) = delete;
  BoundScalars& operator=(const BoundScalars&) = delete;
};

}  // namespace rt::torchscript
