// vjp_math.cpp -- gradients of arithmetic, activations, reductions and losses. What they are where
// there is no slope, or more than one, is PyTorch's choice.
#include <utility>

#include "graph/ops/infer.h"
#include "graph/ops/vjp.h"

namespace rt::vjp {
namespace {

/// A scalar of the row, for another row.
int64_t scalar(const Vjp& of, uint32_t i) { return of.build.constant(of.number(i)); }

Expr equal(Expr a, Expr b) { return a.apply(Op::Eq, b); }
Expr choose(Expr condition, Expr yes, Expr no) { return condition.apply(Op::Where, yes, no); }
Expr zero(Expr like) { return like.filled(0, {}); }

/// a / b, but 0 where b is.
Expr quotient(Expr a, Expr b) {
  const Expr none = zero(b);
  return choose(equal(b, none), none, a / b);
}

/// A reduction, over all dimensions or some, as its gradient sees it.
struct Reduction {
  Expr gradient;           ///< of the result, in sizes that broadcast to the operand's
  Small<int64_t, 6> dims;  ///< what the row names; none where it is for all
  double count;            ///< elements that go into one
};
Reduction reduction(const Vjp& of) {
  Shape kept = of.sizes(0);
  Reduction over{of.grad(), {}, static_cast<double>(numel(kept))};
  if (of.row.lists > 0) over.dims.assign(of.word().list(0));
  else if (of.row.integers > 0) over.dims.push_back(of.word().integer(0));
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
Expr broadcast(const Vjp& of, uint32_t operand) {
  return of.operand(operand).cast(of.result_type.dtype).expand(broadcast_sizes(of.types));
}

}  // namespace

// ---- Arithmetic.

Expr zeros(const Vjp& of, uint32_t operand) { return of.zeros(operand); }
Expr same(const Vjp& of, uint32_t) { return of.grad(); }
Expr sub(const Vjp& of, uint32_t operand) { return operand == 0 ? of.grad() : -of.grad(); }
Expr mul(const Vjp& of, uint32_t operand) { return of.grad() * of.operand(1 - operand); }
Expr div(const Vjp& of, uint32_t operand) {
  if (operand == 0) return of.grad() / of.other();
  return -of.grad() * (of.self() / of.other() / of.other());
}
Expr pow(const Vjp& of, uint32_t operand) {
  const double exponent = of.number(0);
  if (exponent == 0) return of.zeros(operand);  // of 0 and infinity, too
  return of.grad() * (of.self().pow(exponent - 1) * exponent);
}
Expr neg(const Vjp& of, uint32_t) { return -of.grad(); }
Expr abs(const Vjp& of, uint32_t) { return of.grad() * of.self().apply(Op::Sign); }
Expr sqrt(const Vjp& of, uint32_t) { return of.grad() / (of.result() * 2); }
Expr exp(const Vjp& of, uint32_t) { return of.grad() * of.result(); }
Expr log(const Vjp& of, uint32_t) { return of.grad() / of.self(); }
Expr mul_scalar(const Vjp& of, uint32_t) { return of.grad() * of.number(0); }
Expr div_scalar(const Vjp& of, uint32_t) { return of.grad() / of.number(0); }
Expr add_scaled(const Vjp& of, uint32_t operand) {
  return operand == 0 ? of.grad() : of.grad() * of.number(0);
}
Expr lerp(const Vjp& of, uint32_t operand) {
  return of.grad() * (operand == 0 ? 1 - of.number(0) : of.number(0));
}
Expr addcmul(const Vjp& of, uint32_t operand) {
  return operand == 0 ? of.grad() : of.grad() * (of.operand(3 - operand) * of.number(0));
}
Expr addcdiv(const Vjp& of, uint32_t operand) {
  if (operand == 0) return of.grad();
  const Expr divisor = of.operand(2), part = of.grad() / divisor * of.number(0);
  return operand == 1 ? part : -part * (of.operand(1) / divisor);
}
Expr where(const Vjp& of, uint32_t operand) {
  const Expr grad = of.grad(), none = zero(grad);
  return operand == 1 ? choose(of.self(), grad, none) : choose(of.self(), none, grad);
}

// ---- Angles.

Expr sin(const Vjp& of, uint32_t) { return of.grad() * of.self().apply(Op::Cos); }
Expr cos(const Vjp& of, uint32_t) { return -of.grad() * of.self().apply(Op::Sin); }
Expr tan(const Vjp& of, uint32_t) { return of.grad() * (of.result() * of.result() + 1); }
Expr asin(const Vjp& of, uint32_t) {
  return of.grad() / (1 - of.self() * of.self()).apply(Op::Sqrt);
}
Expr acos(const Vjp& of, uint32_t operand) { return -asin(of, operand); }
Expr atan2(const Vjp& of, uint32_t operand) {
  const Expr part = quotient(of.grad(), of.self() * of.self() + of.other() * of.other());
  return operand == 0 ? part * of.other() : -part * of.self();
}

// ---- Activations.

Expr relu(const Vjp& of, uint32_t) {
  return of.grad().apply(Op::ThresholdBackward, of.result(), {of.build.constant(0)});
}
Expr sigmoid(const Vjp& of, uint32_t) { return of.grad().apply(Op::SigmoidBackward, of.result()); }
Expr tanh(const Vjp& of, uint32_t) { return of.grad().apply(Op::TanhBackward, of.result()); }
Expr gelu(const Vjp& of, uint32_t) { return of.grad().apply(Op::GeluBackward, of.self()); }
Expr leaky_relu(const Vjp& of, uint32_t) {
  return of.grad().apply(Op::LeakyReluBackward, of.self(), {scalar(of, 0)});
}
Expr softmax(const Vjp& of, uint32_t) {
  return of.grad().apply(Op::SoftmaxBackward, of.result(), {of.word().integer(0)});
}
Expr log_softmax(const Vjp& of, uint32_t) {
  return of.grad().apply(Op::LogSoftmaxBackward, of.result(), {of.word().integer(0)});
}

// ---- Reductions.

Expr sum(const Vjp& of, uint32_t) { return reduction(of).gradient.expand(of.sizes(0)); }
Expr mean(const Vjp& of, uint32_t) {
  const Reduction over = reduction(of);
  return (over.gradient / over.count).expand(of.sizes(0));
}
Expr norm(const Vjp& of, uint32_t) { return quotient(of.grad(), of.result()) * of.self(); }
Expr max(const Vjp& of, uint32_t) {
  // Where the result is NaN, all that are NaN: those that are not equal to themselves.
  const Expr most = of.result(), known = equal(most, most);
  const Expr ties = equal(equal(of.self(), choose(known, most, of.self())), known);
  return choose(ties, of.grad() / ties.apply(Op::Sum), zero(of.grad()));
}
Expr var(const Vjp& of, uint32_t) {
  const Reduction over = reduction(of);
  const Expr self = of.self();
  const bool all = over.dims.empty();
  const Expr mean = all ? self.apply(Op::Mean) : self.sum(over.dims, true) / over.count;
  const double correction = all ? 1 : static_cast<double>(of.word().integer(0));
  return over.gradient * (2 / (over.count - correction)) * (self - mean);
}
Expr std(const Vjp& of, uint32_t operand) {
  Vjp of_square = of;
  of_square.gradient = quotient(of.grad(), of.result() * 2).value();
  return var(of_square, operand);
}

// ---- Losses.

Expr mse_loss(const Vjp& of, uint32_t operand) {
  return of.grad().apply(Op::MseLossBackward, broadcast(of, operand), broadcast(of, 1 - operand));
}
Expr nll_loss(const Vjp& of, uint32_t) {
  // As [N,C], which is what the rows of its gradient take.
  const auto rank = static_cast<uint32_t>(of.types[0].sizes.size());
  const int64_t classes = of.types[0].sizes[rank > 1 ? 1 : 0], samples = numel(of.types[1].sizes);
  const Expr last = rank > 2 ? moved(of.self(), 1, rank - 1) : of.self();
  const Expr self = last.reshape({{samples, classes}}), target = of.other().reshape({{samples}});
  const Expr total = self.apply(Op::NllLossTotalWeight, target);
  const Expr found = {of.build, of.build.op(Op::NllLossBackward, {of.gradient, self.value(),
                                                                  target.value(), total.value()})};
  return rank > 2 ? moved(found.reshape(last.sizes()), rank - 1, 1) : found.reshape(of.sizes(0));
}
Expr binary_cross_entropy(const Vjp& of, uint32_t operand) {
  const Expr p = of.self();
  const bool terms = of.row.op == Op::BinaryCrossEntropyTerms;
  const Expr grad = terms ? of.grad() : of.grad() / static_cast<double>(numel(of.types[0].sizes));
  if (operand == 0) return grad.apply(Op::BinaryCrossEntropyBackward, p, of.other());
  return grad * ((1 - p).apply(Op::Log) - p.apply(Op::Log));
}

}  // namespace rt::vjp
