// buffer.h -- memory for tensors on the host.
#pragma once
#include "graph/backend.h"

namespace rt::cpu {

/// Every tensor's first byte lies at a multiple of this.
inline constexpr int64_t kAlignment = 64;

/// A contiguous buffer with unspecified contents. Throws Error when there is no memory for it.
BufferRef allocate(DType dtype, Sizes sizes, MemoryCount& memory);

/// The bytes kept for the next allocation, over all sizes.
int64_t pooled_bytes();

}  // namespace rt::cpu
