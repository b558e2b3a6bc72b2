// operators.h -- operators of our own: what aten lacks, and what it does otherwise than we need.
#pragma once
#include <ATen/core/Tensor.h>

namespace rt::torchscript {

/// Makes them known to libtorch under their names here, as rt_torch::dropout and so on. One that is
/// called as a row is runs in the place of that row's aten operator.
void register_operators();

/// As aten::rand and aten::randn, of our own generators; see random.h.
at::Tensor rand(at::IntArrayRef size, std::optional<at::ScalarType> dtype,
                std::optional<at::Layout> layout, std::optional<at::Device> device,
                std::optional<bool> pin_memory);
at::Tensor randn(at::IntArrayRef size, std::optional<at::ScalarType> dtype,
                 std::optional<at::Layout> layout, std::optional<at::Device> device,
                 std::optional<bool> pin_memory);

/// Likewise. On the CPU it draws what aten::dropout draws where libtorch leaves that to its own
/// generator. On Intel's processors aten::dropout takes MKL's, and one seed would not give the
/// reference's numbers.
at::Tensor dropout(const at::Tensor& input, double p, bool train);

/// What dropout would multiply input by: dropout of ones that lie in memory as input does, so that
/// they are dropped in the same order.
at::Tensor dropout_mask(const at::Tensor& input, double p, bool train);

/// The gradient of det at self, of singular matrices too, where that of aten::linalg_det ends.
at::Tensor det_backward(const at::Tensor& grad_output, const at::Tensor& self);

/// The gradient of the real parts of the eigenvalues of self.
at::Tensor eig_backward(const at::Tensor& grad_output, const at::Tensor& self);

/// aten::embedding_dense_backward, which on the CPU passes over indices that are out of range: here
/// they are errors.
at::Tensor embedding_backward(const at::Tensor& grad_output, const at::Tensor& indices,
                              int64_t num_weights, int64_t padding_idx, bool scale_grad_by_freq);

/// Gives self, or throws with the first element that is neither in [low, high] nor `ignored`. Waits
/// for the device.
at::Tensor check_range(const at::Tensor& self, double low, double high, double ignored);

}  // namespace rt::torchscript
