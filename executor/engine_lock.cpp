// engine_lock.cpp -- the slow path of the lock, and the change of the fast path's owner.
#include "executor/engine_lock.h"

#include <sys/resource.h>
#include <time.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "graph/uncancelled.h"

#ifdef __linux__
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

#if defined(__SANITIZE_THREAD__)
#define RT_FAST_PATH 0
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define RT_FAST_PATH 0
#endif
#endif
#if !defined(RT_FAST_PATH) && defined(__linux__)
#define RT_FAST_PATH 1
#endif

namespace rt {
namespace {

/// Lockings in a row after which a thread gets the fast path. Taking the path away again costs as
/// much as about a hundred lockings.
constexpr uint32_t kOften = 256;

#if RT_FAST_PATH
bool membarrier(int command) { return syscall(SYS_membarrier, command, 0, 0) == 0; }
bool announce_barriers() { return membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED); }
/// Runs a memory barrier on every thread of the process. False where the kernel refuses.
bool barrier_everywhere() {
  if (membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED)) return true;
  // Some kernels forget the registration in a forked child.
  return announce_barriers() && membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED);
}
#else
bool announce_barriers() { return false; }
bool barrier_everywhere() { return false; }
#endif

int64_t ns_of(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return now.tv_sec * int64_t{1'000'000'000} + now.tv_nsec;
}

void note(EngineLock::Hold& longest, int64_t ns, uint16_t call) {
  if (ns > longest.ns) longest = {ns, call};
}

/// The wait where there is no barrier: longer than a store stays in a processor's buffer, and than
/// a thread between its two loads of owner_ runs without an interrupt.
constexpr std::chrono::milliseconds kSurelySeen{50};

}  // namespace

EngineLock::EngineLock() : barriers_(announce_barriers()) {}

void EngineLock::lock_slowly(const void* self) {
  const Uncancelled uncancelled;
  mutex_.lock();
  take_fast_path();
  in_a_row_ = last_ == self ? in_a_row_ + 1 : 0;
  last_ = self;
  if (watched_) began_ = now();
  else if (in_a_row_ >= kOften && barriers_) owner_.store(self, std::memory_order_release);
}

EngineLock::Moment EngineLock::now() {
  Moment now{ns_of(CLOCK_MONOTONIC), ns_of(CLOCK_THREAD_CPUTIME_ID)};
#ifdef RUSAGE_THREAD
  rusage used{};
  if (getrusage(RUSAGE_THREAD, &used) == 0) now.waits = used.ru_nvcsw;
#endif
  return now;
}

void EngineLock::note_hold() {
  const Moment end = now();
  note(longest_.computed, end.computed_ns - began_.computed_ns, mark());
  if (end.waits > began_.waits) note(longest_.waited, end.ns - began_.ns, mark());
}

void EngineLock::note_apart() {
  note(longest_.apart, now().computed_ns - began_.computed_ns, mark());
  began_ = now();
}

/// With mutex_ held: waits until no thread holds the lock by the fast path, and lets none take it.
void EngineLock::take_fast_path() {
  if (!owner_.load(std::memory_order_relaxed)) return;
  owner_.store(nullptr, std::memory_order_relaxed);
  if (!barrier_everywhere()) {
    barriers_ = false;
    std::this_thread::sleep_for(kSurelySeen);
  }
  // The owner holds the lock for microseconds: it records a call or takes a batch off.
  for (int tries = 0; inside_.load(std::memory_order_acquire); ++tries) {
    if (tries < 100) std::this_thread::yield();
    else std::this_thread::sleep_for(std::chrono::microseconds(50));
  }
}

void EngineLock::forget_this_thread() {
  if (owner_.load(std::memory_order_relaxed) != this_thread()) return;
  const std::lock_guard guard(mutex_);
  if (owner_.load(std::memory_order_relaxed) == this_thread())
    owner_.store(nullptr, std::memory_order_relaxed);
  last_ = nullptr;
}

}  // namespace rt
