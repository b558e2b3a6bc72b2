// handles.h -- int64 handles: a kind, a slot, and a generation of that slot.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "graph/ops/op.h"

namespace rt {

/// All objects that a client can hold share one space of handles.
enum class HandleKind : uint8_t { Tensor, Optimizer, Stream, File };

/// A handle is positive and below 2^53, because compiled Simple keeps 61 bits: slot in bits 0-25,
/// kind in 26-28, generation in 29-50. Slot 0 is never given out. A slot whose generations are used
/// up is retired, so that a stale handle never names a later object.
class Handles {
 public:
  struct Entry {
    int64_t handle = 0;  ///< 0: this slot is free
    uint32_t generation = 0;
    /// Tensor: the value that it stands for now (a rebinding changes it). Other kinds: their index.
    Value value{};
    /// Neighbours among the handles of a family (families.h). `next` also links free slots.
    uint32_t next = 0, previous = 0;
  };

  /// Makes the next add() unable to fail. Throws Error when no more handles can be given out.
  void make_room() {
    if (free_ == 0) [[unlikely]]
      new_slot();
  }
  int64_t add(HandleKind kind, Value value) {
    make_room();
    const uint32_t slot = free_;
    Entry& entry = at(slot);
    free_ = entry.next;
    entry.handle =
        (int64_t{entry.generation} << kKindBits | static_cast<int64_t>(kind)) << kSlotBits | slot;
    entry.value = value;
    entry.next = entry.previous = 0;
    ++live_;
    return entry.handle;
  }
  /// The entry of a live handle of that kind. For any other, throws Error with cause and remedy.
  Entry& at(int64_t handle, HandleKind kind) {
    Entry* const entry = find(handle, kind);
    if (!entry) [[unlikely]]
      refuse(handle, kind);
    return *entry;
  }
  /// As at(), with nullptr where at() throws.
  Entry* find(int64_t handle, HandleKind kind) {
    const uint32_t slot = slot_of(handle);
    if (slot == 0 || slot >= slots_) return nullptr;
    Entry& entry = at(slot);
    return entry.handle == handle && kind_of(handle) == kind ? &entry : nullptr;
  }
  void remove(int64_t handle) {
    const uint32_t slot = slot_of(handle);
    Entry& entry = at(slot);
    entry.handle = 0;
    --live_;
    if (++entry.generation == kGenerations) return;
    entry.next = free_;
    free_ = slot;
  }
  int64_t live() const { return live_; }

  const Entry& entry(uint32_t slot) const { return chunks_[slot / kChunk][slot % kChunk]; }
  static uint32_t slot_of(int64_t handle) { return static_cast<uint32_t>(handle & (kSlots - 1)); }
  /// link() puts a slot in front of a list of slots, and unlink() takes it out.
  void link(uint32_t& first, uint32_t slot) {
    at(slot).next = first;
    at(slot).previous = 0;
    if (first != 0) at(first).previous = slot;
    first = slot;
  }
  void unlink(uint32_t& first, uint32_t slot) {
    Entry& entry = at(slot);
    (entry.previous == 0 ? first : at(entry.previous).next) = entry.next;
    if (entry.next != 0) at(entry.next).previous = entry.previous;
    entry.next = entry.previous = 0;
  }

  /// Calls f(entry, kind) for every live handle, in the order of slots.
  template <class F>
  void for_each(F f) const {
    for (uint32_t slot = 1; slot < slots_; ++slot)
      if (const Entry& one = entry(slot); one.handle != 0) f(one, kind_of(one.handle));
  }

 private:
  static constexpr int kSlotBits = 26, kKindBits = 3, kGenerationBits = 22;
  static constexpr uint32_t kSlots = 1u << kSlotBits, kGenerations = 1u << kGenerationBits;
  static constexpr uint32_t kChunk = 1024;
  static_assert(kSlotBits + kKindBits + kGenerationBits <= 53);

  static HandleKind kind_of(int64_t handle) {
    return static_cast<HandleKind>(handle >> kSlotBits & ((1 << kKindBits) - 1));
  }
  static uint32_t generation_of(int64_t handle) {
    return static_cast<uint32_t>(handle >> (kSlotBits + kKindBits) & (kGenerations - 1));
  }
  Entry& at(uint32_t slot) { return chunks_[slot / kChunk][slot % kChunk]; }
  void new_slot();
  [[noreturn]] void refuse(int64_t handle, HandleKind kind) const;

  std::vector<std::unique_ptr<Entry[]>> chunks_;  ///< chunks, so that growing copies no entries
  uint32_t slots_ = 1;
  uint32_t free_ = 0;
  int64_t live_ = 0;
};

}  // namespace rt
