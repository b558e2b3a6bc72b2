// handles.cpp -- giving handles out and taking them back.
#include "graph/handles.h"

#include "graph/error.h"

namespace rt {
namespace {
constexpr int kSlotBits = 26, kKindBits = 3, kGenerationBits = 22;
constexpr uint32_t kSlots = 1u << kSlotBits, kGenerations = 1u << kGenerationBits;
static_assert(kSlotBits + kKindBits + kGenerationBits <= 53);

uint32_t slot_of(int64_t handle) { return static_cast<uint32_t>(handle & (kSlots - 1)); }
HandleKind kind_of(int64_t handle) {
  return static_cast<HandleKind>(handle >> kSlotBits & ((1 << kKindBits) - 1));
}
uint32_t generation_of(int64_t handle) {
  return static_cast<uint32_t>(handle >> (kSlotBits + kKindBits) & (kGenerations - 1));
}

const char* article_and_name(HandleKind kind) {
  switch (kind) {
    case HandleKind::Tensor: return "a tensor";
    case HandleKind::Optimizer: return "an optimizer";
    case HandleKind::Stream: return "a stream";
    case HandleKind::File: return "a file";
  }
  return "nothing known";
}
}  // namespace

int64_t Handles::number(uint32_t slot) const {
  const Entry& entry = entries_[slot];
  return (int64_t{entry.generation} << kKindBits | static_cast<int64_t>(entry.kind)) << kSlotBits |
         slot;
}

int64_t Handles::add(HandleKind kind, Value value) {
  uint32_t slot = free_;
  if (slot != 0) {
    free_ = entries_[slot].next_free;
  } else {
    if (entries_.size() >= kSlots)
      fail("there are ", live_, " live handles and no more can be given out; free some");
    slot = static_cast<uint32_t>(entries_.size());
    entries_.emplace_back();
  }
  Entry& entry = entries_[slot];
  entry.kind = kind;
  entry.live = true;
  entry.value = value;
  ++live_;
  return number(slot);
}

Handles::Entry* Handles::find(int64_t handle, HandleKind kind) {
  const uint32_t slot = slot_of(handle);
  if (handle <= 0 || slot == 0 || slot >= entries_.size()) return nullptr;
  Entry& entry = entries_[slot];
  return entry.live && entry.kind == kind && number(slot) == handle ? &entry : nullptr;
}

Handles::Entry& Handles::at(int64_t handle, HandleKind kind) {
  Entry* const entry = find(handle, kind);
  if (!entry) refuse(handle, kind);
  return *entry;
}

void Handles::remove(int64_t handle) {
  const uint32_t slot = slot_of(handle);
  Entry& entry = entries_[slot];
  entry.live = false;
  --live_;
  if (++entry.generation == kGenerations) return;
  entry.next_free = free_;
  free_ = slot;
}

void Handles::refuse(int64_t handle, HandleKind kind) const {
  if (handle == 0)
    fail("handle is 0 where ", article_and_name(kind),
         " is needed; the call that should have made it failed: check its result");
  const uint32_t slot = slot_of(handle);
  const bool known = handle > 0 && handle < int64_t{1} << 53 && slot != 0 && slot < entries_.size();
  if (known && generation_of(handle) < entries_[slot].generation)
    fail("handle #", handle, " was freed before; use it no more after freeing it");
  if (known && entries_[slot].live && generation_of(handle) == entries_[slot].generation &&
      kind_of(handle) == entries_[slot].kind)
    fail("handle #", handle, " is ", article_and_name(entries_[slot].kind), ", not ",
         article_and_name(kind), "; pass the right handle");
  fail("#", handle, " is not a handle of this library; pass one that a call returned");
}

}  // namespace rt
