// dropout.h -- dropout on the CPU with the same numbers on every processor.
#pragma once

namespace rt::torchscript {

/// Makes rt_torch::dropout(Tensor input, float p, bool train) -> Tensor known to libtorch. On the
/// CPU it draws what aten::dropout draws where libtorch leaves that to its own generator. On
/// Intel's processors aten::dropout takes MKL's, and one seed would not give the reference's
/// numbers.
inline constexpr const char* kDropout = "rt_torch::dropout";
void register_dropout();

}  // namespace rt::torchscript
