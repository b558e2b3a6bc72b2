// handles.h -- int64 handles: what kind of thing, which slot, which generation of that slot.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "graph/op.h"

namespace rt {

/// Everything a client can hold lives in one space of handles.
enum class HandleKind : uint8_t { Tensor, Optimizer, Stream, File };

/// A handle is positive and below 2^53, since compiled Simple keeps 61 bits:
/// slot in bits 0-25, kind in 26-28, generation in 29-50. Slot 0 is never given out. A slot whose
/// generations are used up is retired, so that a stale handle never hits what came after it.
class Handles {
 public:
  struct Entry {
    uint32_t generation = 0;
    HandleKind kind = HandleKind::Tensor;
    bool live = false;
    /// Tensor: the value it stands for now (a rebinding changes it). Other kinds: their own number.
    Value value{};
    uint32_t next_free = 0;
  };

  int64_t add(HandleKind kind, Value value);
  /// The entry of a live handle of that kind; throws with what is wrong about it and the remedy.
  Entry& at(int64_t handle, HandleKind kind);
  /// The same, nullptr where at() throws.
  Entry* find(int64_t handle, HandleKind kind);
  void remove(int64_t handle);
  int64_t live() const { return live_; }

  /// Calls f(handle, entry) for every live one, in the order of slots.
  template <class F>
  void for_each(F f) const {
    for (uint32_t slot = 1; slot < entries_.size(); ++slot)
      if (entries_[slot].live) f(number(slot), entries_[slot]);
  }

 private:
  int64_t number(uint32_t slot) const;
  [[noreturn]] void refuse(int64_t handle, HandleKind kind) const;

  std::vector<Entry> entries_{1};
  uint32_t free_ = 0;
  int64_t live_ = 0;
};

}  // namespace rt
