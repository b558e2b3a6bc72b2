// clipping.cpp -- bounds the gradients of leaves, within the batch that computes them.
#include <algorithm>
#include <cmath>
#include <limits>

#include "executor/engine.h"
#include "executor/in_place.h"
#include "executor/tape_builder.h"
#include "graph/error.h"
#include "graph/failure.h"
#include "graph/ops/formulas.h"

namespace rt {
namespace {

/// `a` on another device.
Expr moved(Expr a, Device device) {
  if (a.type().device == device) return a;
  Args args;
  args.op = Op::Move;
  args.operands = {a.value()};
  args.device = device;
  return {a.build(), a.build().append(args)};
}

/// The p-norm of all elements of some tensors.
Expr norm_of_all(std::span<const Expr> all, double p) {
  const bool largest = std::isinf(p);
  std::vector<Expr> parts;
  for (const Expr& one : all) {
    const Expr part = p == 2    ? (one * one).apply(Op::Sum)
                      : largest ? one.apply(Op::Abs).apply(Op::Max)
                      : p == 1  ? one.apply(Op::Abs).apply(Op::Sum)
                                : one.apply(Op::Abs).pow(p).apply(Op::Sum);
    parts.push_back(moved(part, all[0].type().device));
  }
  const Expr total = joined(Op::Stack, parts, 0).apply(largest ? Op::Max : Op::Sum);
  if (largest || p == 1) return total;
  return p == 2 ? total.apply(Op::Sqrt) : total.pow(1 / p);
}

}  // namespace

/// The leaves among `handles` that have gradients with elements, each once, and their gradients.
std::vector<Autograd::Gradient> Autograd::gradients_of(CallContext& context, Sizes handles) {
  std::vector<Gradient> found;
  const auto collect = [&] {
    found.clear();
    for (const int64_t handle : handles) {
      const Value leaf = engine_.recorder.value_of(context, handle);
      const Node& node = engine_.graph[leaf];
      if (node.grad == 0 || engine_.graph.record_of(leaf).spoiled || numel(node.shape) == 0)
        continue;
      const auto is_known = [&](const Gradient& one) { return one.leaf == leaf; };
      if (std::ranges::any_of(found, is_known)) continue;
      if (const Value value = gradient_of(context, leaf); value != kNone)
        found.push_back({leaf, value});
    }
  };
  do collect();
  while (std::ranges::any_of(
      found, [&](const Gradient& one) { return engine_.recorder.bring_here(context, one.value); }));
  for (const Gradient& one : found)
    if (engine_.graph[one.value].state == State::Poisoned)
      throw LaterError(*engine_.graph.poison_of(one.value), true, Failure::FailedValue);
  return found;
}

int64_t Autograd::clip_norm(CallContext& context, Sizes handles, double most, double p) {
  engine_.count(Counter::calls);
  if (!(p > 0)) fail("norm_type is ", to_string(p), "; it must be above 0, or infinite");
  const std::vector<Gradient> gradients = gradients_of(context, handles);
  TapeBuilder build(context, false);
  Held held(engine_.graph);
  if (gradients.empty()) {
    Args zero;
    zero.op = Op::Full;
    zero.attributes = {build.constant(0)};
    return engine_.recorder.handle_to(held.add(build.append(zero)));
  }
  std::vector<Expr> all;
  for (const Gradient& one : gradients) all.push_back(build.expr(one.value));
  const Expr total = norm_of_all(all, p);
  held.add(total.value());
  constexpr double kEpsilon = 1e-6;  // PyTorch's
  const Expr ratio = total.filled(most, {}) / (total + kEpsilon), one = ratio.filled(1, {});
  const Expr factor = where(reaches(ratio, one), one, ratio);
  std::vector<Value> clipped;
  for (const Expr& gradient : all) {
    const TensorType type = gradient.type();
    clipped.push_back(held.add((gradient * moved(factor.cast(type.dtype), type.device)).value()));
  }
  const int64_t handle = engine_.recorder.handle_to(total.value());
  renew(context, gradients, clipped);
  return handle;
}

void Autograd::clip_value(CallContext& context, Sizes handles, double most) {
  engine_.count(Counter::calls);
  if (!(most >= 0)) fail("clip_value is ", to_string(most), "; it must be at least 0");
  const std::vector<Gradient> gradients = gradients_of(context, handles);
  TapeBuilder build(context, false);
  Held held(engine_.graph);
  std::vector<Value> clipped;
  for (const Gradient& one : gradients) {
    const Expr gradient = build.expr(one.value), high = gradient.filled(most, {});
    const Expr above = where(reaches(gradient, high), high, gradient);
    clipped.push_back(held.add(where(reaches(-gradient, high), -high, above).value()));
  }
  renew(context, gradients, clipped);
}

/// Replaces the gradients, and submits them under the policy eager.
void Autograd::renew(CallContext& context, std::span<const Gradient> gradients,
                     std::span<const Value> now) {
  for (size_t i = 0; i < gradients.size(); ++i)
    engine_.graph.renew_gradient(gradients[i].leaf, now[i]);
  if (engine_.policy == Policy::Eager)
    engine_.scheduler.submit(context, context.thread.tape, Reason::Eager);
}

}  // namespace rt
