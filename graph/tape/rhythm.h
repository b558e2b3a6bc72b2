// rhythm.h -- how a loop is found in what it records.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace rt {

/// Watches a tape call by call and finds after how many nodes all that it records comes again.
class Rhythm {
 public:
  /// What was recorded last (Tape::trail), and how much so far. Returns the nodes of a round when
  /// all that has been watched is rounds of one length, two at least; else 0.
  uint64_t add(uint64_t trail, uint64_t recorded) {
    if (calls_.size() == most_) {  // what came before the loop is in the way
      calls_.clear();
      most_ *= 2;
    }
    // As Knuth, Morris and Pratt have it: the longest end of the calls that is a beginning of them.
    size_t same = calls_.empty() ? 0 : calls_.back().same;
    while (same > 0 && calls_[same].trail != trail) same = calls_[same - 1].same;
    if (!calls_.empty() && calls_[same].trail == trail) ++same;
    calls_.push_back({trail, recorded, same});
    const size_t round = calls_.size() - same;
    if (calls_.size() < 2 * round) return 0;
    return recorded - calls_[calls_.size() - 1 - round].recorded;
  }
  void clear() {
    if (calls_.capacity() != 0) calls_ = {};
    most_ = kFirst;
  }

 private:
  static constexpr size_t kFirst = 4096;
  struct Recorded {
    uint64_t trail, recorded;
    size_t same;  ///< length of the longest proper end up to here that is a beginning
  };
  std::vector<Recorded> calls_;
  size_t most_ = kFirst;
};

}  // namespace rt
