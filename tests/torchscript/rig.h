// rig.h -- the libtorch backend without an engine.
#pragma once
#include <memory>

#include "executor/libtorch/libtorch.h"

namespace rt::test {

/// Fusion is off by default, so that libtorch's own kernels run.
inline std::unique_ptr<Backend> libtorch(Optimizations use = {.fuse = false}, int threads = 1) {
  static MemoryCount memory;
  return make_libtorch_backend(memory, threads, "", use);
}

}  // namespace rt::test
