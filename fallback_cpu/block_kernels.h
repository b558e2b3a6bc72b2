// block_kernels.h -- the elementwise ops over one block of memory.
#pragma once
#include "graph/op.h"

namespace rt::cpu {

/// Computes n elements of `out` from those of `a` and `b`, which it must not overlap; unary ops
/// leave `b` alone. `scalar` is the bits of a double.
using BlockKernel = void (*)(int64_t n, void* out, const void* a, const void* b, int64_t scalar);

/// An operand whose elements are all the same is held as one element. Which of the two are so
/// numbers the variant; both is no case, since then the result is one element, too.
enum Uniform { kNeither, kFirst, kSecond };

/// The kernels of an op in a dtype by Uniform; nullptr when it is not computed in it. Unary ops
/// have the first only, the others being nullptr.
const BlockKernel* block_kernels(Op op, DType dtype);

}  // namespace rt::cpu
