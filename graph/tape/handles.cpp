// handles.cpp -- new slots, and the errors of wrong handles.
#include "graph/tape/handles.h"

#include "graph/error.h"
#include "graph/failure.h"

namespace rt {
namespace {
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

void Handles::new_slot() {
  if (slots_ >= kSlots)
    fail("there are ", live_, " live handles and no more can be given out; free some");
  if (slots_ / kChunk == chunks_.size()) chunks_.push_back(std::make_unique<Entry[]>(kChunk));
  free_ = slots_++;
}

void Handles::refuse(int64_t handle, HandleKind kind) const {
  if (handle == 0)
    throw LaterError(join("handle is 0 where ", article_and_name(kind),
                          " is needed; the call that should have made it failed: check its result"),
                     false, Failure::ZeroHandle);
  const uint32_t slot = slot_of(handle);
  const bool known = handle > 0 && handle < int64_t{1} << 53 && slot != 0 && slot < slots_;
  if (known && generation_of(handle) < entry(slot).generation)
    fail("handle #", handle, " was freed before; use it no more after freeing it");
  if (known && entry(slot).handle == handle)
    fail("handle #", handle, " is ", article_and_name(kind_of(handle)), ", not ",
         article_and_name(kind), "; pass the right handle");
  fail("#", handle, " is not a handle of this library; pass one that a call returned");
}

}  // namespace rt
