// chain_kernels.h -- chains of short elementwise ops, which pass elements on in vector registers.
// A chain is an array of links. Each link ends with a jump to the next one. A link gets its other
// operands from memory, and the running value, eight vectors of elements, in registers. It passes
// its result on as the next running value, so that few results go through memory.
#pragma once
#include "elementwise/block_kernels.h"

namespace rt::cpu {

/// A link's function. Its real type depends on the instruction set.
using ChainKernel = void (*)();

struct ChainLink {
  ChainKernel kernel;
  /// Indices in ChainMemory: the operands but the running value, in order; or the register that a
  /// load or a store moves.
  uint8_t registers[2];
  uint16_t scalar;  ///< index of a scalar, for ops that have one
};

/// The operands of an op that are the running value.
enum class Running : uint8_t { First, Second, Third, FirstAndSecond };

/// The memory of a chain, by the indices that its links have.
struct ChainMemory {
  const BlockOperand* registers;  ///< to read
  char* const* targets;           ///< to write, by the same indices
  const int64_t* scalars;         ///< the bits of doubles
};

/// The links of one dtype that compute no op, and the function that runs its chains.
struct ChainKernels {
  int64_t tile = 0;            ///< elements of a running value; 0 where the dtype has no chains
  ChainKernel load = nullptr;  ///< makes a register the running value
  ChainKernel store = nullptr;
  ChainKernel end = nullptr;  ///< stores, and is the last link
  /// Runs the chain for n elements, at least a tile. The rest after the last whole tile is computed
  /// by a tile that ends with it, so that some elements are computed twice.
  void (*run)(const ChainLink* chain, const ChainMemory& memory, int64_t n) = nullptr;
};
ChainKernels chain_kernels(DType dtype);

/// The link of an op that computes in `dtype` and gives it. nullptr where there is none.
ChainKernel chain_kernel(Op op, DType dtype, Running running);

}  // namespace rt::cpu
