// host_memory.cpp -- the pool of free blocks.
#include "graph/memory/host_memory.h"

#include <atomic>
#include <cstdlib>
#include <new>
#include <utility>

#include "graph/memory/machine_memory.h"
#include "graph/thread_end.h"

namespace rt {
namespace {

constexpr int64_t kLargestPooled = int64_t{64} << 20, kMaxPooled = int64_t{128} << 20;

/// A free block holds the link to the next.
struct Block {
  Block* next;
};

/// Free blocks by size class. A list that another thread holds is skipped and not waited for,
/// because a forked child would wait forever for a thread that it lacks.
class Pool {
 public:
  void* take(SizeClass size) {
    if (!kPooled || size.bytes > kLargestPooled) return nullptr;
    List& list = lists_[size.id];
    if (list.held.test_and_set(std::memory_order_acquire)) return nullptr;
    Block* block = list.first;
    if (block) list.first = block->next;
    list.held.clear(std::memory_order_release);
    if (block) bytes_.fetch_sub(size.bytes, std::memory_order_relaxed);
    return block;
  }
  bool give(void* memory, SizeClass size) {
    if (!kPooled || size.bytes > kLargestPooled) return false;
    if (bytes_.load(std::memory_order_relaxed) + size.bytes > kMaxPooled) return false;
    List& list = lists_[size.id];
    if (list.held.test_and_set(std::memory_order_acquire)) return false;
    list.first = new (memory) Block{list.first};
    list.held.clear(std::memory_order_release);
    bytes_.fetch_add(size.bytes, std::memory_order_relaxed);
    return true;
  }
  int64_t bytes() const { return bytes_.load(std::memory_order_relaxed); }

 private:
  struct List {
    std::atomic_flag held;
    Block* first = nullptr;
  };
  List lists_[80];
  std::atomic<int64_t> bytes_{0};
};

/// Has no destructor, because buffers may be freed while the process ends.
constinit Pool pool;

/// Free small blocks of one thread. No other thread sees them, so they need no lock.
class Own {
 public:
  static constexpr int kClasses = 33;  ///< up to 64 kB
  constexpr explicit Own(int64_t most) : most_(most) {}
  void* take(SizeClass size) {
    if (size.id >= kClasses) return nullptr;
    Block* const block = first_[size.id];
    if (!block) return nullptr;
    first_[size.id] = block->next;
    bytes_ -= size.bytes;
    return block;
  }
  bool give(void* memory, SizeClass size) {
    if (size.id >= kClasses || bytes_ + size.bytes > most_) return false;
    first_[size.id] = new (memory) Block{first_[size.id]};
    bytes_ += size.bytes;
    return true;
  }
  int64_t bytes() const { return bytes_; }
  void free_all() {
    for (Block*& first : first_)
      while (first) std::free(std::exchange(first, first->next));
  }

 private:
  int64_t most_, bytes_ = 0;
  Block* first_[kClasses] = {};
};

/// A list that is always empty, for a thread that has no list of its own or ends.
Own& nothing() {
  static constinit Own none(0);
  return none;
}

// A single pointer, because libraries that are loaded late have little space for such variables.
[[gnu::tls_model("initial-exec")]] thread_local Own* own = nullptr;

void free_own(void*) {
  Own* const mine = std::exchange(own, &nothing());
  mine->free_all();
  delete mine;
}

Own& new_own() {
  constexpr int64_t kMaxOwn = int64_t{4} << 20;
  static const ThreadEnd end(free_own);
  if (!kPooled) return nothing();
  auto* const made = new (std::nothrow) Own(kMaxOwn);
  if (made && end.expect(made)) return *(own = made);
  delete made;
  return nothing();
}

Own& mine() { return own ? *own : new_own(); }

}  // namespace

void* take_block(int64_t bytes) noexcept {
  const SizeClass size = size_class(bytes);
  if (void* const block = mine().take(size)) return block;
  if (void* const block = pool.take(size)) return block;
  if (size.bytes > kLargestPooled && size.bytes > machine_memory()) return nullptr;
  return std::aligned_alloc(kAlignment, static_cast<size_t>(size.bytes));
}

void give_block(void* block, int64_t bytes) noexcept {
  const SizeClass size = size_class(bytes);
  if (!mine().give(block, size) && !pool.give(block, size)) std::free(block);
}

int64_t pooled_bytes() { return pool.bytes() + mine().bytes(); }

}  // namespace rt
