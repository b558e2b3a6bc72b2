// families.h -- which handles may see one memory, found from a value.
#pragma once
#include <cstdint>
#include <vector>

#include "graph/tape/handles.h"

namespace rt {

/// A value and the views of it are a family. Nearly all values have no views and one handle, so a
/// value keeps one number for all of it:
///     0               no relatives and no handle
///     below kShared   no relatives, and this slot's handle alone
///     else            the family of that number here, which its relatives share
class Families {
 public:
  static constexpr uint32_t kShared = 1u << 31;

  /// Ahead of add(), which does not fail then: for a handle more, or for several.
  void make_room(uint32_t& family, bool several) {
    if (several || family != 0) [[unlikely]]
      share(family);
  }
  /// A value's first handle, or one more.
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
  /// For a view of a value with this number, which may change by that.
  uint32_t join(uint32_t& family) {
    const uint32_t shared = share(family);
    ++families_[shared - kShared].values;
    return shared;
  }
  /// A value ends, whose handles are gone.
  void leave(uint32_t family) {
    if (family >= kShared) [[unlikely]]
      leave_shared(family);
  }
  /// The slot of its first handle, the others follow by Handles::Entry::next; 0: it has none.
  uint32_t first(uint32_t family) const {
    return family < kShared ? family : families_[family - kShared].first;
  }

 private:
  struct Family {
    uint32_t values;
    uint32_t first;  ///< slot of a handle, or of one not in use the next such
  };
  uint32_t share(uint32_t& family);
  void leave_shared(uint32_t family);

  std::vector<Family> families_{1};  ///< 0 ends the list of those not in use
  uint32_t free_ = 0;
};

}  // namespace rt
