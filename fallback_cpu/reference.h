// reference.h -- the reference backend: plain C++, without libtorch.
#pragma once
#include <memory>

#include "fallback_cpu/reference.h"
#include "graph/batch/backend.h"

namespace rt {

/// A backend that computes on the host. `threads` <= 0 stands for all cores. `memory` counts the
/// bytes of its buffers and must outlive them.
std::unique_ptr<Backend> make_reference_backend(MemoryCount& memory, int threads,
                                                Optimizations use = {});

}  // namespace rt
