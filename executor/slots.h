// slots.h -- storage for the objects of handles that are no tensors, by index.
#pragma once
#include <deque>
#include <optional>
#include <vector>

#include "graph/ops/op.h"

namespace rt {

/// References to objects stay valid until remove().
template <class T>
class Slots {
 public:
  Value add(T thing) {
    if (free_.empty()) {
      if (free_.capacity() == things_.size()) free_.reserve(2 * things_.size() + 1);
      things_.emplace_back();
      free_.push_back(static_cast<uint32_t>(things_.size() - 1));
    }
    const uint32_t index = free_.back();
    things_[index].emplace(std::move(thing));
    free_.pop_back();
    return {index};
  }
  T& operator[](Value value) { return *things_[value.id]; }
  const T& operator[](Value value) const { return *things_[value.id]; }
  /// Calls f(thing) for every object.
  template <class F>
  void for_each(F f) {
    for (std::optional<T>& thing : things_)
      if (thing) f(*thing);
  }
  void remove(Value value) noexcept {
    things_[value.id].reset();
    free_.push_back(value.id);  // add() has reserved room for every index
  }

 private:
  std::deque<std::optional<T>> things_;  ///< a deque never moves its elements
  std::vector<uint32_t> free_;
};

}  // namespace rt
