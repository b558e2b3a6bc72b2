// device.cpp -- calls about devices and their memory.
#include "frontend_abi/calls.h"
#include "graph/error.h"

namespace rt::call {

Device loader_device(int64_t code) {
  if (code < 0) fail("device ", code, " is not known; 0 is the CPU, N is CUDA N-1");
  return Engine::instance().device(code - 1);
}
Device cuda_device(int64_t index) {
  if (index < 0) fail("device_id ", index, " names no CUDA device; they count from 0");
  return Engine::instance().device(index);
}

bool rt_torch_cuda_available(Turn& turn) { return turn.engine.backend().device_count() > 0; }
int64_t rt_torch_cuda_device_count(Turn& turn) { return turn.engine.backend().device_count(); }

bool rt_torch_torchtensor_is_cuda(Turn& turn, int64_t handle) {
  return query(turn, handle).device.is_cuda();
}
bool rt_torch_tensor_is_cuda(Turn& turn, int64_t handle) {
  return rt_torch_torchtensor_is_cuda(turn, handle);
}
int64_t rt_torch_torchtensor_device(Turn& turn, int64_t handle) {
  return query(turn, handle).device.index;
}

int64_t rt_torch_torchtensor_to_stream(Turn& turn, int64_t handle, int32_t device_id,
                                       int64_t stream) {
  Engine& engine = turn.engine;
  if (stream != 0) engine.stream(turn, stream);
  Call call;
  call.symbol = "rt_torch_torchtensor_to_stream";
  call.args.op = Op::Move;
  call.args.device = engine.device(device_id);
  call.handles.push_back(handle);
  const int64_t copy = engine.record(turn, call);
  engine.flush(turn);
  return copy;
}

int64_t rt_torch_stream_create(Turn& turn, int32_t device_id) {
  return turn.engine.add_stream(turn, turn.engine.device(device_id));
}
void rt_torch_torchstream_sync(Turn& turn, int64_t handle) {
  turn.engine.sync_stream(turn, handle);
}
bool rt_torch_torchstream_query(Turn& turn, int64_t handle) {
  return turn.engine.stream_is_idle(turn, handle);
}
void rt_torch_torchstream_free(Turn& turn, int64_t handle) {
  turn.engine.free_stream(turn, handle);
}
void rt_torch_stream_free(Turn& turn, int64_t handle) { turn.engine.free_stream(turn, handle); }

/// A device that is not there holds nothing.
static DeviceMemory memory_of(Turn& turn, int32_t device_id) {
  Backend& backend = turn.engine.backend();
  if (device_id < 0 || device_id >= backend.device_count()) return {};
  const Unlocked unlocked(turn.engine);
  return backend.memory(Device{static_cast<int8_t>(device_id)});
}

int64_t rt_torch_cuda_memory_allocated(Turn& turn, int32_t device_id) {
  return memory_of(turn, device_id).allocated;
}
int64_t rt_torch_cuda_max_memory_allocated(Turn& turn, int32_t device_id) {
  return memory_of(turn, device_id).peak;
}
void rt_torch_cuda_empty_cache(Turn& turn) {
  Backend& backend = turn.engine.backend();
  const Unlocked unlocked(turn.engine);
  backend.empty_cache();
}

}  // namespace rt::call
