// fuse.h -- a batch in which each group of elementwise steps is one step.
#pragma once
#include "graph/batch/fusion_groups.h"

namespace rt {

/// Bytes from which on a result should take the memory of an operand that is no longer needed.
/// Smaller results fit the caches anyway.
inline constexpr int64_t kLargeResult = 256 << 10;

/// True where a large one of `results` could be written over an input of the batch in `operands`.
bool fits_over_input(const Batch& batch, std::span<const uint32_t> results,
                     std::span<const uint32_t> operands);

/// The batch in which each group is one step. Steps may come in another order, and then the ids of
/// roots do not ascend; random steps keep their order. Groups with large results that could lie
/// over inputs come last, with all that depends on them, unless some of that is in no group: a
/// batch that fails is run again from its inputs, and nothing after these groups can fail.
Batch fuse(const Batch& batch, size_t least = 2);

}  // namespace rt
