// interpreter.h -- the one elementwise engine: a small program run over blocks that stay in the
// first-level cache.
#pragma once
#include "elementwise/block_kernels.h"
#include "elementwise/chain_kernels.h"
#include "elementwise/convert_kernels.h"
#include "elementwise/fold_kernels.h"
#include "graph/batch/fuse.h"

namespace rt::cpu {

/// What to compute for every element. A single op is a program of one instruction, so that it gives
/// the same bits alone and inside a longer program.
/// Registers are numbered inputs first. Each has one dtype; an input that is stored as another is
/// converted on its way in. Every register is written once, and what it holds is kept as long as it
/// is needed: at most kMaxRegisters at a time, inputs and outputs always.
/// An op computes in the dtype of its last operand.
struct BlockProgram {
  struct Instruction {
    Op op;
    uint16_t target;
    uint16_t sources[kMaxOperands];  ///< as many as the op has operands
    uint16_t scalar;                 ///< number of a scalar, for ops that have one
  };
  /// A sum or mean of all elements of a register, in the order in which a step of its own takes it.
  struct Fold {
    Op op;
    uint16_t source;
    DType dtype;  ///< of the result
  };
  Small<DType, 8> registers;
  Small<Instruction, 2> code;
  Small<uint16_t, 8> outputs;  ///< registers that are stored, each the target of an instruction
  Small<Fold, 2> folds;        ///< of targets, likewise, or of inputs
};

/// Dimensions up to which a run keeps its lists on the stack.
inline constexpr uint32_t kFewDims = 6;

/// Who computes a program's pieces: calls body(context, piece) for each, in any order.
struct Team {
  int threads = 1;
  void (*each)(int64_t pieces, int threads, void (*body)(void*, int64_t), void* context) = nullptr;
};

/// A program made ready: its kernels found, its registers in few places.
class BlockCode {
 public:
  BlockCode() = default;
  explicit BlockCode(const BlockProgram& program);

  /// Runs the program for all elements of `sizes`. The sources are broadcast to it: as many
  /// strides, 0 where a source has one element for many. `outputs` are where the outputs go, which
  /// are contiguous and of their register's dtype, and behind them one element for each fold. An
  /// output may lie over a source that says so, has all its elements in its order, and is not
  /// folded itself.
  /// `scalars` are the bits of doubles.
  /// Throws std::bad_alloc. A run for sizes of at most kFewDims dimensions does not where it is
  /// given a reserve: a block of memory_of_run() bytes that it uses where there is no other memory.
  void run(Sizes sizes, std::span<const ElementSource> sources, std::span<const int64_t> scalars,
           std::span<char* const> outputs, const Team& team, char* reserve = nullptr) const;
  /// Bytes that a run for so many elements asks for at most.
  size_t memory_of_run(int64_t elements) const;
  size_t bytes() const;

 private:
  friend struct BlockRun;
  friend class BlockCoding;

  /// A step can be computed alone, block by block, or as a part of a chain.
  struct Step {
    BlockKernel kernel;  ///< nullptr: by `cast`
    ConvertKernel cast;
    uint16_t chain;  ///< number of the chain that begins with it, or kNoChain
    uint8_t operands, target;
    uint8_t sources[kMaxOperands];
    uint8_t item;   ///< bytes of the target's element
    int16_t store;  ///< number of the target's store, or -1
    uint16_t scalar;
  };
  /// A register that every element of is kept: as an output, or for as long as it is folded.
  struct Store {
    int16_t output;  ///< or -1
    uint8_t item;
  };
  struct Fold {
    Op op;
    uint16_t store;  ///< its source, or memory for that
    int input;       ///< its source where that is an input, else -1
    DType source, dtype;
    decltype(FoldKernels::run) kernel;
  };
  static constexpr uint16_t kNoChain = 0xffff;
  /// Steps that follow each other, as links.
  struct Chain {
    uint32_t last_step, first_link;      ///< the first step is past its last one
    uint32_t first_target, last_target;  ///< in targets_
    int64_t tile;                        ///< elements that it needs at least
    decltype(ChainKernels::run) run;
  };
  Small<Step, 2> steps_;
  Small<Chain, 1> chains_;
  Small<ChainLink, 4> links_;
  Small<uint32_t, 2> targets_;  ///< steps of chains whose results go to memory
  Small<Store, 2> stores_;
  Small<Fold, 2> folds_;
  Small<DType, 8> inputs_;
  uint32_t outputs_ = 0, registers_ = 0;
  uint32_t kept_ = 0;           ///< results that lie in memory for other steps, and are no store
  int64_t register_bytes_ = 8;  ///< of the widest element
};

/// Whether the engine computes `op` in `dtype`.
bool computes(Op op, DType dtype);

/// Prepares and runs a program once (elementwise.cpp).
void run_blocks(const BlockProgram& program, Sizes sizes, std::span<const ElementSource> sources,
                std::span<const int64_t> scalars, std::span<char* const> outputs, int threads);

}  // namespace rt::cpu
