// vjp_shapes.cpp -- gradients of products, views, picking and joining, and linear algebra.
#include <algorithm>

#include "graph/ops/vjp.h"

namespace rt::vjp {
namespace {

Expr append(Builder& build, Args& args) { return {build, build.append(args)}; }

Expr unsqueezed(Expr a, int64_t dim) { return a.apply(Op::Unsqueeze, {dim}); }

/// All matrices of `a`, one below the other, as one.
Expr one_matrix(Expr a) {
  const Shape sizes = a.sizes();
  if (sizes.size() <= 2) return a;
  const int64_t rows = numel(Sizes(sizes).first(sizes.size() - 1));
  return a.reshape(Shape{rows, sizes.back()});
}

/// grad[..., start:end, ...] along dim.
Expr part(const Vjp& node, int64_t dim, int64_t start, int64_t end) {
  Builder& build = node.build;
  return node.grad().apply(Op::Slice,
                           {build.constant_index(start), build.constant_index(end), dim, 1});
}

/// True for a tensor that cat skips, whatever the others are.
bool skipped(const TensorType& type) { return type.sizes.size() == 1 && type.sizes[0] == 0; }

}  // namespace

// A vector is a row on the left and a column on the right.
Expr matmul(const Vjp& node, uint32_t operand) {
  const bool row = node.types[0].sizes.size() == 1, column = node.types[1].sizes.size() == 1;
  Expr grad = node.grad();
  if (column) grad = unsqueezed(grad, -1);
  if (row) grad = unsqueezed(grad, -2);
  if (operand == 0)
    return rt::matmul(grad, column ? unsqueezed(node.other(), 0) : transposed(node.other()));
  Expr self = row ? unsqueezed(node.self(), 0) : node.self();
  if (node.types[1].sizes.size() <= 2) {  // one matrix: one long product replaces a sum of many
    self = one_matrix(self);
    grad = one_matrix(grad);
  }
  const Expr product = rt::matmul(transposed(self), grad);
  return column ? product.reshape(node.sizes(1)) : product;
}

Expr transpose(const Vjp& node, uint32_t) {
  return node.grad().apply(Op::Transpose, {node.attr().integer(0), node.attr().integer(1)});
}
Expr t(const Vjp& node, uint32_t) { return node.grad().apply(Op::T); }

Expr permute(const Vjp& node, uint32_t) {
  const auto dims = node.attr().list(0);
  Shape back;
  back.resize(static_cast<uint32_t>(dims.size()));
  for (size_t i = 0; i < dims.size(); ++i)
    back[static_cast<uint32_t>(dims[i])] = static_cast<int64_t>(i);
  return node.grad().permute(back);
}

Expr resized(const Vjp& node, uint32_t) { return node.grad().reshape(node.sizes(0)); }

Expr slice_backward(Expr grad, int64_t dim, int64_t start, int64_t end, int64_t step, Sizes sizes) {
  Args args;
  args.op = Op::SliceBackward;
  args.operands = {grad.value()};
  args.attributes = {grad.build().constant_index(start), grad.build().constant_index(end), dim,
                     step};
  args.shape.assign(sizes);
  return append(grad.build(), args);
}

Expr slice(const Vjp& node, uint32_t) {
  const AttributesView attributes = node.attr();
  return slice_backward(node.grad(), attributes.integer(0), attributes.scalar(0),
                        attributes.scalar(1), attributes.integer(1), node.sizes(0));
}

Expr index_select(const Vjp& node, uint32_t) {
  return node.zeros(0).apply(Op::IndexAdd, node.other(), node.grad(), {node.attr().integer(0)});
}
Expr gather(const Vjp& node, uint32_t) {
  return node.zeros(0).apply(Op::ScatterAdd, node.other(), node.grad(), {node.attr().integer(0)});
}

Expr cat(const Vjp& node, uint32_t operand) {
  if (skipped(node.types[operand])) return node.zeros(operand);
  const int64_t dim = node.attr().integer(0);
  const auto size = [&](uint32_t i) {
    return skipped(node.types[i]) ? 0 : node.types[i].sizes[static_cast<size_t>(dim)];
  };
  int64_t start = 0;
  for (uint32_t i = 0; i < operand; ++i) start += size(i);
  return part(node, dim, start, start + size(operand));
}
Expr stack(const Vjp& node, uint32_t operand) {
  return part(node, node.attr().integer(0), operand, int64_t{operand} + 1)
      .reshape(node.sizes(operand));
}

/// Each element is in all sums from its own on: sums from the other end.
Expr cumsum(const Vjp& node, uint32_t) {
  const int64_t dim = node.attr().integer(0);
  const int64_t size = node.sizes(0).empty() ? 1 : node.sizes(0)[static_cast<size_t>(dim)];
  if (size <= 1) return node.grad();
  Args args;
  args.op = Op::ArangeInt;
  for (const int64_t bound : {size - 1, int64_t{-1}, int64_t{-1}})
    args.attributes.push_back(node.build.constant_index(bound));
  args.dtype = DType::I64;
  args.device = node.types[0].device;
  const Expr backwards = append(node.build, args);
  return node.grad()
      .apply(Op::IndexSelect, backwards, {dim})
      .apply(Op::Cumsum, {dim})
      .apply(Op::IndexSelect, backwards, {dim});
}

Expr max_along_dim(const Vjp& node, uint32_t) {
  const int64_t dim = node.attr().integer(0);
  const Expr index =
      node.self().apply(node.row.op == Op::MaxDim ? Op::Argmax : Op::Argmin, {dim, 1});
  return node.zeros(0).apply(Op::ScatterAdd, index, node.grad().reshape(index.sizes()), {dim});
}

Expr det(const Vjp& node, uint32_t) { return node.grad().apply(Op::DetBackward, node.self()); }

Expr inverse(const Vjp& node, uint32_t) {
  const Expr turned = transposed(node.result());
  return -rt::matmul(rt::matmul(turned, node.grad()), turned);
}

Expr linalg_solve(const Vjp& node, uint32_t operand) {
  const Expr right = transposed(node.self()).apply(Op::LinalgSolve, node.grad());
  if (operand == 1) return right;
  const bool vectors = node.result_type.sizes.size() < node.types[0].sizes.size();
  return -(vectors ? unsqueezed(right, -1) * unsqueezed(node.result(), -2)
                   : rt::matmul(right, transposed(node.result())));
}

// For A = U S V^T, S V^T is U^T A. With M = U^T grad, E[j,k] = s_k^2 - s_j^2 and E[j,j] = 1:
// U ((M - M^T) / E) S V^T + (grad - U M) S^-1 V^T.
Expr svd(const Vjp& node, uint32_t) {
  const Expr u = node.result(), grad = node.grad();
  const Expr right = rt::matmul(transposed(u), node.self());
  const Expr rows = (right * right).sum(Shape{u.rank() - 1}, true), columns = transposed(rows);
  Args ones;
  ones.op = Op::Eye;
  ones.attributes = {u.sizes().back()};
  ones.dtype = u.type().dtype;
  ones.device = u.type().device;
  const Expr inner = rt::matmul(transposed(u), grad);
  const Expr turn = (inner - transposed(inner)) / (columns - rows + append(node.build, ones));
  const Expr within = rt::matmul(rt::matmul(u, turn), right);
  if (u.sizes()[static_cast<uint32_t>(u.rank() - 2)] == u.sizes().back()) return within;
  return within + rt::matmul((grad - rt::matmul(u, inner)) / columns, right);
}

Expr eig(const Vjp& node, uint32_t) { return node.grad().apply(Op::EigBackward, node.self()); }

}  // namespace rt::vjp
