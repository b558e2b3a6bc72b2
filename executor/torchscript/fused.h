// fused.h -- the operator rt_torch::fused, which computes a group of elementwise steps.
#pragma once
#include <vector>

#include "elementwise/fused.h"
#include "executor/torchscript/node_operator.h"

namespace rt::torchscript {

/// A group, and its scalars of the batch.
class FusedOperator final : public NodeOperator {
 public:
  FusedOperator(const Batch& batch, const Batch::Step& step, bool reuse);
  void run(torch::jit::Stack& stack) const override;
  size_t bytes() const override { return sizeof *this + group_.bytes(); }

 private:
  const char* name() const override { return "rt_torch::fused"; }

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

}  // namespace rt::torchscript
