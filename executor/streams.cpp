// streams.cpp -- the calls about streams. A device runs its work in the order of the batches, so a
// stream stands for its device.
#include "executor/streams.h"

#include <algorithm>

#include "executor/engine.h"

namespace rt {

int64_t Streams::add(CallContext& context, Device device) {
  engine_.count(Counter::calls);
  engine_.scheduler.flush(context);
  engine_.handles.make_room();
  return engine_.handles.add(HandleKind::Stream, streams_.add({device}));
}

Device Streams::device(CallContext&, int64_t handle) {
  return streams_[engine_.handles.at(handle, HandleKind::Stream).value].device;
}

void Streams::sync(CallContext& context, int64_t handle) {
  engine_.count(Counter::calls);
  const Device waited = device(context, handle);
  engine_.scheduler.flush(context);
  engine_.scheduler.wait_until_completed(engine_.scheduler.newest_ticket());
  if (!engine_.backends.loaded()) return;
  const Unlocked unlocked(engine_);
  engine_.backends.loaded()->synchronize(waited);
}

/// Repeated queries regard the batches submitted before the first of them, and later ones of the
/// asking thread. Otherwise other threads that keep submitting could keep it false for ever.
bool Streams::is_idle(CallContext& context, int64_t handle) {
  engine_.count(Counter::calls);
  device(context, handle);
  engine_.scheduler.flush(context);
  Stream& asked = streams_[engine_.handles.at(handle, HandleKind::Stream).value];
  if (asked.awaited == 0) asked.awaited = engine_.scheduler.newest_ticket();
  asked.awaited = std::max(asked.awaited, context.thread.ticket);
  if (!engine_.scheduler.has_completed(asked.awaited)) return false;
  asked.awaited = 0;
  if (!engine_.backends.loaded()) return true;
  const Device device = asked.device;
  const Unlocked unlocked(engine_);
  return engine_.backends.loaded()->idle(device);
}

void Streams::remove(CallContext& context, int64_t handle) {
  engine_.count(Counter::calls);
  streams_.remove(engine_.handles.at(handle, HandleKind::Stream).value);
  engine_.handles.remove(handle);
  engine_.scheduler.flush(context);
}

}  // namespace rt
