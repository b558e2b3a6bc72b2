// verify.h -- the spec of a well-formed batch, as code that checks it.
#pragma once
#include "graph/batch/batch.h"

namespace rt {

/// Throws Error, naming the step or value, when the batch is not well formed; verify.cpp has the
/// rules. `canonical` adds those of the form that the key is taken of, which batches keep until a
/// pass has been over them.
void verify(const Batch& batch, bool canonical = false);

/// Throws Error when a step of a well-formed batch would not have been recorded with the scalars
/// that the batch has, as a slice beyond its operand. What was recorded is never refused; what was
/// read may be, and must not run then.
void verify_scalars(const Batch& batch);

}  // namespace rt
