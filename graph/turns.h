// turns.h -- counts the changes of the thread that draws random numbers.
#pragma once
#include <cstdint>
#include <thread>

namespace rt {

/// Counts how often the calling thread is another than the last time.
class Turns {
 public:
  /// Takes a turn for the calling thread. Returns the count, which stays until
  /// another thread's turn.
  uint64_t take() {
    const std::thread::id self = std::this_thread::get_id();
    if (self != last_) ++count_;
    last_ = self;
    return count_;
  }

 private:
  std::thread::id last_;
  uint64_t count_ = 0;
};

}  // namespace rt
