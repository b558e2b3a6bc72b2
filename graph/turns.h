// turns.h -- who drew last.
#pragma once
#include <cstdint>
#include <thread>

namespace rt {

/// Counts how often another thread than the last takes its turn.
class Turns {
 public:
  /// The calling thread's turn; the count, which stays until another thread's.
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
