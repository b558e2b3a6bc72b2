// dropout.h -- dropout on the CPU with the same numbers on every processor.
#pragma once

namespace rt::torchscript {

/// dropout(Tensor input, float p, bool train) -> Tensor. On the CPU it draws what aten::dropout
/// draws where libtorch leaves that to its own generator. On Intel's processors aten::dropout takes
/// MKL's, and one seed would not give the reference's numbers.
inline constexpr const char* kDropout = "rt_torch::dropout";
/// Takes the same, and gives what that would multiply input by.
inline constexpr const char* kDropoutMask = "rt_torch::dropout_mask";

/// Makes both known to libtorch.
void register_dropout();

}  // namespace rt::torchscript
