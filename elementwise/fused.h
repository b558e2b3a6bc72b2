// fused.h -- groups of elementwise steps as programs of the block interpreter.
#pragma once
#include <optional>

#include "elementwise/interpreter.h"
#include "graph/batch/batch.h"

namespace rt::cpu {

/// A group of a fused batch, made ready to run.
class FusedGroup {
 public:
  /// Throws Error where the group is none that fuse() makes.
  explicit FusedGroup(const Batch& group);

  struct Input {
    const char* data;
    Sizes strides;             ///< its own, in elements
    bool overwritten = false;  ///< a result lies in its place
  };
  struct Result {
    DType dtype;
    Shape sizes;
  };
  /// What it computes, in the order of the group's roots.
  const std::vector<Result>& results() const { return results_; }

  /// Inputs in the order of their numbers, the bits of the free scalars, and where the results go,
  /// each contiguous. Throws std::bad_alloc, but not with a reserve of as many bytes as that asks
  /// for.
  void run(std::span<const Input> inputs, std::span<const int64_t> scalars,
           std::span<char* const> results, const Team& team, char* reserve = nullptr) const;
  /// Bytes for a run that must not fail; none where it may fail all the same.
  std::optional<size_t> reserve() const;
  /// For each result the number of an input whose memory it can have, or -1. `free` says of each
  /// input whether it is contiguous and nobody else needs its memory.
  Small<int32_t, 8> reused_inputs(std::span<const bool> free) const;
  /// Whether that is worth asking.
  bool large() const { return large_; }
  size_t bytes() const;

 private:
  struct Operand {
    uint32_t input;  ///< its number among the group's
    DType dtype;     ///< that it is stored as
    Shape sizes;
  };
  Shape sizes_;
  std::vector<Operand> operands_;  ///< by register
  std::vector<Result> results_;
  std::vector<uint32_t> order_;   ///< results as the code has them: outputs, then folds
  std::vector<uint32_t> folded_;  ///< inputs that are read once more when all else is done
  size_t free_scalars_ = 0;
  std::vector<int64_t> constants_;
  bool large_ = false;
  BlockCode code_;
};

/// Writes the strides of a tensor broadcast to `to`.
void broadcast_strides(Sizes sizes, Sizes strides, Sizes to, int64_t* out);

/// Whether a big operand runs along another dimension than the result does. Block by block it would
/// read a line of memory for every element; a copy by tiles does not.
bool crosswise(Sizes sizes, Sizes strides);

}  // namespace rt::cpu
