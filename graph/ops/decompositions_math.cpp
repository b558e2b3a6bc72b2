// decompositions_math.cpp -- elementwise ops that others compose. Each gives the row's type.
#include <cmath>
#include <numbers>

#include "graph/ops/decompositions.h"
#include "graph/ops/expr.h"

namespace rt::decompositions {
namespace {

/// Operand i in the dtype that the row computes in: the result's, or f32 for 16-bit floats.
Expr computed(Builder& build, const Args& args, uint32_t i) {
  const DType dtype = is_half(args.dtype) ? DType::F32 : args.dtype;
  return {build, build.cast(args.operands[i], dtype)};
}

/// The result of a row. 16-bit floats are rounded once, at the end, as PyTorch's kernels do it.
Value result(const Args& args, Expr x) { return x.cast(args.dtype).value(); }

Expr clamp_min(Expr x, double least) { return x.apply(Op::ClampMin, {x.build().constant(least)}); }
Expr clamp_max(Expr x, double most) { return x.apply(Op::ClampMax, {x.build().constant(most)}); }

Expr positive(Expr x) { return x.apply(Op::GtScalar, {x.build().constant(0)}); }

/// x where it is positive, else `below`, a function of min(x, 0): the branch that is not taken is
/// finite, and so its gradient is 0 and not NaN.
Expr elu_of(Expr x, int64_t alpha) {
  const Expr below = clamp_max(x, 0).apply(Op::Expm1).apply(Op::MulScalar, {alpha});
  return positive(x).apply(Op::Where, x, below);
}

/// True where no element of the bools is false.
Value all_of(Expr x) {
  const Expr misses = x.apply(Op::LogicalNot).apply(Op::Sum);
  return misses.apply(Op::LogicalNot).value();
}

/// relu6(x + 3), which is six times hardsigmoid.
Expr ramp(Expr x) { return clamp_max(clamp_min(x + 3, 0), 6); }

}  // namespace

Value clamp(Builder& build, const Args& args) {
  const Expr least = computed(build, args, 0).apply(Op::ClampMin, {args.attributes[0]});
  return result(args, least.apply(Op::ClampMax, {args.attributes[1]}));
}

Value square(Builder& build, const Args& args) {
  const Expr x = computed(build, args, 0);
  return result(args, x * x);
}

Value frac(Builder& build, const Args& args) {
  const Expr x = computed(build, args, 0);
  return result(args, x - x.apply(Op::Trunc));
}

Value by_scalar(Builder& build, const Args& args) {
  const Op op = args.op == Op::FmodScalar        ? Op::Fmod
                : args.op == Op::RemainderScalar ? Op::Remainder
                                                 : Op::FloorDivide;
  const Expr x = computed(build, args, 0);
  Args full;
  full.op = Op::Full;
  full.attributes = {args.attributes[0]};
  full.dtype = x.type().dtype;
  full.device = args.device;
  return result(args, x.apply(op, {build, build.append(full)}));
}

Value isclose(Builder& build, const Args& args) {
  const Expr self{build, args.operands[0]}, other{build, args.operands[1]};
  Expr close = self.apply(Op::Eq, other);
  const bool floats = is_float(self.type().dtype);
  if (floats && args.attributes[2])
    close = close.apply(Op::LogicalOr,
                        self.apply(Op::IsNan).apply(Op::LogicalAnd, other.apply(Op::IsNan)));
  const auto as_float = [&](Expr x) { return floats ? x : x.cast(DType::F32); };
  const Expr allowed = as_float(other)
                           .apply(Op::MulScalar, {args.attributes[0]})
                           .apply(Op::Abs)
                           .apply(Op::AddScalar, {args.attributes[1]});
  const Expr actual = (as_float(self) - as_float(other)).apply(Op::Abs);
  // The difference of an infinity to a number is never close, whatever is allowed.
  const Expr within =
      actual.apply(Op::Le, allowed).apply(Op::LogicalAnd, actual.apply(Op::IsFinite));
  return close.apply(Op::LogicalOr, within).value();
}

Value allclose(Builder& build, const Args& args) { return all_of({build, isclose(build, args)}); }

Value all_equal(Builder& build, const Args& args) {
  return all_of({build, build.op(Op::Eq, {args.operands[0], args.operands[1]})});
}

Value masked_fill(Builder& build, const Args& args) {
  Args full;
  full.op = Op::Full;
  full.attributes = {args.attributes[0]};
  full.dtype = args.dtype;
  full.device = args.device;
  const Value value = build.append(full);
  // A 0-d self does not decide the dtype of where against a 0-d value, and need not: they agree.
  return build.op(Op::Where, {args.operands[1], value, args.operands[0]});
}

Value elu(Builder& build, const Args& args) {
  return result(args, elu_of(computed(build, args, 0), args.attributes[0]));
}

Value selu(Builder& build, const Args& args) {
  // The constants of Klambauer et al., "Self-Normalizing Neural Networks", as PyTorch has them.
  constexpr double kAlpha = 1.6732632423543772848170429916717;
  constexpr double kScale = 1.0507009873554804934193349852946;
  return result(args, elu_of(computed(build, args, 0), build.constant(kAlpha)) * kScale);
}

Value mish(Builder& build, const Args& args) {
  const Expr x = computed(build, args, 0);
  return result(args, x * x.apply(Op::Softplus).apply(Op::Tanh));
}

Value relu6(Builder& build, const Args& args) {
  return result(args, clamp_max(clamp_min({build, args.operands[0]}, 0), 6));
}

Value hardsigmoid(Builder& build, const Args& args) {
  return result(args, ramp(computed(build, args, 0)) / 6);
}

Value hardswish(Builder& build, const Args& args) {
  const Expr x = computed(build, args, 0);
  return result(args, x * ramp(x) / 6);
}

Value prelu(Builder& build, const Args& args) {
  const Expr x = computed(build, args, 0);
  Expr weight = computed(build, args, 1);
  Shape sizes;
  if (numel(weight.sizes()) > 1 && x.rank() > 1) {
    sizes.resize(static_cast<uint32_t>(x.rank()), 1);
    sizes[1] = numel(weight.sizes());
  }
  weight = weight.reshape(sizes);
  return result(args, positive(x).apply(Op::Where, x, weight * clamp_max(x, 0)));
}

Value gelu_tanh(Builder& build, const Args& args) {
  // Hendrycks and Gimpel, "Gaussian Error Linear Units", equation 2.
  const Expr x = computed(build, args, 0);
  const Expr inner = (x + x * x * x * 0.044715) * std::sqrt(2 * std::numbers::inv_pi);
  return result(args, x * 0.5 * (inner.apply(Op::Tanh) + 1));
}

Value log_sigmoid(Builder& build, const Args& args) {
  const Expr x = computed(build, args, 0);
  const Expr rest = (-x.apply(Op::Abs)).apply(Op::Exp).apply(Op::Log1p);
  return result(args, clamp_max(x, 0) - rest);
}

}  // namespace rt::decompositions
