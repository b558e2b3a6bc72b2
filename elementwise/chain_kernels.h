// chain_kernels.h -- short elementwise ops in a chain: a tile of elements goes from one op to the
// next in vector registers.
// A chain is an array of links, each of which ends with a jump to the next one. Besides its own
// operands a link gets the running value, eight vectors of elements that lie in registers, and
// hands its result on as the next running value. So memory is touched only where it must be.
#pragma once
#include "elementwise/block_kernels.h"

namespace rt::cpu {

/// A link's function, of a type that only its instruction set knows.
using ChainKernel = void (*)();

struct ChainLink {
  ChainKernel kernel;
  /// Of the operands in memory, those but the running value in their order; or what a load or a
  /// store moves.
  uint8_t registers[2];
  uint16_t scalar;  ///< number of a scalar, for ops that have one
};

/// Which operands of an op are the running value.
enum class Running : uint8_t { First, Second, Third, FirstAndSecond };

/// What a chain finds in memory, by numbers.
struct ChainMemory {
  const BlockOperand* registers;  ///< to read
  char* const* targets;           ///< to write, by the same numbers
  const int64_t* scalars;         ///< the bits of doubles
};

/// What chains of one dtype are made of.
struct ChainKernels {
  int64_t tile = 0;            ///< elements of a running value; 0 where the dtype has no chains
  ChainKernel load = nullptr;  ///< a place becomes the running value
  ChainKernel store = nullptr;
  ChainKernel end = nullptr;  ///< stores, and is the last link
  /// Runs the chain for n elements, at least a tile. What is left behind the last whole tile is
  /// computed by a tile that ends with it, and reaches back over elements that are computed twice.
  void (*run)(const ChainLink* chain, const ChainMemory& memory, int64_t n) = nullptr;
};
ChainKernels chain_kernels(DType dtype);

/// The link of an op that computes in a dtype and gives it. nullptr where there is none.
ChainKernel chain_kernel(Op op, DType dtype, Running running);

}  // namespace rt::cpu
