// host_memory.h -- blocks of host memory, recycled by size, so that a loop's tensors cost no page
// faults.
#pragma once
#include <cstdint>

namespace rt {

/// Every block begins at a multiple of this.
inline constexpr int64_t kAlignment = 64;

/// A block of at least `bytes`; nullptr when there is no memory. Each library that holds a copy of
/// this code keeps free blocks of its own.
void* take_block(int64_t bytes) noexcept;
/// Takes back a block that take_block gave for as many bytes.
void give_block(void* block, int64_t bytes) noexcept;

/// The bytes kept for this thread's next allocations, over all sizes.
int64_t pooled_bytes();

}  // namespace rt
