// rhythm.h -- finds the loop of a client in the calls that it records.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace rt {

/// Watches a tape call by call, and finds the number of nodes after which its calls repeat.
class Rhythm {
 public:
  /// Adds a call: the hash of the latest ops (Tape::trail), and the nodes recorded so far.
  /// Returns the nodes of a round when all calls that were added are rounds of one length,
  /// at least two; else 0.
  uint64_t add(uint64_t trail, uint64_t recorded) {
    if (calls_.size() == most_) {  // calls from before the loop would hide it
      calls_.clear();
      most_ *= 2;
    }
    // Knuth, Morris and Pratt's table: the longest proper suffix of the calls that is a prefix.
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
    size_t same;  ///< length of the longest proper suffix up to here that is a prefix
  };
  std::vector<Recorded> calls_;
  size_t most_ = kFirst;
};

}  // namespace rt
