// vjp_math.cpp -- gradients of arithmetic, activations, reductions and losses. Where there is no
// slope, or more than one, they are PyTorch's.
#include <numbers>
#include <utility>

#include "graph/ops/formulas.h"
#include "graph/ops/infer.h"
#include "graph/ops/vjp.h"

namespace rt::vjp {
namespace {

/// Scalar i of the row, for another row.
int64_t scalar(const Vjp& node, uint32_t i) { return node.build.constant(node.number(i)); }

Expr equal(Expr a, Expr b) { return a.apply(Op::Eq, b); }
Expr choose(Expr condition, Expr yes, Expr no) { return condition.apply(Op::Where, yes, no); }

/// `value` where both conditions hold, else 0.
Expr where_both(Expr first, Expr second, Expr value) {
  return choose(first.apply(Op::LogicalAnd, second), value, zero(value));
}
/// `value` where self lies between the bounds, else 0.
Expr between(const Vjp& node, double low, double high, Expr value) {
  const Expr x = node.self();
  return where_both(x.apply(Op::GtScalar, {node.build.constant(low)}),
                    x.apply(Op::LtScalar, {node.build.constant(high)}), value);
}

/// The gradient of maximum or minimum: 0 where `loses` holds between the operand and the other one.
Expr of_larger(const Vjp& node, uint32_t operand, Op loses) {
  const Expr mine = node.operand(operand), theirs = node.operand(1 - operand);
  const Expr grad = node.grad();
  return choose(mine.apply(loses, theirs), zero(grad),
                choose(equal(mine, theirs), grad * 0.5, grad));
}

/// A reduction over all dimensions or some, in the form that its gradient needs.
struct Reduction {
  Expr gradient;           ///< of the result, in sizes that broadcast to the operand's
  Small<int64_t, 6> dims;  ///< dimensions that the row names; empty for all
  double count;            ///< elements of each sum
};
Reduction reduction(const Vjp& node) {
  Shape kept = node.sizes(0);
  Reduction over{node.grad(), {}, static_cast<double>(numel(kept))};
  if (node.row.lists > 0) over.dims.assign(node.attr().list(0));
  else if (node.row.integers > 0) over.dims.push_back(node.attr().integer(0));
  if (over.dims.empty() || kept.empty()) return over;
  over.count = 1;
  for (const int64_t dim : over.dims)
    over.count *= static_cast<double>(std::exchange(kept[static_cast<uint32_t>(dim)], 1));
  over.gradient = over.gradient.reshape(kept);
  return over;
}

/// x with dimension `from` moved to `to`.
Expr moved(Expr x, uint32_t from, uint32_t to) {
  Shape dims;
  for (int64_t dim = 0; dim < x.rank(); ++dim) dims.push_back(dim);
  dims.erase(from);
  dims.insert(to, from);
  return x.permute(dims);
}

/// An operand of a loss in the sizes and the dtype that the loss is computed in.
Expr broadcast(const Vjp& node, uint32_t operand) {
  return node.operand(operand).cast(node.result_type.dtype).expand(broadcast_sizes(node.types));
}

}  // namespace

// ---- Arithmetic.

Expr zeros(const Vjp& node, uint32_t operand) { return node.zeros(operand); }
Expr same(const Vjp& node, uint32_t) { return node.grad(); }
Expr sub(const Vjp& node, uint32_t operand) { return operand == 0 ? node.grad() : -node.grad(); }
Expr mul(const Vjp& node, uint32_t operand) { return node.grad() * node.operand(1 - operand); }
Expr div(const Vjp& node, uint32_t operand) {
  if (operand == 0) return node.grad() / node.other();
  return -node.grad() * (node.self() / node.other() / node.other());
}
Expr pow(const Vjp& node, uint32_t operand) {
  const double exponent = node.number(0);
  if (exponent == 0) return node.zeros(operand);  // also for 0 and infinity
  return node.grad() * (node.self().pow(exponent - 1) * exponent);
}
Expr neg(const Vjp& node, uint32_t) { return -node.grad(); }
Expr abs(const Vjp& node, uint32_t) { return node.grad() * node.self().apply(Op::Sign); }
Expr sqrt(const Vjp& node, uint32_t) { return node.grad() / (node.result() * 2); }
Expr exp(const Vjp& node, uint32_t) { return node.grad() * node.result(); }
Expr log(const Vjp& node, uint32_t) { return node.grad() / node.self(); }
Expr mul_scalar(const Vjp& node, uint32_t) { return node.grad() * node.number(0); }
Expr div_scalar(const Vjp& node, uint32_t) { return node.grad() / node.number(0); }
Expr add_scaled(const Vjp& node, uint32_t operand) {
  return operand == 0 ? node.grad() : node.grad() * node.number(0);
}
Expr lerp(const Vjp& node, uint32_t operand) {
  return node.grad() * (operand == 0 ? 1 - node.number(0) : node.number(0));
}
Expr addcmul(const Vjp& node, uint32_t operand) {
  return operand == 0 ? node.grad() : node.grad() * (node.operand(3 - operand) * node.number(0));
}
Expr addcdiv(const Vjp& node, uint32_t operand) {
  if (operand == 0) return node.grad();
  const Expr divisor = node.operand(2), part = node.grad() / divisor * node.number(0);
  return operand == 1 ? part : -part * (node.operand(1) / divisor);
}
Expr where(const Vjp& node, uint32_t operand) {
  const Expr grad = node.grad(), none = zero(grad);
  return operand == 1 ? choose(node.self(), grad, none) : choose(node.self(), none, grad);
}

Expr masked_fill(const Vjp& node, uint32_t) {
  return choose(node.other(), zero(node.grad()), node.grad());
}
Expr clamp(const Vjp& node, uint32_t) {
  const Expr x = node.self();
  return where_both(x.apply(Op::GeScalar, {scalar(node, 0)}),
                    x.apply(Op::LeScalar, {scalar(node, 1)}), node.grad());
}
Expr clamp_min(const Vjp& node, uint32_t) {
  return choose(node.self().apply(Op::GeScalar, {scalar(node, 0)}), node.grad(), zero(node.grad()));
}
Expr clamp_max(const Vjp& node, uint32_t) {
  return choose(node.self().apply(Op::LeScalar, {scalar(node, 0)}), node.grad(), zero(node.grad()));
}
Expr maximum(const Vjp& node, uint32_t operand) { return of_larger(node, operand, Op::Lt); }
Expr minimum(const Vjp& node, uint32_t operand) { return of_larger(node, operand, Op::Gt); }
Expr square(const Vjp& node, uint32_t) { return node.grad() * (node.self() * 2); }
Expr rsqrt(const Vjp& node, uint32_t) {
  const Expr r = node.result();
  return node.grad() * (r * r * r * -0.5);
}
Expr reciprocal(const Vjp& node, uint32_t) {
  return -node.grad() * (node.result() * node.result());
}
Expr exp2(const Vjp& node, uint32_t) { return node.grad() * (node.result() * std::numbers::ln2); }
Expr expm1(const Vjp& node, uint32_t) { return node.grad() * (node.result() + 1); }
Expr log2(const Vjp& node, uint32_t) { return node.grad() / (node.self() * std::numbers::ln2); }
Expr log10(const Vjp& node, uint32_t) { return node.grad() / (node.self() * std::numbers::ln10); }
Expr log1p(const Vjp& node, uint32_t) { return node.grad() / (node.self() + 1); }
Expr erf(const Vjp& node, uint32_t) {
  const Expr x = node.self();
  return node.grad() * ((-(x * x)).apply(Op::Exp) * (2 * std::numbers::inv_sqrtpi));
}
Expr pow_tensor(const Vjp& node, uint32_t operand) {
  const DType dtype = node.result_type.dtype;
  const Expr base = node.self().cast(dtype), exponent = node.other().cast(dtype);
  const auto is_zero = [](Expr x) { return x.apply(Op::EqScalar, {x.build().constant(0)}); };
  if (operand == 0) {
    const Expr slope = exponent * base.apply(Op::PowTensor, exponent + -1);
    return choose(is_zero(exponent), zero(node.grad()), node.grad() * slope);
  }
  // The power of 0 is 0 for all positive exponents, though its logarithm is infinite.
  const Expr flat =
      is_zero(base).apply(Op::LogicalAnd, exponent.apply(Op::GeScalar, {node.build.constant(0)}));
  return choose(flat, zero(node.grad()), node.grad() * (node.result() * base.apply(Op::Log)));
}
Expr remainder(const Vjp& node, uint32_t operand) {
  if (operand == 0) return node.grad();
  const DType dtype = node.result_type.dtype;
  return -node.grad() * node.self().cast(dtype).apply(Op::FloorDivide, node.other().cast(dtype));
}
Expr fmod(const Vjp& node, uint32_t operand) {
  if (operand == 0) return node.grad();
  return -node.grad() * (node.self() / node.other()).apply(Op::Trunc);
}

// ---- Angles.

Expr sin(const Vjp& node, uint32_t) { return node.grad() * node.self().apply(Op::Cos); }
Expr cos(const Vjp& node, uint32_t) { return -node.grad() * node.self().apply(Op::Sin); }
Expr tan(const Vjp& node, uint32_t) { return node.grad() * (node.result() * node.result() + 1); }
Expr asin(const Vjp& node, uint32_t) {
  return node.grad() / (1 - node.self() * node.self()).apply(Op::Sqrt);
}
Expr acos(const Vjp& node, uint32_t operand) { return -asin(node, operand); }
Expr atan2(const Vjp& node, uint32_t operand) {
  const Expr part = quotient(node.grad(), node.self() * node.self() + node.other() * node.other());
  return operand == 0 ? part * node.other() : -part * node.self();
}
Expr atan(const Vjp& node, uint32_t) { return node.grad() / (node.self() * node.self() + 1); }
Expr sinh(const Vjp& node, uint32_t) { return node.grad() * node.self().apply(Op::Cosh); }
Expr cosh(const Vjp& node, uint32_t) { return node.grad() * node.self().apply(Op::Sinh); }
Expr asinh(const Vjp& node, uint32_t) {
  return node.grad() * (node.self() * node.self() + 1).apply(Op::Rsqrt);
}
Expr acosh(const Vjp& node, uint32_t) {
  return node.grad() * (node.self() * node.self() + -1).apply(Op::Rsqrt);
}
Expr atanh(const Vjp& node, uint32_t) { return node.grad() / (1 - node.self() * node.self()); }

// ---- Activations.

Expr relu(const Vjp& node, uint32_t) {
  return node.grad().apply(Op::ThresholdBackward, node.result(), {node.build.constant(0)});
}
Expr sigmoid(const Vjp& node, uint32_t) {
  return node.grad().apply(Op::SigmoidBackward, node.result());
}
Expr tanh(const Vjp& node, uint32_t) { return node.grad().apply(Op::TanhBackward, node.result()); }
Expr softplus(const Vjp& node, uint32_t) {
  return node.grad().apply(Op::SoftplusBackward, node.self());
}
Expr gelu(const Vjp& node, uint32_t) { return node.grad().apply(Op::GeluBackward, node.self()); }
Expr leaky_relu(const Vjp& node, uint32_t) {
  return node.grad().apply(Op::LeakyReluBackward, node.self(), {scalar(node, 0)});
}
Expr silu(const Vjp& node, uint32_t) { return node.grad().apply(Op::SiluBackward, node.self()); }
Expr hardtanh(const Vjp& node, uint32_t) {
  return between(node, node.number(0), node.number(1), node.grad());
}
Expr relu6(const Vjp& node, uint32_t) { return between(node, 0, 6, node.grad()); }
Expr hardsigmoid(const Vjp& node, uint32_t) { return between(node, -3, 3, node.grad() / 6); }
Expr hardswish(const Vjp& node, uint32_t) {
  const Expr x = node.self(), grad = node.grad();
  const Expr slope = between(node, -3, 3, grad * (x / 3 + 0.5));
  return choose(x.apply(Op::GeScalar, {node.build.constant(3)}), grad, slope);
}
Expr log_sigmoid(const Vjp& node, uint32_t) {
  return node.grad() * (-node.self()).apply(Op::Sigmoid);
}
Expr softmax(const Vjp& node, uint32_t) {
  return node.grad().apply(Op::SoftmaxBackward, node.result(), {node.attr().integer(0)});
}
Expr log_softmax(const Vjp& node, uint32_t) {
  return node.grad().apply(Op::LogSoftmaxBackward, node.result(), {node.attr().integer(0)});
}

// ---- Reductions.

Expr sum(const Vjp& node, uint32_t) { return reduction(node).gradient.expand(node.sizes(0)); }
Expr mean(const Vjp& node, uint32_t) {
  const Reduction over = reduction(node);
  return (over.gradient / over.count).expand(node.sizes(0));
}
Expr norm(const Vjp& node, uint32_t) { return quotient(node.grad(), node.result()) * node.self(); }
Expr max(const Vjp& node, uint32_t) {
  // Where the result is NaN, the ties are the NaNs: elements that are not equal to themselves.
  const Expr most = node.result(), known = equal(most, most);
  const Expr ties = equal(equal(node.self(), choose(known, most, node.self())), known);
  return choose(ties, node.grad() / ties.apply(Op::Sum), zero(node.grad()));
}
Expr var(const Vjp& node, uint32_t) {
  const Reduction over = reduction(node);
  const Expr self = node.self();
  const bool all = over.dims.empty();
  const Expr mean = all ? self.apply(Op::Mean) : self.sum(over.dims, true) / over.count;
  const double correction = node.row.lists == 0 ? 1 : static_cast<double>(node.attr().integer(0));
  return over.gradient * (2 / (over.count - correction)) * (self - mean);
}
Expr std(const Vjp& node, uint32_t operand) {
  Vjp of_square = node;
  of_square.gradient = quotient(node.grad(), node.result() * 2).value();
  return var(of_square, operand);
}

// ---- Losses.

Expr mse_loss(const Vjp& node, uint32_t operand) {
  return node.grad().apply(Op::MseLossBackward, broadcast(node, operand),
                           broadcast(node, 1 - operand));
}
Expr nll_loss(const Vjp& node, uint32_t) {
  // As [N,C], the form that the rows of the gradient take.
  const auto rank = static_cast<uint32_t>(node.types[0].sizes.size());
  const int64_t classes = node.types[0].sizes[rank > 1 ? 1 : 0],
                samples = numel(node.types[1].sizes);
  const Expr last = rank > 2 ? moved(node.self(), 1, rank - 1) : node.self();
  const Expr self = last.reshape({{samples, classes}}), target = node.other().reshape({{samples}});
  const Expr total = self.apply(Op::NllLossTotalWeight, target);
  const Expr found = {node.build,
                      node.build.op(Op::NllLossBackward,
                                    {node.gradient, self.value(), target.value(), total.value()})};
  return rank > 2 ? moved(found.reshape(last.sizes()), rank - 1, 1) : found.reshape(node.sizes(0));
}
Expr binary_cross_entropy(const Vjp& node, uint32_t operand) {
  const Expr p = node.self();
  const bool terms = node.row.op == Op::BinaryCrossEntropyTerms;
  const Expr grad =
      terms ? node.grad() : node.grad() / static_cast<double>(numel(node.types[0].sizes));
  if (operand == 0) return grad.apply(Op::BinaryCrossEntropyBackward, p, node.other());
  return grad * ((1 - p).apply(Op::Log) - p.apply(Op::Log));
}

}  // namespace rt::vjp
