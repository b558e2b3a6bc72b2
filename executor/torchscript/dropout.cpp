// dropout.cpp -- dropout on the CPU with the same numbers on every processor.
#include <ATen/ops/dropout.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/lt.h>
#include <ATen/ops/mul.h>
#include <ATen/ops/ones_like.h>

#include "executor/torchscript/operators.h"

namespace rt::torchscript {

at::Tensor dropout(const at::Tensor& input, double p, bool train) {
  const bool draws = train && p > 0 && p < 1 && input.numel() > 0;
  if (!draws || !input.is_cpu() || !input.is_floating_point()) return at::dropout(input, p, train);
  // In the order of the operand's memory, a double each, as at::bernoulli_ without MKL.
  const at::Tensor uniform = at::empty_like(input, input.options().dtype(at::kDouble)).uniform_();
  const double kept = 1 - p;
  return at::mul(input, at::lt(uniform, kept).to(input.scalar_type()).div_(kept));
}

at::Tensor dropout_mask(const at::Tensor& input, double p, bool train) {
  return torchscript::dropout(at::ones_like(input), p, train);
}

}  // namespace rt::torchscript
