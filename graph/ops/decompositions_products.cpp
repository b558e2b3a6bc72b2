// decompositions_products.cpp -- products of vectors and matrices, and distances.
#include <algorithm>

#include "graph/ops/decompositions.h"
#include "graph/ops/formulas.h"

namespace rt::decompositions {
namespace {

AttributesView attributes_of_product(const Args& args) {
  return {info(args.op), {args.attributes.data(), args.attributes.size()}};
}

Expr scaled(Expr a, int64_t factor) { return a.apply(Op::MulScalar, {factor}); }

/// The dimensions of a tensor of `rank`: those not in `summed` and those in it, in this order or
/// with those in it first.
Shape summed_last(int64_t rank, Sizes summed, bool first) {
  Shape others, all;
  for (int64_t dim = 0; dim < rank; ++dim)
    if (std::ranges::find(summed, dim) == summed.end()) others.push_back(dim);
  if (first) all.append(summed);
  all.append(others);
  if (!first) all.append(summed);
  return all;
}

Expr power(Expr a, uint64_t n) {
  if (n == 1) return a;
  const Expr half = power(a, n / 2), square = matmul(half, half);
  return n % 2 == 0 ? square : matmul(square, a);
}

}  // namespace

Value plain_product(Builder& build, const Args& args) {
  return matmul(operand(build, args, 0), operand(build, args, 1)).value();
}

// As in PyTorch, a beta of 0 keeps NaNs of self out.
Value scaled_product(Builder& build, const Args& args) {
  const Expr a = operand(build, args, 1), b = operand(build, args, 2);
  Expr product = args.op == Op::Addr ? with_dim(a, 1) * b : matmul(a, b);
  if (args.op == Op::Addbmm) product = product.sum(Shape{0}, false);
  const Expr self = operand(build, args, 0), beta = scalar(self, args.attributes[0]);
  const Expr base = where(equals(beta, 0.0), self.filled(0, {}), scaled(self, args.attributes[0]));
  return (base + scaled(product, args.attributes[1])).value();
}

Value outer(Builder& build, const Args& args) {
  return (with_dim(operand(build, args, 0), 1) * operand(build, args, 1)).value();
}

Value inner(Builder& build, const Args& args) {
  const Expr a = operand(build, args, 0), b = operand(build, args, 1);
  if (a.rank() == 0 || b.rank() == 0) return (a * b).value();
  const auto rows = [](Expr x) {
    const Shape sizes = x.sizes();
    return x.reshape(Shape{numel(Sizes(sizes).first(sizes.size() - 1)), sizes.back()});
  };
  return matmul(rows(a), transposed(rows(b))).reshape(args.shape).value();
}

Value tensordot(Builder& build, const Args& args) {
  const Expr a = operand(build, args, 0), b = operand(build, args, 1);
  const Sizes dims_a = attributes_of_product(args).list(0);
  const Sizes dims_b = attributes_of_product(args).list(1);
  int64_t depth = 1, rows = 1, columns = 1;
  for (const int64_t dim : dims_a) depth *= a.sizes()[static_cast<uint32_t>(dim)];
  for (int64_t dim = 0; dim < a.rank(); ++dim)
    if (std::ranges::find(dims_a, dim) == dims_a.end())
      rows *= a.sizes()[static_cast<uint32_t>(dim)];
  for (int64_t dim = 0; dim < b.rank(); ++dim)
    if (std::ranges::find(dims_b, dim) == dims_b.end())
      columns *= b.sizes()[static_cast<uint32_t>(dim)];
  const Expr left = a.permute(summed_last(a.rank(), dims_a, false)).reshape(Shape{rows, depth});
  const Expr right = b.permute(summed_last(b.rank(), dims_b, true)).reshape(Shape{depth, columns});
  return matmul(left, right).reshape(args.shape).value();
}

Value kron(Builder& build, const Args& args) {
  // Converted before reshape makes the dimensions that would decide the dtype.
  const Expr a = operand(build, args, 0).cast(args.dtype);
  const Expr b = operand(build, args, 1).cast(args.dtype);
  const auto rank = static_cast<size_t>(std::max(a.rank(), b.rank()));
  const auto spread = [rank](Expr x, bool first) {
    const Shape sizes = x.sizes();
    const size_t missing = rank - sizes.size();
    Shape all;
    for (size_t d = 0; d < rank; ++d) {
      const int64_t size = d < missing ? 1 : sizes[static_cast<uint32_t>(d - missing)];
      all.push_back(first ? size : 1);
      all.push_back(first ? 1 : size);
    }
    return x.reshape(all);
  };
  return (spread(a, true) * spread(b, false)).reshape(args.shape).value();
}

Value cross(Builder& build, const Args& args) {
  const int64_t dim = args.attributes[0];
  const auto part = [&](uint32_t i, int64_t at) {
    return slice(operand(build, args, i), dim, at, at + 1);
  };
  const auto component = [&](int64_t i, int64_t j) {
    return part(0, i) * part(1, j) - part(0, j) * part(1, i);
  };
  return joined(Op::Cat, {component(1, 2), component(2, 0), component(0, 1)}, dim).value();
}

// Row-major, the diagonal is every (columns + 1)-th element.
Value trace(Builder& build, const Args& args) {
  const Expr self = operand(build, args, 0);
  const Shape sizes = self.sizes();
  const int64_t count = std::min(sizes[0], sizes[1]), step = sizes[1] + 1;
  const Expr flat = self.reshape(Shape{sizes[0] * sizes[1]});
  return slice(flat, 0, 0, count == 0 ? 0 : (count - 1) * step + 1, step).apply(Op::Sum).value();
}

Value matrix_power(Builder& build, const Args& args) {
  const int64_t n = args.attributes[0];
  const Expr self = operand(build, args, 0);
  if (n == 0) {
    Args ones;
    ones.op = Op::Eye;
    ones.attributes = {args.shape.back()};
    ones.dtype = args.dtype;
    ones.device = args.device;
    Args never;
    never.op = Op::Full;
    never.attributes = {build.constant(0)};
    never.dtype = DType::Bool;
    never.device = args.device;
    // It takes part in gradients, and its slope is 0.
    return where({build, build.append(never)}, self, {build, build.append(ones)}).value();
  }
  if (n == 1) return self.apply(Op::Clone).value();
  const Expr base = n < 0 ? self.apply(Op::Inverse) : self;
  return power(base, n < 0 ? -static_cast<uint64_t>(n) : static_cast<uint64_t>(n)).value();
}

Value cdist(Builder& build, const Args& args) {
  const Expr a = operand(build, args, 0), b = operand(build, args, 1);
  const Expr apart = with_dim(a, -2) - with_dim(b, -3);
  const Shape last{apart.rank() - 1};
  if (a.sizes().back() == 0) return apart.sum(last, false).value();
  return apart.apply(Op::NormDims, {args.attributes[0], 0}, last).value();
}

Value pairwise_distance(Builder& build, const Args& args) {
  const Expr apart = (operand(build, args, 0) - operand(build, args, 1))
                         .apply(Op::AddScalar, {args.attributes[1]});
  const Shape none, last{apart.rank() - 1};
  return apart
      .apply(Op::NormDims, {args.attributes[0], args.attributes[2]},
             apart.rank() == 0 ? Sizes(none) : Sizes(last))
      .value();
}

}  // namespace rt::decompositions
