// dropout.cpp -- see dropout.h.
#include "executor/torchscript/dropout.h"

#include <ATen/ops/dropout.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/lt.h>
#include <ATen/ops/mul.h>
#include <ATen/ops/ones_like.h>
#include <torch/library.h>

namespace rt::torchscript {
namespace {

at::Tensor dropped(const at::Tensor& input, double p, bool train) {
  const bool draws = train && p > 0 && p < 1 && input.numel() > 0;
  if (!draws || !input.is_cpu() || !input.is_floating_point()) return at::dropout(input, p, train);
  // In the order of the operand's memory, a double each, as at::bernoulli_ without MKL.
  const at::Tensor uniform = at::empty_like(input, input.options().dtype(at::kDouble)).uniform_();
  const double kept = 1 - p;
  return at::mul(input, at::lt(uniform, kept).to(input.scalar_type()).div_(kept));
}

/// The ones lie in memory as input does, so that they are dropped in the same order.
at::Tensor dropout_mask(const at::Tensor& input, double p, bool train) {
  return dropped(at::ones_like(input), p, train);
}

}  // namespace

void register_dropout() {
  // A second copy of this plugin in the process finds the operator there already.
  if (c10::Dispatcher::singleton().findSchema({kDropout, ""})) return;
  static auto* const library =
      new torch::Library(torch::Library::FRAGMENT, "rt_torch", std::nullopt, __FILE__, __LINE__);
  const auto add = [](const char* schema, auto function) {
    library->def(schema, torch::dispatch(c10::DispatchKey::CompositeExplicitAutograd, function));
  };
  add("rt_torch::dropout(Tensor input, float p, bool train) -> Tensor", TORCH_FN(dropped));
  add("rt_torch::dropout_mask(Tensor input, float p, bool train) -> Tensor",
      TORCH_FN(dropout_mask));
}

}  // namespace rt::torchscript
