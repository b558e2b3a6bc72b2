// streams.cpp -- the calls about streams. A device runs its work in the order of the batches, so a
// stream stands for its device.
#include <algorithm>

#include "executor/engine.h"

namespace rt {

int64_t Engine::add_stream(CallContext& context, Device device) {
  count(Counter::calls);
  flush(context);
  handles_.make_room();
  return handles_.add(HandleKind::Stream, streams_.add({device}));
}

Device Engine::stream(CallContext&, int64_t handle) {
  return streams_[handles_.at(handle, HandleKind::Stream).value].device;
}

void Engine::sync_stream(CallContext& context, int64_t handle) {
  count(Counter::calls);
  const Device device = stream(context, handle);
  flush(context);
  wait_until_completed(tickets_);
  if (!backend_) return;
  const Unlocked unlocked(*this);
  backend_->synchronize(device);
}

/// Asked again and again, it is about what had been submitted when it was first asked, and what the
/// asking thread has submitted since: other threads at work do not keep it from ever being true.
bool Engine::stream_is_idle(CallContext& context, int64_t handle) {
  count(Counter::calls);
  stream(context, handle);
  flush(context);
  Stream& asked = streams_[handles_.at(handle, HandleKind::Stream).value];
  if (asked.awaited == 0) asked.awaited = tickets_;
  asked.awaited = std::max(asked.awaited, context.thread.ticket);
  if (!has_completed(asked.awaited)) return false;
  asked.awaited = 0;
  if (!backend_) return true;
  const Device device = asked.device;
  const Unlocked unlocked(*this);
  return backend_->idle(device);
}

void Engine::free_stream(CallContext& context, int64_t handle) {
  count(Counter::calls);
  streams_.remove(handles_.at(handle, HandleKind::Stream).value);
  handles_.remove(handle);
  flush(context);
}

}  // namespace rt
