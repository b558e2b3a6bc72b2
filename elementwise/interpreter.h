// interpreter.h -- runs small elementwise programs over blocks that fit the first-level cache.
#pragma once
#include "elementwise/block_kernels.h"
#include "elementwise/chain_kernels.h"
#include "elementwise/convert_kernels.h"
#include "elementwise/fold_kernels.h"
#include "elementwise/team.h"
#include "graph/batch/fuse.h"

namespace rt::cpu {

/// A computation for every element. A single op is a program of one instruction, so that it gives
/// equal bits alone and inside a longer program.
/// The first registers are the inputs. Each register has one dtype; an input that is stored in
/// another is converted when it is read. Every register is written once, and kept as long as it is
/// needed: at most kMaxRegisters at a time, inputs and outputs always.
/// An op computes in the dtype of its last operand.
struct BlockProgram {
  struct Instruction {
    Op op;
    uint16_t target;
    uint16_t sources[kMaxOperands];  ///< as many as the op has operands
    uint16_t scalar;                 ///< index of a scalar, for ops that have one
  };
  /// A sum or mean of all elements of a register, in the order in which a step of
  /// its own computes it.
  struct Fold {
    Op op;
    uint16_t source;
    DType dtype;  ///< of the result
  };
  Small<DType, 8> registers;
  Small<Instruction, 2> code;
  Small<uint16_t, 8> outputs;  ///< registers that are stored, each the target of an instruction
  Small<Fold, 2> folds;        ///< of instructions' targets or of inputs
};

/// A run keeps its lists on the stack up to so many dimensions.
inline constexpr uint32_t kFewDims = 6;

/// A program prepared to run: kernels are found, and its registers are mapped to few.
class BlockCode {
 public:
  BlockCode() = default;
  explicit BlockCode(const BlockProgram& program);

  /// Runs the program for all elements of `sizes`. The sources are broadcast to it: each has as
  /// many strides, 0 where one element stands for many. `outputs` are the addresses of the outputs,
  /// which are contiguous and of their register's dtype, and after them one element for each fold.
  /// An output may lie over a source that is `overwritten`, has all its elements in the output's
  /// order, and is not folded itself.
  /// `scalars` are the bits of doubles.
  /// Throws std::bad_alloc, but not with a `reserve` where `sizes` has at most kFewDims dimensions.
  /// It is a block of memory_of_run() bytes that is used where other memory runs out.
  void run(Sizes sizes, std::span<const ElementSource> sources, std::span<const int64_t> scalars,
           std::span<char* const> outputs, const Team& team, char* reserve = nullptr) const;
  /// Bytes that a run for `elements` elements needs at most.
  size_t memory_of_run(int64_t elements) const;
  size_t bytes() const;

 private:
  friend struct BlockRun;
  friend class BlockCoding;

  /// A step can be computed alone, block by block, or as a part of a chain.
  struct Step {
    BlockKernel kernel;  ///< nullptr: use `cast`
    ConvertKernel cast;
    uint16_t chain;  ///< index of the chain that begins with it, or kNoChain
    uint8_t operands, target;
    uint8_t sources[kMaxOperands];
    uint8_t item;   ///< bytes of the target's element
    int16_t store;  ///< index of the target's store, or -1
    uint16_t scalar;
  };
  /// A register of which all elements are kept: as an output, or until they are folded.
  struct Store {
    int16_t output;  ///< index of the output, or -1
    uint8_t item;
  };
  struct Fold {
    Op op;
    uint16_t store;  ///< the store of its source, or memory for it
    int input;       ///< index of its source where that is an input, else -1
    DType source, dtype;
    decltype(FoldKernels::run) kernel;
  };
  static constexpr uint16_t kNoChain = 0xffff;
  /// Consecutive steps, as links.
  struct Chain {
    uint32_t last_step, first_link;      ///< last_step is one past the end
    uint32_t first_target, last_target;  ///< range of targets_
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
  uint32_t kept_ = 0;           ///< results without a store that steps read from memory
  int64_t register_bytes_ = 8;  ///< bytes of the widest element
};

/// True where the interpreter computes `op` in `dtype`.
bool computes(Op op, DType dtype);

/// Prepares a program and runs it once. Defined in fallback_cpu/elementwise.cpp.
void run_blocks(const BlockProgram& program, Sizes sizes, std::span<const ElementSource> sources,
                std::span<const int64_t> scalars, std::span<char* const> outputs, const Team& team);

}  // namespace rt::cpu
