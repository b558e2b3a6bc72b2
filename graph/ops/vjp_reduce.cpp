// vjp_reduce.cpp -- gradients of reductions over several dimensions, of scans and of order.
#include <cmath>
#include <limits>

#include "graph/ops/formulas.h"
#include "graph/ops/vjp.h"

namespace rt::vjp {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

Expr same_as(Expr a, Expr b) { return a.apply(Op::Eq, b); }

/// The row's integer of this name.
int64_t integer(const Vjp& node, std::string_view name) {
  uint32_t i = 0;
  for (const Param& param : node.row.params) {
    if (param.kind != Kind::Int && param.kind != Kind::Flag) continue;
    if (param.name == name) break;
    ++i;
  }
  return node.attr().integer(i);
}

/// The dimensions that the row reduces, and the operand's sizes with 1 in their place.
struct Reduced {
  Shape dims, kept;
};
Reduced reduced(const Vjp& node) {
  Reduced over{{}, node.sizes(0)};
  if (over.kept.empty()) return over;
  if (node.row.lists > 0) over.dims.assign(node.attr().list(0));
  else over.dims.push_back(integer(node, "dim"));
  for (const int64_t dim : over.dims) over.kept[static_cast<uint32_t>(dim)] = 1;
  return over;
}

/// The elements along dim from the last to the first.
Expr flipped(Expr a, int64_t dim) {
  const int64_t size = a.sizes()[static_cast<uint32_t>(dim)];
  if (size <= 1) return a;
  Args args;
  args.op = Op::ArangeInt;
  for (const int64_t bound : {size - 1, int64_t{-1}, int64_t{-1}})
    args.attributes.push_back(a.build().constant_index(bound));
  args.dtype = DType::I64;
  args.device = a.type().device;
  return a.apply(Op::IndexSelect, {a.build(), a.build().append(args)}, {dim});
}

/// For each element, the product of all elements before it along dim.
Expr products_before(Expr self, int64_t dim) {
  Shape one = self.sizes();
  const int64_t size = one[static_cast<uint32_t>(dim)];
  one[static_cast<uint32_t>(dim)] = 1;
  const Expr empty = self.filled(1, one);
  if (size == 1) return empty;
  const Expr products = slice(self, dim, 0, size - 1).apply(Op::Cumprod, {dim});
  return joined(Op::Cat, {empty, products}, dim);
}

/// `gradient` at the places along dim that `index` names, else 0.
Expr put(const Vjp& node, Expr index, Expr gradient, int64_t dim) {
  return node.zeros(0).apply(Op::ScatterAdd, index, gradient.reshape(index.sizes()), {dim});
}

}  // namespace

Expr std_dims(const Vjp& node, uint32_t operand) {
  Vjp of_square = node;
  of_square.gradient = quotient(node.grad(), node.result() * 2).value();
  return var(of_square, operand);
}

Expr extreme(const Vjp& node, uint32_t) {
  const Reduced over = reduced(node);
  const Expr ties = same_as(node.self(), node.result().reshape(over.kept));
  const Expr count = ties.cast(node.types[0].dtype).sum(over.dims, true);
  return where(ties, node.grad().reshape(over.kept), zero(node.grad())) / count;
}

Expr norm_dims(const Vjp& node, uint32_t operand) {
  const double p = node.number(0);
  if (p == 0) return node.zeros(operand);
  const Reduced over = reduced(node);
  const Expr self = node.self(), grad = node.grad().reshape(over.kept);
  const Expr norm = node.result().reshape(over.kept), sign = self.apply(Op::Sign);
  if (p == 1) return sign * grad;
  if (p == 2) return self * quotient(grad, norm);
  const Expr size = self.apply(Op::Abs);
  if (std::abs(p) == kInfinity) {
    const Expr ties = same_as(size, norm);
    const Expr count = ties.cast(node.types[0].dtype).sum(over.dims, true);
    return sign * where(ties, grad / count, zero(grad));
  }
  if (p < 1) {
    const Expr slope = where(same_as(self, zero(self)), zero(self), sign * size.pow(p - 1));
    return slope * (grad * norm.pow(1 - p));
  }
  const Expr slope = p < 2 ? sign * size.pow(p - 1) : self * size.pow(p - 2);
  return slope * quotient(grad, norm.pow(p - 1));
}

// Each element's factor is the product of all others, so that a 0 needs no special case.
Expr prod_dim(const Vjp& node, uint32_t) {
  const Reduced over = reduced(node);
  if (over.dims.empty()) return node.grad();
  if (numel(node.sizes(0)) == 0) return node.zeros(0);
  const int64_t dim = over.dims[0];
  const Expr before = products_before(node.self(), dim);
  const Expr behind = flipped(products_before(flipped(node.self(), dim), dim), dim);
  return node.grad().reshape(over.kept) * (before * behind);
}

Expr logsumexp(const Vjp& node, uint32_t) {
  const Reduced over = reduced(node);
  const Expr shares = (node.self() - node.result().reshape(over.kept)).apply(Op::Exp);
  return node.grad().reshape(over.kept) * shares;
}

Expr cumprod(const Vjp& node, uint32_t) {
  return {node.build,
          node.build.op(Op::CumprodBackward, {node.gradient, node.operands[0], node.result_value},
                        {node.attr().integer(0)})};
}

// The gradient is the sum over all results from the element on of grad * exp(self - result). It is
// taken by logarithms, for the positive and the negative gradients, so that no exp overflows.
Expr logcumsumexp(const Vjp& node, uint32_t) {
  const int64_t dim = node.attr().integer(0);
  const Expr grad = node.grad(), none = grad.filled(-kInfinity, {});
  if (node.sizes(0).empty()) return grad;
  if (numel(node.sizes(0)) == 0) return node.zeros(0);
  const Expr sign = grad.apply(Op::Sign), logs = grad.apply(Op::Abs).apply(Op::Log);
  const auto of_sign = [&](double wanted) {
    const Expr chosen = where(equals(sign, wanted), logs, none) - node.result();
    const Expr sums = flipped(flipped(chosen, dim).apply(Op::Logcumsumexp, {dim}), dim);
    return (sums + node.self()).apply(Op::Exp);
  };
  return of_sign(1.0) - of_sign(-1.0);
}

Expr selected(const Vjp& node, uint32_t) {
  const Op indices = static_cast<Op>(static_cast<uint16_t>(node.row.op) + 1);
  Args args;
  args.op = indices;
  args.operands = {node.operands[0]};
  args.attributes.assign(node.attributes);
  Expr index = {node.build, node.build.append(args)};
  const int64_t dim = integer(node, "dim");
  if (index.rank() < static_cast<int64_t>(node.sizes(0).size())) index = with_dim(index, dim);
  return put(node, index, node.grad(), dim);
}

Expr quantile(const Vjp& node, uint32_t) {
  const int64_t dim = integer(node, "dim");
  const Expr order = node.self().apply(Op::SortIndices, {1, dim, 0});
  const Shape sizes = node.sizes(0);
  const int64_t last = sizes.empty() ? 0 : sizes[static_cast<uint32_t>(dim)] - 1;
  const double place = node.number(0) * static_cast<double>(last), below = std::floor(place);
  const auto share_at = [&](double at, double share) {
    const auto start = static_cast<int64_t>(at);
    const Expr index = sizes.empty() ? order : slice(order, dim, start, start + 1);
    return put(node, index, node.grad() * share, dim);
  };
  if (place == below) return share_at(below, 1);
  return share_at(below, 1 - (place - below)) + share_at(below + 1, place - below);
}

}  // namespace rt::vjp
