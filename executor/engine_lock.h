// engine_lock.h -- the engine's lock, which costs little for a thread that takes it repeatedly.
#pragma once
#include <atomic>
#include <cstdint>
#include <mutex>
#include <new>

namespace rt {

/// A mutex with biased locking, by the asymmetric form of Dekker's algorithm. Programs record from
/// one thread, and the two atomic read-modify-writes of a mutex would be a large part of a call's
/// cost. A thread that takes the lock often enough in a row becomes the owner of the fast path. The
/// owner stores that it is inside, and checks that it still is the owner. Another thread first
/// takes the fast path away and lets the kernel run a memory barrier on all threads of the process
/// (membarrier). After it the owner has seen the change, or is seen inside and is waited for, so
/// that the other thread pays for both.
/// It is a plain mutex under the thread sanitizer, without membarrier, and from the first time on
/// that the kernel refuses membarrier, as in a sandbox that was closed later.
/// Not recursive. For std::unique_lock and std::condition_variable_any.
class EngineLock {
 public:
  EngineLock();
  void lock() {
    const void* const self = this_thread();
    if (owner_.load(std::memory_order_relaxed) == self) [[likely]] {
      inside_.store(true, std::memory_order_relaxed);
      std::atomic_signal_fence(std::memory_order_seq_cst);  // membarrier orders the processors
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
  /// Turns the fast path off and starts to measure holds. For tests. No other thread may hold the
  /// lock.
  void watch() { watched_ = true; }
  struct Hold {
    int64_t ns = 0;
    uint16_t call = 0;
  };
  struct Holds {
    Hold computed;  ///< processor time of the thread
    Hold waited;    ///< time on the clock, of holds in which the thread waited for something
    Hold apart;     ///< processor time of a part that ended with begin_anew()
  };
  const Holds& longest_holds() const { return longest_; }
  /// Attributes later holds of the calling thread to this call.
  static void name_holds(uint16_t call) { mark() = call; }
  /// Counts the hold until now apart, because its work has to be done under the lock, and begins a
  /// new one. The caller holds the lock.
  void begin_anew() {
    if (watched_) [[unlikely]]
      note_apart();
  }
  /// Takes the fast path from the calling thread, which ends. It must not hold the lock.
  void forget_this_thread();
  /// In a forked child, with the lock held. Another thread, which is gone here, may have held the
  /// mutex while it waited for the owner of the fast path.
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
  void take_fast_path();
  void note_hold();
  void note_apart();

  std::mutex mutex_;
  bool barriers_;                            ///< membarrier works; guarded by mutex_
  std::atomic<const void*> owner_{nullptr};  ///< of the fast path; changed with mutex_ held
  std::atomic<bool> inside_{false};          ///< the owner holds the lock or checks owner_
  bool held_fast_ = false;                   ///< guarded by the lock, as all below
  const void* last_ = nullptr;               ///< the thread that took mutex_ last
  uint32_t in_a_row_ = 0;
  bool watched_ = false;
  struct Moment {
    int64_t ns = 0, computed_ns = 0;
    int64_t waits = 0;  ///< voluntary context switches of the thread
  };
  static Moment now();
  Moment began_;
  Holds longest_;
};

}  // namespace rt
