// block_kernels.h -- the elementwise ops over one block of memory.
#pragma once
#include "graph/ops/op.h"

namespace rt::cpu {

inline constexpr uint32_t kMaxOperands = 3;  ///< of an elementwise op

/// Copies in memory of an element that stands for a whole block. No kernel reads more elements at
/// once, so it may read the same copies again.
inline constexpr int64_t kRepeats = 128;

/// One operand of a block: its elements, or with `same` the one that stands for all of them, which
/// is repeated kRepeats times or once for each element of a shorter block.
struct BlockOperand {
  const void* data;
  bool same;
};

/// Computes n elements of `out`, which must not overlap the operands. Where all operands are `same`
/// the result is one element as well, and n is 1. `scalar` is the bits of a double.
using BlockKernel = void (*)(int64_t n, void* out, const BlockOperand* operands, int64_t scalar);

/// The number of operands of an elementwise op.
uint32_t block_operands(Op op);

/// The kernel of an op that computes in `dtype`, the dtype of its last operand. nullptr where the
/// op does not compute in it.
BlockKernel block_kernel(Op op, DType dtype);

}  // namespace rt::cpu
