// reference.h -- the reference backend: plain C++, without libtorch.
#pragma once
#include <memory>

#include "fallback_cpu/reference.h"
#include "graph/batch/backend.h"

namespace rt {

/// `threads` <= 0: all cores. `memory` counts its buffers and outlives them.
std::unique_ptr<Backend> make_reference_backend(MemoryCount& memory, int threads,
                                                Optimizations use = {});

}  // namespace rt
