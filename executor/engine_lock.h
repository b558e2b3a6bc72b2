// engine_lock.h -- the engine's lock: nearly free for the one thread that takes it again and again.
#pragma once
#include <atomic>
#include <cstdint>
#include <mutex>
#include <new>

namespace rt {

/// A mutex that leans towards a thread. Programs record from one thread, at a cost per call that
/// two atomic read-modify-writes would be a good part of. So a thread that has taken the lock often
/// enough in a row owns its fast way: it says that it is inside, looks whether the fast way is
/// still its own, and that is all. Another thread that wants in first takes the fast way away, and
/// has the kernel run a memory barrier on all threads of the process (membarrier), after which
/// either the owner has seen that, or is seen to be inside and is waited for. It pays for both.
/// (Biased locking, with the asymmetric form of Dekker's algorithm.)
/// Where the kernel has no such barrier, and under the thread sanitizer, it is a mutex; from the
/// first time on that a kernel refuses it, as a sandbox makes it do that closes later.
/// A thread must not take it twice. For std::unique_lock and std::condition_variable_any.
class EngineLock {
 public:
  EngineLock();
  void lock() {
    const void* const self = this_thread();
    if (owner_.load(std::memory_order_relaxed) == self) [[likely]] {
      inside_.store(true, std::memory_order_relaxed);
      std::atomic_signal_fence(std::memory_order_seq_cst);  // on processors: the taker's barrier
      if (owner_.load(std::memory_order_acquire) == self) [[likely]] {
        held_fast_ = true;
        return;
      }
      inside_.store(false, std::memory_order_release);
    }
    lock_slowly(self);
  }
  void unlock() {
    if (held_fast_) [[likely]] {
      held_fast_ = false;
      inside_.store(false, std::memory_order_release);
    } else {
      if (watched_) [[unlikely]]
        note_hold();
      mutex_.unlock();
    }
  }
  /// From here on nobody gets the fast way, and the longest holds are noted. For tests; not while
  /// another thread holds the lock.
  void watch() { watched_ = true; }
  struct Hold {
    int64_t ns = 0;
    uint16_t call = 0;
  };
  struct Holds {
    Hold computed;  ///< of its thread's own time: waiting for a processor does not count
    Hold waited;    ///< by the clock, of those in which it waited for something
    Hold apart;     ///< of its thread's own time, up to a begin_anew()
  };
  const Holds& longest_holds() const { return longest_; }
  /// The calling thread's holds are this call's from here on.
  static void name_holds(uint16_t call) { mark() = call; }
  /// The holder's hold so far counts apart: what it did has to be done under the lock.
  void begin_anew() {
    if (watched_) [[unlikely]]
      note_apart();
  }
  /// The calling thread, which does not hold the lock, ends: its fast way ends, too.
  void forget_this_thread();
  /// In a forked child, with the lock held: other threads are gone, also one that held the mutex
  /// while it waited for the fast way to become free.
  void after_fork() {
    inside_.store(held_fast_, std::memory_order_relaxed);
    if (held_fast_) new (&mutex_) std::mutex;
  }

 private:
  static uint16_t& mark() {
    [[gnu::tls_model("initial-exec")]] static thread_local constinit uint16_t call = 0;
    return call;
  }
  static const void* this_thread() { return &mark(); }
  void lock_slowly(const void* self);
  void take_fast_way();
  void note_hold();
  void note_apart();

  std::mutex mutex_;
  bool barriers_;  ///< without them nobody gets the fast way; with mutex_ held
  std::atomic<const void*> owner_{nullptr};  ///< of the fast way; changed with mutex_ held
  std::atomic<bool> inside_{false};          ///< the owner holds the lock or is about to look
  bool held_fast_ = false;                   ///< these are the holder's
  const void* last_ = nullptr;
  uint32_t in_a_row_ = 0;
  bool watched_ = false;
  struct Moment {
    int64_t ns = 0, computed_ns = 0;
    int64_t waits = 0;  ///< of the thread: how often it has given its processor up by itself
  };
  static Moment now();
  Moment began_;
  Holds longest_;
};

}  // namespace rt
