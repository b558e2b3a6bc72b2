// host_memory.h -- blocks of host memory, recycled by size, so that loops cause no page faults.
#pragma once
#include <bit>
#include <cstdint>

namespace rt {

/// Every block begins at a multiple of this.
inline constexpr int64_t kAlignment = 64;

/// The sizes that blocks have: 256 bytes, and four between a power of two and the next from there
/// on, all multiples of kAlignment.
struct SizeClass {
  int id;
  int64_t bytes;
};
/// The smallest class that holds `bytes` bytes.
constexpr SizeClass size_class(int64_t bytes) {
  if (bytes <= 256) return {0, 256};
  const int power = std::bit_width(static_cast<uint64_t>(bytes - 1)) - 1;
  const int64_t quarter = (int64_t{1} << power) / 4;
  const int64_t quarters = (bytes + quarter - 1) / quarter;
  return {(power - 8) * 4 + static_cast<int>(quarters) - 4, quarters * quarter};
}
constexpr int64_t class_bytes(int number) {
  if (number == 0) return 256;
  return int64_t{5 + (number - 1) % 4} << (6 + (number - 1) / 4);
}

/// A block of at least `bytes` bytes, to be given back to give_block(); nullptr when there is no
/// memory. Each library with a copy of this code keeps free blocks of its own.
void* take_block(int64_t bytes) noexcept;
/// Takes back a block that take_block() returned for the same `bytes`.
void give_block(void* block, int64_t bytes) noexcept;

/// True where free blocks are kept. The address sanitizer must see the end of each block.
#if defined(__SANITIZE_ADDRESS__)
inline constexpr bool kPooled = false;
#elif defined(__has_feature)
inline constexpr bool kPooled = !__has_feature(address_sanitizer);
#else
inline constexpr bool kPooled = true;
#endif

/// Bytes of free blocks that this thread's next allocations may use, over all sizes.
int64_t pooled_bytes();

}  // namespace rt
