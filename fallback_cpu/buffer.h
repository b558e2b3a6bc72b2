// buffer.h -- memory for tensors on the host.
#pragma once
#include "graph/memory/buffer.h"

namespace rt::cpu {

/// A contiguous buffer with unspecified contents, its first byte at a multiple of kAlignment.
/// `memory` counts its bytes and must outlive it. Throws Error when there is no memory for it.
BufferRef allocate(DType dtype, Sizes sizes, MemoryCount& memory);

}  // namespace rt::cpu
