// families.h -- the handles that may see the same memory, found from a value.
#pragma once
#include <cstdint>
#include <vector>

#include "graph/tape/handles.h"

namespace rt {

/// A value and its views are a family. Nearly all values have no views and one handle, so a value
/// has one number for its family:
///     0               no relatives and no handle
///     below kShared   no relatives, and this slot's handle alone
///     else            the family of that number here, which its relatives share
class Families {
 public:
  static constexpr uint32_t kShared = 1u << 31;

  /// Makes the next add() of one handle, or of several, unable to fail.
  void make_room(uint32_t& family, bool several) {
    if (several || family != 0) [[unlikely]]
      share(family);
  }
  /// Adds a value's first handle or a further one.
  void add(uint32_t& family, Handles& handles, uint32_t slot) {
    if (family == 0) [[likely]] {
      family = slot;
      return;
    }
    const uint32_t shared = share(family);
    handles.link(families_[shared - kShared].first, slot);
  }
  void remove(uint32_t& family, Handles& handles, uint32_t slot) {
    if (family == slot) [[likely]]
      family = 0;
    else handles.unlink(families_[family - kShared].first, slot);
  }
  /// The family number of a new view of a value. The value's own number may change.
  uint32_t join(uint32_t& family) {
    const uint32_t shared = share(family);
    ++families_[shared - kShared].values;
    return shared;
  }
  /// Must be called when a value ends, after its handles are removed.
  void leave(uint32_t family) {
    if (family >= kShared) [[unlikely]]
      leave_shared(family);
  }
  /// The slot of the family's first handle; the others follow by Entry::next. 0: no handle.
  uint32_t first(uint32_t family) const {
    return family < kShared ? family : families_[family - kShared].first;
  }

 private:
  struct Family {
    uint32_t values;
    uint32_t first;  ///< slot of the first handle; of a free family: the next free one
  };
  uint32_t share(uint32_t& family);
  void leave_shared(uint32_t family);

  std::vector<Family> families_{1};  ///< 0 ends the list of free ones
  uint32_t free_ = 0;
};

}  // namespace rt
