// slots.h -- things that handles other than those of tensors stand for, by number.
#pragma once
#include <deque>
#include <optional>
#include <vector>

#include "graph/ops/op.h"

namespace rt {

template <class T>
class Slots {
 public:
  Value add(T thing) {
    if (free_.empty()) {
      if (free_.capacity() == things_.size()) free_.reserve(2 * things_.size() + 1);
      things_.emplace_back();
      free_.push_back(static_cast<uint32_t>(things_.size() - 1));
    }
    const uint32_t number = free_.back();
    things_[number].emplace(std::move(thing));
    free_.pop_back();
    return {number};
  }
  T& operator[](Value value) { return *things_[value.id]; }
  const T& operator[](Value value) const { return *things_[value.id]; }
  /// Calls f(thing) for every one.
  template <class F>
  void for_each(F f) {
    for (std::optional<T>& thing : things_)
      if (thing) f(*thing);
  }
  void remove(Value value) noexcept {
    things_[value.id].reset();
    free_.push_back(value.id);  // there is room for all numbers
  }

 private:
  std::deque<std::optional<T>> things_;  ///< they stay where they are
  std::vector<uint32_t> free_;
};

}  // namespace rt
