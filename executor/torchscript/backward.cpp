// backward.cpp -- operators for gradients that aten lacks or computes in another way.
#include <ATen/TensorOperators.h>
#include <ATen/ops/diag_embed.h>
#include <ATen/ops/embedding_dense_backward.h>
#include <ATen/ops/linalg_det.h>
#include <ATen/ops/linalg_eig.h>
#include <ATen/ops/linalg_solve.h>
#include <ATen/ops/linalg_svd.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/ones_like.h>
#include <ATen/ops/prod.h>
#include <ATen/ops/real.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros_like.h>

#include <limits>

#include "executor/torchscript/operators.h"

namespace rt::torchscript {

// The cofactors of A = U S V^T are det(U) det(V) U C V^T. C is diagonal, and each element is the
// product of the other singular values.
// They are small differences of large products, and computed in f64, as on the reference backend.
at::Tensor det_backward(const at::Tensor& grad_output, const at::Tensor& self) {
  if (self.numel() == 0) return at::zeros_like(self);
  const auto [u, values, v] = at::linalg_svd(self.to(at::kDouble), /*full_matrices=*/false);
  const at::Tensor diagonal = at::diag_embed(at::ones_like(values)).to(at::kBool);
  const at::Tensor others = at::where(diagonal, grad_output, values).prod(-1);
  const at::Tensor sign = at::linalg_det(u).mul_(at::linalg_det(v));
  return at::matmul(u * (others * sign), v).to(self.scalar_type());
}

// For A = V D V^-1 the gradient is V^-T G V^T, where G is diagonal with grad_output.
at::Tensor eig_backward(const at::Tensor& grad_output, const at::Tensor& self) {
  if (self.numel() == 0) return at::zeros_like(self);
  const at::Tensor turned = std::get<1>(at::linalg_eig(self)).mT();
  return at::real(at::linalg_solve(turned, grad_output.unsqueeze(-1) * turned));
}

at::Tensor embedding_backward(const at::Tensor& grad_output, const at::Tensor& indices,
                              int64_t num_weights, int64_t padding_idx, bool scale_grad_by_freq) {
  constexpr double kNothing = std::numeric_limits<double>::quiet_NaN();
  if (indices.is_cpu()) check_range(indices, 0, static_cast<double>(num_weights - 1), kNothing);
  return at::embedding_dense_backward(grad_output, indices, num_weights, padding_idx,
                                      scale_grad_by_freq);
}

}  // namespace rt::torchscript
