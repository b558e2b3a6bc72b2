// families.cpp -- families of several values or handles.
#include "graph/tape/families.h"

namespace rt {

uint32_t Families::share(uint32_t& family) {
  if (family >= kShared) return family;
  uint32_t number = free_;
  if (number == 0) {
    number = static_cast<uint32_t>(families_.size());
    families_.emplace_back();
  } else {
    free_ = families_[number].first;
  }
  families_[number] = {1, family};
  return family = kShared + number;
}

void Families::leave_shared(uint32_t family) {
  Family& left = families_[family - kShared];
  if (--left.values != 0) return;
  left.first = free_;
  free_ = family - kShared;
}

}  // namespace rt
