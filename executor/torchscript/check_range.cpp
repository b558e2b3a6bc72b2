// check_range.cpp -- the operator that checks elements against a range.
#include "executor/torchscript/operators.h"

#include <ATen/ops/all.h>
#include <ATen/ops/bitwise_not.h>
#include <ATen/ops/eq.h>
#include <ATen/ops/ge.h>
#include <ATen/ops/le.h>
#include <ATen/ops/masked_select.h>

#include <cmath>

namespace rt::torchscript {

/// Checks before a CUDA kernel, because the kernels assert their ranges on the device, and after a
/// failed assertion no CUDA call of the process works.
at::Tensor check_range(const at::Tensor& self, double low, double high, double ignored) {
  if (self.numel() == 0) return self;
  // Bounds of type double would make aten compare integers as f32.
  const bool integral = at::isIntegralType(self.scalar_type(), /*includeBool=*/true);
  const auto number = [&](double value) {
    return integral ? at::Scalar(static_cast<int64_t>(value)) : at::Scalar(value);
  };
  at::Tensor sound = at::ge(self, number(low)).bitwise_and_(at::le(self, number(high)));
  if (!std::isnan(ignored)) sound.bitwise_or_(at::eq(self, number(ignored)));
  if (at::all(sound).item<bool>()) return self;
  const double found = at::masked_select(self, at::bitwise_not(sound))[0].item<double>();
  TORCH_CHECK(false, found, " is out of range: from ", low, " to ", high, " is allowed");
}

}  // namespace rt::torchscript
