// streams.cpp -- the calls about streams. A device runs its work in the order of the batches, so a
// stream stands for its device.
#include "executor/engine.h"

namespace rt {

int64_t Engine::add_stream(Turn& turn, Device device) {
  count(Counter::calls);
  flush(turn);
  return handles_.add(HandleKind::Stream, streams_.add(device));
}

Device Engine::stream(Turn&, int64_t handle) {
  return streams_[handles_.at(handle, HandleKind::Stream).value];
}

void Engine::sync_stream(Turn& turn, int64_t handle) {
  count(Counter::calls);
  const Device device = stream(turn, handle);
  flush_and_land(turn);
  if (backend_) backend_->synchronize(device);
}

bool Engine::stream_is_idle(Turn& turn, int64_t handle) {
  count(Counter::calls);
  const Device device = stream(turn, handle);
  flush(turn);
  return in_flight_nodes_ == 0 && (!backend_ || backend_->idle(device));
}

void Engine::free_stream(Turn& turn, int64_t handle) {
  count(Counter::calls);
  streams_.remove(handles_.at(handle, HandleKind::Stream).value);
  handles_.remove(handle);
  flush(turn);
}

}  // namespace rt
