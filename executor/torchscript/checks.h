// checks.h -- what is looked at before a CUDA kernel that would end the process's use of CUDA.
#pragma once
#include <vector>

#include "graph/ops/op.h"

namespace rt::torchscript {

/// An operand whose elements must lie in [low, high] or equal `ignored`. CUDA kernels assert this
/// on the device, and after a failed assertion no CUDA call works any more.
struct RangeCheck {
  uint32_t operand;
  double low, high;
  double ignored;  ///< NaN: nothing is
};

/// What is checked of a call of `row`.
std::vector<RangeCheck> range_checks(const OpInfo& row, const AttributesView& attributes,
                                     std::span<const TensorType> operands);

}  // namespace rt::torchscript
