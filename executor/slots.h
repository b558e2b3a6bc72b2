// slots.h -- things that handles other than those of tensors stand for, by number.
#pragma once
#include <deque>
#include <optional>
#include <vector>

#include "graph/op.h"

namespace rt {

template <class T>
class Slots {
 public:
  Value add(T thing) {
    uint32_t number = static_cast<uint32_t>(things_.size());
    if (free_.empty()) {
      things_.emplace_back();
    } else {
      number = free_.back();
      free_.pop_back();
    }
    things_[number].emplace(std::move(thing));
    return {number};
  }
  T& operator[](Value value) { return *things_[value.number]; }
  const T& operator[](Value value) const { return *things_[value.number]; }
  void remove(Value value) {
    things_[value.number].reset();
    free_.push_back(value.number);
  }

 private:
  std::deque<std::optional<T>> things_;  ///< they stay where they are
  std::vector<uint32_t> free_;
};

}  // namespace rt
