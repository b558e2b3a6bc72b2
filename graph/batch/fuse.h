// fuse.h -- groups of elementwise steps that are computed in one go, block by block, so that what
// goes from one to the next stays in the processor's cache.
#pragma once
#include "graph/batch/batch.h"

namespace rt {

/// Why a step is in no group.
enum class Unfused : uint8_t {
  NotElementwise,  ///< and no sum or mean of what a group computes
  Random,
  OnCuda,
  CanFail,       ///< its error is to name it
  DTypeRefused,  ///< f16 and bf16 are converted only
  AnotherSize,   ///< than the elementwise steps beside it
  Alone,         ///< no elementwise step is beside it, or none that could be computed with it
};
std::string_view words_for(Unfused reason);

/// Which steps of a batch are computed together. The steps of a group have results of one size, but
/// for a sum or mean of all elements, which nothing in the group uses; and no way leads from one of
/// them through a step outside to another.
struct Groups {
  static constexpr uint32_t kNone = 0xffffffffu;
  uint32_t count = 0;
  std::vector<uint32_t> of_step;  ///< by step: its group, or kNone
  std::vector<Unfused> reasons;   ///< by step: why it has none
};

/// What a program of a group may need: registers for its inputs, each once for every dtype it is
/// wanted in, for its results, and for what lives in between.
inline constexpr uint32_t kMaxRegisters = 32;

/// Bytes from which on a result is worth a place where an operand was that nobody needs any more.
/// Less finds room in the caches anyway.
inline constexpr int64_t kLargeResult = 256 << 10;

/// True where a large one of these results could lie over an input of the batch among the operands.
bool fits_over_input(const Batch& batch, std::span<const uint32_t> results,
                     std::span<const uint32_t> operands);

/// Whether a group may hold the step.
bool fusible(const Batch& batch, const Batch::Step& step);

/// The groups of a batch that has none yet, of at least so many steps: 1 or 2.
Groups fusion_groups(const Batch& batch, size_t least = 2);

/// The batch in which each group is one step. Steps come in another order where groups ask for
/// that, and so do its roots stand; random steps keep theirs. Groups with large results that could
/// lie over inputs come last, with all that waits for them, unless some of that is in no group: a
/// batch that fails is run again from its inputs, and behind these nothing fails.
Batch fuse(const Batch& batch, size_t least = 2);

/// The dtype that an elementwise step takes an operand in: that it computes in, but for the
/// condition of a choice.
DType operand_dtype(const Batch& batch, const Batch::Step& step, uint32_t operand);

}  // namespace rt
