// interpreter.h -- the one elementwise engine: a small program run over blocks that stay in the
// first-level cache.
#pragma once
#include "fallback_cpu/block_kernels.h"
#include "fallback_cpu/copy.h"
#include "graph/op.h"

namespace rt::cpu {

/// Elements of a block; a program's registers of one block fit the first-level cache.
inline constexpr int64_t kBlock = 256;
inline constexpr uint32_t kMaxRegisters = 32;

/// What to compute for every element. A single op is a program of one instruction, so that it gives
/// the same bits alone and inside a longer program.
/// Registers are numbered inputs first. Each has one dtype; an input that is stored as another is
/// converted on its way in. Every register is written once: no instruction reads its own target.
/// An op computes in the dtype of its last operand.
struct BlockProgram {
  struct Instruction {
    Op op;
    uint8_t target;
    uint8_t sources[kMostOperands];  ///< as many as the op has operands
    uint8_t scalar;                  ///< number of a scalar, for ops that have one
  };
  Small<DType, 8> registers;
  Small<Instruction, 2> code;
  Small<uint8_t, 8> outputs;  ///< registers that are stored, each the target of an instruction
};

/// Whether the engine computes `op` in `dtype`.
bool computes(Op op, DType dtype);

/// Runs the program for all elements of `sizes`. The sources are broadcast to it: as many strides,
/// 0 where a source has one element for many. Outputs are contiguous, of their register's dtype.
/// `scalars` are the bits of doubles.
void run_blocks(const BlockProgram& program, Sizes sizes, std::span<const Source> sources,
                std::span<const int64_t> scalars, std::span<char* const> outputs, int threads);

}  // namespace rt::cpu
