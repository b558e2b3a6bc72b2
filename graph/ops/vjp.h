// vjp.h -- the rules of reverse-mode differentiation: from the gradient of a row's result to those
// of its operands (vector-Jacobian products).
#pragma once
#include <bit>

#include "graph/ops/expr.h"

namespace rt {

/// The input of a gradient rule: a recorded node. It has the types of all operands and the result,
/// and those of their values that the row's .saves names for the operand in question.
/// A rule returns the gradient of that operand. It may be of larger sizes, to which
/// the op broadcasts the operand, and of any float dtype, because fitted() undoes
/// broadcast and conversion.
/// An empty Expr means that no gradient flows to the operand: a leaf there stays without one, and
/// an optimizer does not change it. Where the slope is 0 the rule returns zeros(), as PyTorch does.
/// Rules are called for operands of a float dtype only.
struct Vjp {
  Builder& build;
  const OpInfo& row;
  std::span<const int64_t> attributes;  ///< as Args has them, scalars by their bits
  std::span<const Value> operands;
  std::span<const TensorType> types;  ///< of the operands
  Value result_value;
  TensorType result_type;
  Value gradient;

  Expr grad() const { return {build, gradient}; }
  Expr operand(uint32_t i) const { return {build, operands[i]}; }
  Expr self() const { return operand(0); }
  Expr other() const { return operand(1); }
  Expr result() const { return {build, result_value}; }
  Shape sizes(uint32_t i) const { return Shape(types[i].sizes); }
  Expr zeros(uint32_t i) const;  ///< zeros in the type of operand i
  AttributesView attr() const { return {row, attributes}; }
  double number(uint32_t i) const { return std::bit_cast<double>(attributes[i]); }
};

/// `gradient` as the gradient of a tensor of this type: summed over broadcast dimensions, converted
/// to its dtype, moved to its device.
Expr fitted(Expr gradient, const TensorType& type);

namespace vjp {

// vjp_math.cpp: arithmetic, activations, reductions, losses.
Expr zeros(const Vjp&, uint32_t operand);  ///< for results that are constant or step functions
Expr same(const Vjp&, uint32_t operand);   ///< the gradient as it is
Expr sub(const Vjp&, uint32_t operand);
Expr mul(const Vjp&, uint32_t operand);
Expr div(const Vjp&, uint32_t operand);
Expr pow(const Vjp&, uint32_t operand);
Expr neg(const Vjp&, uint32_t operand);
Expr abs(const Vjp&, uint32_t operand);
Expr sqrt(const Vjp&, uint32_t operand);
Expr exp(const Vjp&, uint32_t operand);
Expr log(const Vjp&, uint32_t operand);
Expr mul_scalar(const Vjp&, uint32_t operand);
Expr div_scalar(const Vjp&, uint32_t operand);
Expr add_scaled(const Vjp&, uint32_t operand);
Expr lerp(const Vjp&, uint32_t operand);
Expr addcmul(const Vjp&, uint32_t operand);
Expr addcdiv(const Vjp&, uint32_t operand);
Expr where(const Vjp&, uint32_t operand);
Expr masked_fill(const Vjp&, uint32_t operand);
/// Equal operands share the gradient evenly.
Expr maximum(const Vjp&, uint32_t operand);
Expr minimum(const Vjp&, uint32_t operand);
Expr clamp(const Vjp&, uint32_t operand);  ///< flows within the bounds, which count as within
Expr clamp_min(const Vjp&, uint32_t operand);
Expr clamp_max(const Vjp&, uint32_t operand);
Expr square(const Vjp&, uint32_t operand);
Expr rsqrt(const Vjp&, uint32_t operand);
Expr reciprocal(const Vjp&, uint32_t operand);
Expr exp2(const Vjp&, uint32_t operand);
Expr expm1(const Vjp&, uint32_t operand);
Expr log2(const Vjp&, uint32_t operand);
Expr log10(const Vjp&, uint32_t operand);
Expr log1p(const Vjp&, uint32_t operand);
Expr erf(const Vjp&, uint32_t operand);
Expr pow_tensor(const Vjp&, uint32_t operand);
Expr remainder(const Vjp&, uint32_t operand);
Expr fmod(const Vjp&, uint32_t operand);
Expr sin(const Vjp&, uint32_t operand);
Expr cos(const Vjp&, uint32_t operand);
Expr tan(const Vjp&, uint32_t operand);
Expr asin(const Vjp&, uint32_t operand);
Expr acos(const Vjp&, uint32_t operand);
Expr atan2(const Vjp&, uint32_t operand);
Expr atan(const Vjp&, uint32_t operand);
Expr sinh(const Vjp&, uint32_t operand);
Expr cosh(const Vjp&, uint32_t operand);
Expr asinh(const Vjp&, uint32_t operand);
Expr acosh(const Vjp&, uint32_t operand);
Expr atanh(const Vjp&, uint32_t operand);
Expr relu(const Vjp&, uint32_t operand);
Expr sigmoid(const Vjp&, uint32_t operand);
Expr tanh(const Vjp&, uint32_t operand);
Expr gelu(const Vjp&, uint32_t operand);
Expr softplus(const Vjp&, uint32_t operand);
Expr leaky_relu(const Vjp&, uint32_t operand);
Expr silu(const Vjp&, uint32_t operand);
Expr hardtanh(const Vjp&, uint32_t operand);  ///< flows between the bounds, which do not count
Expr relu6(const Vjp&, uint32_t operand);
Expr hardsigmoid(const Vjp&, uint32_t operand);
Expr hardswish(const Vjp&, uint32_t operand);
Expr log_sigmoid(const Vjp&, uint32_t operand);
Expr softmax(const Vjp&, uint32_t operand);
Expr log_softmax(const Vjp&, uint32_t operand);
Expr norm(const Vjp&, uint32_t operand);
Expr sum(const Vjp&, uint32_t operand);   ///< over all dimensions or some
Expr mean(const Vjp&, uint32_t operand);  ///< over all dimensions or some
/// Shared evenly by all elements that equal the largest, or the smallest.
Expr max(const Vjp&, uint32_t operand);
Expr std(const Vjp&, uint32_t operand);
Expr var(const Vjp&, uint32_t operand);  ///< over all dimensions or some
Expr mse_loss(const Vjp&, uint32_t operand);
Expr nll_loss(const Vjp&, uint32_t operand);
Expr binary_cross_entropy(const Vjp&, uint32_t operand);  ///< the mean and the terms

// vjp_shapes.cpp: products, views, picking and joining, linear algebra.
Expr matmul(const Vjp&, uint32_t operand);
Expr transpose(const Vjp&, uint32_t operand);
Expr t(const Vjp&, uint32_t operand);
Expr permute(const Vjp&, uint32_t operand);
Expr resized(const Vjp&, uint32_t operand);  ///< of any row that changes sizes alone
Expr slice(const Vjp&, uint32_t operand);
/// Zeros of `sizes` with `grad` in the place of the slice from `start` to `end` along `dim`.
Expr slice_backward(Expr grad, int64_t dim, int64_t start, int64_t end, int64_t step, Sizes sizes);
Expr index_select(const Vjp&, uint32_t operand);
Expr gather(const Vjp&, uint32_t operand);
Expr cat(const Vjp&, uint32_t operand);
Expr stack(const Vjp&, uint32_t operand);
Expr cumsum(const Vjp&, uint32_t operand);
Expr max_along_dim(const Vjp&, uint32_t operand);  ///< max_dim, min_dim
Expr det(const Vjp&, uint32_t operand);
Expr inverse(const Vjp&, uint32_t operand);
Expr linalg_solve(const Vjp&, uint32_t operand);
Expr svd(const Vjp&, uint32_t operand);
Expr eig(const Vjp&, uint32_t operand);

// vjp_nn.cpp: layers.
Expr linear(const Vjp&, uint32_t operand);
Expr embedding(const Vjp&, uint32_t operand);
Expr conv2d(const Vjp&, uint32_t operand);
Expr max_pool2d(const Vjp&, uint32_t operand);
Expr avg_pool2d(const Vjp&, uint32_t operand);
Expr layer_norm(const Vjp&, uint32_t operand);
Expr batch_norm(const Vjp&, uint32_t operand);           ///< by given statistics
Expr batch_norm_of_batch(const Vjp&, uint32_t operand);  ///< by the batch's own

// vjp_layers.cpp
Expr conv_transpose2d(const Vjp&, uint32_t operand);
Expr unfold(const Vjp&, uint32_t operand);
Expr fold(const Vjp&, uint32_t operand);
Expr embedding_backward(const Vjp&, uint32_t operand);  ///< of grad_output

// vjp_reduce.cpp: reductions over several dimensions, scans and order.
Expr std_dims(const Vjp&, uint32_t operand);
/// Shared evenly by all elements that equal the extreme, over several dimensions or along one.
Expr extreme(const Vjp&, uint32_t operand);
Expr norm_dims(const Vjp&, uint32_t operand);
Expr prod_dim(const Vjp&, uint32_t operand);
Expr logsumexp(const Vjp&, uint32_t operand);
Expr cumprod(const Vjp&, uint32_t operand);
Expr logcumsumexp(const Vjp&, uint32_t operand);
/// Goes to the elements that the row picks along dim. The row behind it gives their indices.
Expr selected(const Vjp&, uint32_t operand);
Expr quantile(const Vjp&, uint32_t operand);

// vjp_linalg.cpp: factors of matrices.
Expr cholesky(const Vjp&, uint32_t operand);
Expr qr(const Vjp&, uint32_t operand);  ///< of either factor
Expr eigh_values(const Vjp&, uint32_t operand);
Expr eigh_vectors(const Vjp&, uint32_t operand);
Expr svd_values(const Vjp&, uint32_t operand);
Expr svd_right(const Vjp&, uint32_t operand);
Expr slogdet(const Vjp&, uint32_t operand);
Expr pinv(const Vjp&, uint32_t operand);
Expr matrix_exp(const Vjp&, uint32_t operand);

}  // namespace vjp
}  // namespace rt
