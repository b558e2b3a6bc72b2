// verify.h -- the spec of a well-formed batch, as code that checks it.
#pragma once
#include "graph/batch.h"

namespace rt {

/// Throws Error, naming the step or value, when the batch is not well formed; verify.cpp has the
/// rules. `canonical` adds those of the form that the key is taken of, which batches keep until a
/// pass has been over them.
void verify(const Batch& batch, bool canonical = false);

}  // namespace rt
