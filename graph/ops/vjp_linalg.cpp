// vjp_linalg.cpp -- gradients of factors of matrices. Each is that of one factor; where a matrix
// has several, their gradients add up.
#include <algorithm>

#include "graph/ops/formulas.h"
#include "graph/ops/vjp.h"

namespace rt::vjp {
namespace {

Expr identity(Expr like, int64_t n) {
  Args args;
  args.op = Op::Eye;
  args.attributes = {n};
  args.dtype = like.type().dtype;
  args.device = like.type().device;
  return {like.build(), like.build().append(args)};
}

/// Row index less column index for each element of an n x n matrix, as floats.
Expr distances(Expr like, int64_t n) {
  const Expr index = counted(like, n, like.type().dtype);
  return with_dim(index, 1) - index;
}

/// The elements below the diagonal, 0 elsewhere.
Expr below_diagonal(Expr a) {
  const Expr above = equals(distances(a, a.sizes().back()).apply(Op::Relu), 0.0);
  return where(above, a.filled(0, {}), a);
}

/// The elements on the diagonal, 0 elsewhere.
Expr on_diagonal(Expr a) {
  return where(equals(distances(a, a.sizes().back()), 0.0), a, a.filled(0, {}));
}

/// A symmetric matrix that has the lower triangle of `a`.
Expr mirrored(Expr a) {
  const Expr below = below_diagonal(a);
  return below + transposed(below) + on_diagonal(a);
}

/// a solved for x in a x = b.
Expr solved(Expr a, Expr b) { return a.apply(Op::LinalgSolve, b); }

Expr factor(const Vjp& node, Op op) { return node.self().apply(op); }

/// Vectors [...,n] as rows [...,1,n].
Expr as_rows(Expr vectors) { return with_dim(vectors, -2); }

/// Differences d[j] - d[i] in row i and column j, 1 on the diagonal.
Expr gaps(Expr values) {
  return as_rows(values) - with_dim(values, -1) + identity(values, values.sizes().back());
}

}  // namespace

// L^-T S L^-1, S symmetric with half of the lower triangle of L^T grad and half of its diagonal.
Expr cholesky(const Vjp& node, uint32_t) {
  const bool upper = node.attr().integer(0) != 0;
  const Expr lower = upper ? transposed(node.result()) : node.result();
  const Expr grad = upper ? transposed(node.grad()) : node.grad();
  const Expr middle = mirrored(rt::matmul(transposed(lower), grad)) * 0.5;
  const Expr left = solved(transposed(lower), middle);
  return transposed(solved(transposed(lower), transposed(left)));
}

// With M = R gR^T - gQ^T Q: (gQ + Q N) R^-T, N symmetric with the lower triangle of M.
Expr qr(const Vjp& node, uint32_t) {
  const bool of_q = node.row.op == Op::QrQ;
  const Shape sizes = node.sizes(0);
  const auto rank = sizes.size();
  const int64_t rows = sizes[rank - 2], columns = sizes[rank - 1];
  const Expr q = of_q ? node.result() : factor(node, Op::QrQ);
  const Expr r = of_q ? factor(node, Op::QrR) : node.result();
  const Expr grad = node.grad();
  const auto of_tall = [](Expr q, Expr r, Expr grad_q, Expr grad_r) {
    Expr m = grad_r ? rt::matmul(r, transposed(grad_r)) : Expr();
    if (grad_q) {
      const Expr other = rt::matmul(transposed(grad_q), q);
      m = m ? m - other : -other;
    }
    const Expr product = rt::matmul(q, mirrored(m));
    const Expr right = grad_q ? grad_q + product : product;
    return transposed(solved(r, transposed(right)));
  };
  if (rows >= columns) return of_tall(q, r, of_q ? grad : Expr(), of_q ? Expr() : grad);
  // A wide matrix is [X Y] with X = Q U, U the first columns of R, and Y = Q V.
  const Expr u = slice(r, -1, 0, rows);
  if (of_q) {
    const Expr of_x = of_tall(q, u, grad, Expr());
    Shape rest = sizes;
    rest[rank - 1] = columns - rows;
    return joined(Op::Cat, {of_x, grad.filled(0, rest)}, static_cast<int64_t>(rank) - 1);
  }
  const Expr y = slice(node.self(), -1, rows, columns);
  const Expr grad_u = slice(grad, -1, 0, rows), grad_v = slice(grad, -1, rows, columns);
  const Expr of_x = of_tall(q, u, rt::matmul(y, transposed(grad_v)), grad_u);
  return joined(Op::Cat, {of_x, rt::matmul(q, grad_v)}, static_cast<int64_t>(rank) - 1);
}

Expr eigh_values(const Vjp& node, uint32_t) {
  const Expr vectors = factor(node, Op::EighVectors);
  return rt::matmul(vectors * as_rows(node.grad()), transposed(vectors));
}

Expr eigh_vectors(const Vjp& node, uint32_t) {
  const Expr vectors = node.result(), turned = transposed(vectors);
  const Expr inner = rt::matmul(turned, node.grad());
  const Expr middle = (inner - on_diagonal(inner)) / gaps(factor(node, Op::EighValues));
  return rt::matmul(rt::matmul(vectors, middle), turned);
}

Expr svd_values(const Vjp& node, uint32_t) {
  return rt::matmul(factor(node, Op::Svd) * as_rows(node.grad()), factor(node, Op::SvdVh));
}

// The right vectors are the left ones of the transposed matrix.
Expr svd_right(const Vjp& node, uint32_t) {
  const Expr v = transposed(node.result()), grad = transposed(node.grad());
  const Expr right = rt::matmul(transposed(v), transposed(node.self()));
  const Expr rows = (right * right).sum(Shape{v.rank() - 1}, true), columns = transposed(rows);
  const Expr inner = rt::matmul(transposed(v), grad);
  const Expr turn = (inner - transposed(inner)) / (columns - rows + identity(v, v.sizes().back()));
  Expr all = rt::matmul(rt::matmul(v, turn), right);
  if (v.sizes()[static_cast<uint32_t>(v.rank() - 2)] != v.sizes().back())
    all = all + rt::matmul((grad - rt::matmul(v, inner)) / columns, right);
  return transposed(all);
}

Expr slogdet(const Vjp& node, uint32_t) {
  const Expr turned = transposed(node.self().apply(Op::Inverse));
  return with_dim(with_dim(node.grad(), -1), -1) * turned;
}

// With P the inverse: -P^T G P^T + P^T P (G^T - G^T A P) ... in the form of Golub and Pereyra.
Expr pinv(const Vjp& node, uint32_t) {
  const Expr a = node.self(), p = node.result(), turned = transposed(p);
  const Expr grad = transposed(node.grad());  // of the sizes of a
  const Expr first = rt::matmul(rt::matmul(turned, transposed(grad)), turned);
  const Expr left = rt::matmul(rt::matmul(turned, p), grad);
  const Expr right = rt::matmul(grad, rt::matmul(p, turned));
  const auto beyond = [&](Expr x) { return x - rt::matmul(rt::matmul(x, p), a); };
  const auto above = [&](Expr x) { return x - rt::matmul(a, rt::matmul(p, x)); };
  return beyond(left) + above(right) - first;
}

// exp([[A^T, G], [0, A^T]]) has the gradient in its upper right corner.
Expr matrix_exp(const Vjp& node, uint32_t) {
  const Expr turned = transposed(node.self()), grad = node.grad();
  const int64_t rank = turned.rank(), n = turned.sizes().back();
  if (numel(node.sizes(0)) == 0) return node.zeros(0);
  const Expr upper = joined(Op::Cat, {turned, grad}, rank - 1);
  const Expr lower = joined(Op::Cat, {grad.filled(0, grad.sizes()), turned}, rank - 1);
  const Expr block = joined(Op::Cat, {upper, lower}, rank - 2).apply(Op::MatrixExp);
  return slice(slice(block, rank - 2, 0, n), rank - 1, n, 2 * n);
}

}  // namespace rt::vjp
