// passes.h -- passes over a batch before a backend compiles it; each takes and gives a batch.
#pragma once
#include "graph/batch/batch.h"

namespace rt {

/// Merges steps without an effect that have equal op, operands, attributes and type of the result.
/// Scalars are opaque, so steps with different scalars stay apart.
Batch merge_common(const Batch& batch);

/// Replaces every step whose row has a decomposition by that, down to rows with a kernel. With
/// `wanted` only the steps for which that is true.
Batch decompose(const Batch& batch, bool (*wanted)(const Batch&, uint32_t step) = nullptr);

/// One step of a batch as a batch of its own. Its operands are the inputs, in order of first use.
/// It has the scalars' bits.
Batch extract(const Batch& batch, uint32_t step);

/// By step, the values that no later step reads and that are no roots; its own results and inputs
/// of the batch are included. In CSR form: `ends[i-1]..ends[i]` of `values` belong to step i.
struct LastUses {
  std::vector<uint32_t> values, ends;
  std::span<const uint32_t> after(uint32_t step) const {
    const uint32_t begin = step == 0 ? 0 : ends[step - 1];
    return {values.data() + begin, ends[step] - begin};
  }
};
LastUses last_uses(const Batch& batch);

}  // namespace rt
