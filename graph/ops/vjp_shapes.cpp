// vjp_shapes.cpp -- gradients of products, views, picking and joining, and linear algebra.
#include <algorithm>

#include "graph/ops/vjp.h"

namespace rt::vjp {
namespace {

Expr append(Builder& build, Args& args) { return {build, build.append(args)}; }

Expr unsqueezed(Expr a, int64_t dim) { return a.apply(Op::Unsqueeze, {dim}); }

/// All matrices of a one below the other.
Expr one_matrix(Expr a) {
  const Shape sizes = a.sizes();
  if (sizes.size() <= 2) return a;
  const int64_t rows = numel(Sizes(sizes).first(sizes.size() - 1));
  return a.reshape(Shape{rows, sizes.back()});
}

/// grad[..., start:end, ...] along dim.
Expr part(const Vjp& of, int64_t dim, int64_t start, int64_t end) {
  Builder& build = of.build;
  return of.grad().apply(Op::Slice,
                         {build.constant_index(start), build.constant_index(end), dim, 1});
}

/// What cat passes over, whatever the other tensors are.
bool skipped(const TensorType& type) { return type.sizes.size() == 1 && type.sizes[0] == 0; }

}  // namespace

// A vector is a row on the left and a column on the right.
Expr matmul(const Vjp& of, uint32_t operand) {
  const bool row = of.types[0].sizes.size() == 1, column = of.types[1].sizes.size() == 1;
  Expr grad = of.grad();
  if (column) grad = unsqueezed(grad, -1);
  if (row) grad = unsqueezed(grad, -2);
  if (operand == 0)
    return rt::matmul(grad, column ? unsqueezed(of.other(), 0) : transposed(of.other()));
  Expr self = row ? unsqueezed(of.self(), 0) : of.self();
  if (of.types[1].sizes.size() <= 2) {  // of one matrix: a long product instead of a sum of many
    self = one_matrix(self);
    grad = one_matrix(grad);
  }
  const Expr product = rt::matmul(transposed(self), grad);
  return column ? product.reshape(of.sizes(1)) : product;
}

Expr transpose(const Vjp& of, uint32_t) {
  return of.grad().apply(Op::Transpose, {of.word().integer(0), of.word().integer(1)});
}
Expr t(const Vjp& of, uint32_t) { return of.grad().apply(Op::T); }

Expr permute(const Vjp& of, uint32_t) {
  const auto dims = of.word().list(0);
  Shape back;
  back.resize(static_cast<uint32_t>(dims.size()));
  for (size_t i = 0; i < dims.size(); ++i)
    back[static_cast<uint32_t>(dims[i])] = static_cast<int64_t>(i);
  return of.grad().permute(back);
}

Expr resized(const Vjp& of, uint32_t) { return of.grad().reshape(of.sizes(0)); }

Expr slice(const Vjp& of, uint32_t) {
  const WordsView words = of.word();
  Args args;
  args.op = Op::SliceBackward;
  args.operands = {of.gradient};
  args.words = {of.build.constant_index(words.scalar(0)), of.build.constant_index(words.scalar(1)),
                words.integer(0), words.integer(1)};
  args.shape = of.sizes(0);
  return append(of.build, args);
}

Expr index_select(const Vjp& of, uint32_t) {
  return of.zeros(0).apply(Op::IndexAdd, of.other(), of.grad(), {of.word().integer(0)});
}
Expr gather(const Vjp& of, uint32_t) {
  return of.zeros(0).apply(Op::ScatterAdd, of.other(), of.grad(), {of.word().integer(0)});
}

Expr cat(const Vjp& of, uint32_t operand) {
  if (skipped(of.types[operand])) return of.zeros(operand);
  const int64_t dim = of.word().integer(0);
  const auto size = [&](uint32_t i) {
    return skipped(of.types[i]) ? 0 : of.types[i].sizes[static_cast<size_t>(dim)];
  };
  int64_t start = 0;
  for (uint32_t i = 0; i < operand; ++i) start += size(i);
  return part(of, dim, start, start + size(operand));
}
Expr stack(const Vjp& of, uint32_t operand) {
  return part(of, of.word().integer(0), operand, int64_t{operand} + 1).reshape(of.sizes(operand));
}

Expr most_along_dim(const Vjp& of, uint32_t) {
  const int64_t dim = of.word().integer(0);
  const Expr index = of.self().apply(of.row.op == Op::MaxDim ? Op::Argmax : Op::Argmin, {dim, 1});
  return of.zeros(0).apply(Op::ScatterAdd, index, of.grad().reshape(index.sizes()), {dim});
}

Expr det(const Vjp& of, uint32_t) { return of.grad().apply(Op::DetBackward, of.self()); }

Expr inverse(const Vjp& of, uint32_t) {
  const Expr turned = transposed(of.result());
  return -rt::matmul(rt::matmul(turned, of.grad()), turned);
}

Expr linalg_solve(const Vjp& of, uint32_t operand) {
  const Expr right = transposed(of.self()).apply(Op::LinalgSolve, of.grad());
  if (operand == 1) return right;
  const bool vectors = of.result_type.sizes.size() < of.types[0].sizes.size();
  return -(vectors ? unsqueezed(right, -1) * unsqueezed(of.result(), -2)
                   : rt::matmul(right, transposed(of.result())));
}

// A = U S V^T, of which S V^T is U^T A. M is U^T grad, and E s_k^2 - s_j^2 at [j,k], 1 at [j,j]:
// U ((M - M^T) / E) S V^T + (grad - U M) S^-1 V^T.
Expr svd(const Vjp& of, uint32_t) {
  const Expr u = of.result(), grad = of.grad();
  const Expr right = rt::matmul(transposed(u), of.self());
  const Expr rows = (right * right).sum(Shape{u.rank() - 1}, true), columns = transposed(rows);
  Args ones;
  ones.op = Op::Eye;
  ones.words = {u.sizes().back()};
  ones.dtype = u.type().dtype;
  ones.device = u.type().device;
  const Expr inner = rt::matmul(transposed(u), grad);
  const Expr turn = (inner - transposed(inner)) / (columns - rows + append(of.build, ones));
  const Expr within = rt::matmul(rt::matmul(u, turn), right);
  if (u.sizes()[static_cast<uint32_t>(u.rank() - 2)] == u.sizes().back()) return within;
  return within + rt::matmul((grad - rt::matmul(u, inner)) / columns, right);
}

Expr eig(const Vjp& of, uint32_t) { return of.grad().apply(Op::EigBackward, of.self()); }

}  // namespace rt::vjp
