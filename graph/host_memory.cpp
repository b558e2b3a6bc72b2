// host_memory.cpp -- the pool of free blocks.
#include "graph/host_memory.h"

#include <atomic>
#include <bit>
#include <cstdlib>
#include <mutex>
#include <new>

#if defined(__SANITIZE_ADDRESS__)
#define RT_POOLED 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define RT_POOLED 0
#endif
#endif
#ifndef RT_POOLED
#define RT_POOLED 1
#endif

namespace rt {
namespace {

constexpr int64_t kLargestPooled = int64_t{32} << 20, kMostPooled = int64_t{128} << 20;

/// Size classes: four between a power of two and the next, from 256 bytes on,
/// all multiples of kAlignment.
struct SizeClass {
  int number;
  int64_t bytes;
};
SizeClass size_class(int64_t bytes) {
  if (bytes <= 256) return {0, 256};
  const int power = std::bit_width(static_cast<uint64_t>(bytes - 1)) - 1;
  const int64_t quarter = (int64_t{1} << power) / 4;
  const int64_t quarters = (bytes + quarter - 1) / quarter;
  return {(power - 8) * 4 + static_cast<int>(quarters) - 4, quarters * quarter};
}

/// Free blocks by size class. A list that another thread holds is passed by rather than waited for,
/// which also keeps a forked child from waiting for a thread it does not have.
class Pool {
 public:
  void* take(SizeClass size) {
    if (!RT_POOLED || size.bytes > kLargestPooled) return nullptr;
    List& list = lists_[size.number];
    if (!list.mutex.try_lock()) return nullptr;
    Block* block = list.first;
    if (block) list.first = block->next;
    list.mutex.unlock();
    if (block) bytes_.fetch_sub(size.bytes, std::memory_order_relaxed);
    return block;
  }
  bool give(void* memory, SizeClass size) {
    if (!RT_POOLED || size.bytes > kLargestPooled) return false;
    if (bytes_.load(std::memory_order_relaxed) + size.bytes > kMostPooled) return false;
    List& list = lists_[size.number];
    if (!list.mutex.try_lock()) return false;
    list.first = new (memory) Block{list.first};
    list.mutex.unlock();
    bytes_.fetch_add(size.bytes, std::memory_order_relaxed);
    return true;
  }
  int64_t bytes() const { return bytes_.load(std::memory_order_relaxed); }

 private:
  struct Block {
    Block* next;
  };
  struct List {
    std::mutex mutex;
    Block* first = nullptr;
  };
  List lists_[80];
  std::atomic<int64_t> bytes_{0};
};

/// Never destroyed: buffers may be given back while the process ends.
Pool& pool() {
  static Pool* const pool = new Pool;
  return *pool;
}

}  // namespace

void* take_block(int64_t bytes) noexcept {
  const SizeClass size = size_class(bytes);
  if (void* const block = pool().take(size)) return block;
  return std::aligned_alloc(kAlignment, static_cast<size_t>(size.bytes));
}

void give_block(void* block, int64_t bytes) noexcept {
  if (!pool().give(block, size_class(bytes))) std::free(block);
}

int64_t pooled_bytes() { return pool().bytes(); }

}  // namespace rt
