// clock.h -- the clock of traces, dumps and time limits.
#pragma once
#include <chrono>
#include <cstdint>

namespace rt {

/// Nanoseconds of the steady clock.
inline int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

}  // namespace rt
