// fused.h -- groups of elementwise steps as programs of the block interpreter.
#pragma once
#include <optional>

#include "elementwise/interpreter.h"
#include "graph/batch/batch.h"

namespace rt::cpu {

/// A group of a fused batch, prepared to run.
class FusedGroup {
 public:
  /// Throws Error for a group that fuse() would not make.
  explicit FusedGroup(const Batch& group);

  struct Input {
    const char* data;
    Sizes strides;             ///< its own, in elements
    bool overwritten = false;  ///< a result is written over it
  };
  struct Result {
    DType dtype;
    Shape sizes;
  };
  /// The types of the results, in the order of the group's roots.
  const std::vector<Result>& results() const { return results_; }

  /// Computes the group. `inputs` are in the order of the group's inputs; `scalars` are the bits of
  /// the free scalars; `results` are the addresses of the results, each contiguous. Throws
  /// std::bad_alloc, but not with a `reserve` of as many bytes as reserve() returns.
  void run(std::span<const Input> inputs, std::span<const int64_t> scalars,
           std::span<char* const> results, const Team& team, char* reserve = nullptr) const;
  /// Bytes of a reserve with which run() cannot fail; empty where it may fail all the same.
  std::optional<size_t> reserve() const;
  /// For each result the index of an input whose memory it can take, or -1. free[i] is true where
  /// input i is contiguous and nothing else needs its memory.
  Small<int32_t, 8> reused_inputs(std::span<const bool> free) const;
  /// True where a result is large enough for reused_inputs() to be worth a call.
  bool large() const { return large_; }
  size_t bytes() const;

 private:
  struct Operand {
    uint32_t input;  ///< index among the group's inputs
    DType dtype;     ///< of the input in memory
    Shape sizes;
  };
  Shape sizes_;
  std::vector<Operand> operands_;  ///< by register
  std::vector<Result> results_;
  std::vector<uint32_t> order_;   ///< indices of results in the code's order: outputs, then folds
  std::vector<uint32_t> folded_;  ///< inputs that folds read, after the outputs are written
  size_t free_scalars_ = 0;
  std::vector<int64_t> constants_;
  bool large_ = false;
  BlockCode code_;
};

/// Writes to `out` the strides of a tensor that is broadcast to `to`, one for
/// each dimension of `to`.
void broadcast_strides(Sizes sizes, Sizes strides, Sizes to, int64_t* out);

/// True for a big operand that runs along another dimension than the result. Block by block it
/// would read a cache line for every element; a copy by tiles does not.
bool crosswise(Sizes sizes, Sizes strides);

}  // namespace rt::cpu
