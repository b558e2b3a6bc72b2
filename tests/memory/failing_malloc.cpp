// failing_malloc.cpp -- replaces malloc and its relatives: they fail on demand or call glibc's.
#include "tests/memory/failing_malloc.h"

#include <atomic>
#include <cerrno>
#include <cstddef>

extern "C" {
void* __libc_malloc(size_t size);
void* __libc_calloc(size_t count, size_t size);
void* __libc_realloc(void* block, size_t size);
void* __libc_memalign(size_t alignment, size_t size);
void* malloc(size_t size) noexcept;
void* calloc(size_t count, size_t size) noexcept;
void* realloc(void* block, size_t size) noexcept;
void* aligned_alloc(size_t alignment, size_t size) noexcept;
void* memalign(size_t alignment, size_t size) noexcept;
int posix_memalign(void** block, size_t alignment, size_t size) noexcept;
}

namespace rt_test {
namespace {

constexpr int64_t kNever = INT64_MAX / 2;
std::atomic<int64_t> passing_left{kNever};
std::atomic<bool> all_fail{false};
std::atomic<int64_t> failed{0};

bool fails() {
  if (passing_left.load(std::memory_order_relaxed) == kNever) return false;
  const int64_t left = passing_left.fetch_sub(1, std::memory_order_relaxed);
  if (left > 0 || (left < 0 && !all_fail)) return false;
  ++failed;
  errno = ENOMEM;
  return true;
}

}  // namespace

void fail_after(int64_t passing, Fail how) {
  failed = 0;
  all_fail = how == Fail::FromThereOn;
  passing_left = passing;
}

int64_t fail_no_more() {
  passing_left = kNever;
  return failed;
}

}  // namespace rt_test

using rt_test::fails;

void* malloc(size_t size) noexcept { return fails() ? nullptr : __libc_malloc(size); }
void* calloc(size_t count, size_t size) noexcept {
  return fails() ? nullptr : __libc_calloc(count, size);
}
void* realloc(void* block, size_t size) noexcept {
  return fails() ? nullptr : __libc_realloc(block, size);
}
void* memalign(size_t alignment, size_t size) noexcept {
  return fails() ? nullptr : __libc_memalign(alignment, size);
}
void* aligned_alloc(size_t alignment, size_t size) noexcept { return memalign(alignment, size); }
int posix_memalign(void** block, size_t alignment, size_t size) noexcept {
  void* const got = memalign(alignment, size);
  if (!got) return ENOMEM;
  *block = got;
  return 0;
}
