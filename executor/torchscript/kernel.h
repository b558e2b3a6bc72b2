// kernel.h -- steps that kernels of the reference backend compute, see kernel_choice.h.
#pragma once
#include <optional>
#include <vector>

#include "executor/torchscript/node_operator.h"
#include "graph/batch/batch.h"
#include "graph/memory/buffer.h"

namespace rt::torchscript {

/// The operator rt_torch::kernel: one step, for which prefers_kernel() holds.
class KernelOperator final : public NodeOperator {
 public:
  /// `memory` counts the results and must outlive them.
  KernelOperator(MemoryCount& memory, const Batch& batch, const Batch::Step& step);
  void run(torch::jit::Stack& stack) const override;
  size_t bytes() const override;

 private:
  const char* name() const override { return "rt_torch::kernel"; }

  MemoryCount& memory_;
  const OpInfo& row_;
  const DType dtype_;
  const Shape sizes_;
  Small<int64_t, 10> attributes_;               ///< scalars by their indices in the batch
  std::vector<std::optional<DType>> operands_;  ///< none for an optional one that is absent
};

}  // namespace rt::torchscript
