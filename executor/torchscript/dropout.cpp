// dropout.cpp -- the operators that draw random numbers, equal ones on every processor.
#include <ATen/ops/_fused_dropout.h>
#include <ATen/ops/dropout.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/lt.h>
#include <ATen/ops/mul.h>
#include <ATen/ops/ones_like.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/randn.h>

#include "executor/torchscript/operators.h"
#include "executor/torchscript/random.h"

namespace rt::torchscript {

at::Tensor rand(at::IntArrayRef size, std::optional<at::ScalarType> dtype,
                std::optional<at::Layout> layout, std::optional<at::Device> device,
                std::optional<bool> pin_memory) {
  const Generators::Draw draw(device.value_or(at::kCPU));
  return at::rand(size, draw.generator(), dtype, layout, device, pin_memory);
}

at::Tensor randn(at::IntArrayRef size, std::optional<at::ScalarType> dtype,
                 std::optional<at::Layout> layout, std::optional<at::Device> device,
                 std::optional<bool> pin_memory) {
  const Generators::Draw draw(device.value_or(at::kCPU));
  return at::randn(size, draw.generator(), dtype, layout, device, pin_memory);
}

at::Tensor dropout(const at::Tensor& input, double p, bool train) {
  const bool draws = train && p > 0 && p < 1 && input.numel() > 0;
  if (!draws || !input.is_floating_point()) return at::dropout(input, p, train);
  const double kept = 1 - p;
  const Generators::Draw draw(input.device());
  if (!input.is_cpu()) return std::get<0>(at::_fused_dropout(input, kept, draw.generator()));
  // One double for each element, in the order of the memory, as at::bernoulli_ draws without MKL.
  const at::Tensor uniform =
      at::empty_like(input, input.options().dtype(at::kDouble)).uniform_(0, 1, draw.generator());
  return at::mul(input, at::lt(uniform, kept).to(input.scalar_type()).div_(kept));
}

at::Tensor dropout_mask(const at::Tensor& input, double p, bool train) {
  return torchscript::dropout(at::ones_like(input), p, train);
}

}  // namespace rt::torchscript
