// verify.h -- the spec of a well-formed batch, as code that checks it.
#pragma once
#include "graph/batch/batch.h"

namespace rt {

/// Throws Error, which names the step or value, when the batch is not well-formed. verify.cpp has
/// the rules. `canonical` adds those of the canonical form (see Batch), which batches have until
/// a pass changes them.
void verify(const Batch& batch, bool canonical = false);

/// Throws Error when a step of a well-formed batch could not have been recorded with the batch's
/// scalars, such as a slice beyond its operand. Recorded batches always pass. A batch that was read
/// from a file may fail, and must not run then.
void verify_scalars(const Batch& batch);

}  // namespace rt
