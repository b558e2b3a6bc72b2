// passes.h -- what a batch goes through before a backend compiles it: each pass takes a batch and
// gives a batch.
#pragma once
#include "graph/batch/batch.h"

namespace rt {

/// Merges steps that compute the same from the same: equal op, operands, words and result, without
/// effect. Scalars are opaque, so steps with different scalars stay apart.
Batch merge_common(const Batch& batch);

/// Replaces every row that has a decomposition by it, down to rows with a kernel.
Batch decompose(const Batch& batch);

/// One step of a batch as a batch of its own: its operands are the inputs, in order of first use;
/// it takes the scalars' bits along.
Batch extract(const Batch& batch, uint32_t step);

/// For every step the values that nothing after it reads and that are not roots, its own result
/// included: CSR form, `ends[i-1]..ends[i]` of `values` belong to step i. Inputs are included.
struct LastUses {
  std::vector<uint32_t> values, ends;
  std::span<const uint32_t> after(uint32_t step) const {
    const uint32_t begin = step == 0 ? 0 : ends[step - 1];
    return {values.data() + begin, ends[step] - begin};
  }
};
LastUses last_uses(const Batch& batch);

}  // namespace rt
