// block_kernels.h -- the elementwise ops over one block of memory.
#pragma once
#include "graph/ops/op.h"

namespace rt::cpu {

inline constexpr uint32_t kMaxOperands = 3;  ///< of an elementwise op

/// Elements that one lies in memory as often as, where it stands for all of a block: no kernel
/// reads more in one go.
inline constexpr int64_t kRepeats = 128;

/// One operand of a block: its elements, or the one that stands for all of them, kRepeats times or
/// as often as the block is long.
struct BlockOperand {
  const void* data;
  bool same;
};

/// Computes n elements of `out` from those of the op's operands, which it must not overlap. They
/// are not all `same`, since then the result is one element, too: n is 1 and all count as many.
/// `scalar` is the bits of a double.
using BlockKernel = void (*)(int64_t n, void* out, const BlockOperand* operands, int64_t scalar);

/// How many operands an elementwise op has.
uint32_t block_operands(Op op);

/// The kernel of an op that computes in a dtype: that of its last operand. nullptr when it does
/// not.
BlockKernel block_kernel(Op op, DType dtype);

}  // namespace rt::cpu
