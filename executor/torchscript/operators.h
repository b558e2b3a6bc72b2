// operators.h -- our operators, for rows that aten lacks or computes in another way than we need.
#pragma once
#include <ATen/core/Tensor.h>

namespace rt::torchscript {

/// Registers them with libtorch as rt_torch::dropout and so on. An operator with the name of a row
/// of the op table replaces that row's aten operator.
void register_operators();

/// As aten::rand and aten::randn, but from our generators; see random.h.
at::Tensor rand(at::IntArrayRef size, std::optional<at::ScalarType> dtype,
                std::optional<at::Layout> layout, std::optional<at::Device> device,
                std::optional<bool> pin_memory);
at::Tensor randn(at::IntArrayRef size, std::optional<at::ScalarType> dtype,
                 std::optional<at::Layout> layout, std::optional<at::Device> device,
                 std::optional<bool> pin_memory);

/// As aten::dropout, but from our generators. On the CPU it draws the numbers that aten::dropout
/// draws without MKL. On Intel's processors aten::dropout draws from MKL, so that a seed would not
/// give the numbers of the reference backend.
at::Tensor dropout(const at::Tensor& input, double p, bool train);

/// The factors of dropout(input): dropout of ones with the strides of input, which determine the
/// order of the draws.
at::Tensor dropout_mask(const at::Tensor& input, double p, bool train);

/// The gradient of det at self. Unlike that of aten::linalg_det it allows singular matrices.
at::Tensor det_backward(const at::Tensor& grad_output, const at::Tensor& self);

/// The gradient of the real parts of the eigenvalues of self.
at::Tensor eig_backward(const at::Tensor& grad_output, const at::Tensor& self);

/// aten::embedding_dense_backward, but indices out of range are errors. On the CPU aten ignores
/// them.
at::Tensor embedding_backward(const at::Tensor& grad_output, const at::Tensor& indices,
                              int64_t num_weights, int64_t padding_idx, bool scale_grad_by_freq);

/// Returns self. Throws with the first element that is neither in [low, high] nor `ignored`; NaN:
/// no element is ignored. Waits for the device.
at::Tensor check_range(const at::Tensor& self, double low, double high, double ignored);

}  // namespace rt::torchscript
