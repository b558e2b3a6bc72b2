// rig.h -- the libtorch backend by itself.
#pragma once
#include <memory>

#include "executor/libtorch/libtorch.h"

namespace rt::test {

/// By default without fusion: libtorch's own kernels run.
inline std::unique_ptr<Backend> libtorch(Optimizations use = {.fuse = false}, int threads = 1) {
  static MemoryCount memory;
  return make_libtorch_backend(memory, threads, "", use);
}

}  // namespace rt::test
