// device.cpp -- calls about devices and their memory.
#include "frontend_abi/calls.h"
#include "graph/error.h"

namespace rt::call {

Device loader_device(int64_t code) {
  if (code < 0) fail("device ", code, " is unknown; use 0 for the CPU, N for CUDA device N-1");
  return Engine::instance().backends.device(code - 1);
}
Device cuda_device(int64_t index) {
  if (index < 0) fail("device_id is ", index, "; it must be at least 0");
  return Engine::instance().backends.device(index);
}

bool rt_torch_cuda_available(CallContext& context) {
  return context.engine.backends.get().device_count() > 0;
}
int64_t rt_torch_cuda_device_count(CallContext& context) {
  return context.engine.backends.get().device_count();
}

bool rt_torch_torchtensor_is_cuda(CallContext& context, int64_t handle) {
  return query(context, handle).device.is_cuda();
}
int64_t rt_torch_torchtensor_device(CallContext& context, int64_t handle) {
  return query(context, handle).device.index;
}

int64_t rt_torch_torchtensor_to_stream(CallContext& context, int64_t handle, int32_t device_id,
                                       int64_t stream) {
  Engine& engine = context.engine;
  if (stream != 0) engine.streams.device(context, stream);
  Call call;
  call.symbol = "rt_torch_torchtensor_to_stream";
  call.args.op = Op::Move;
  call.args.device = engine.backends.device(device_id);
  call.handles.push_back(handle);
  const int64_t copy = engine.recorder.record(context, call);
  engine.scheduler.flush(context);
  return copy;
}

int64_t rt_torch_stream_create(CallContext& context, int32_t device_id) {
  return context.engine.streams.add(context, context.engine.backends.device(device_id));
}
void rt_torch_torchstream_sync(CallContext& context, int64_t handle) {
  context.engine.streams.sync(context, handle);
}
bool rt_torch_torchstream_query(CallContext& context, int64_t handle) {
  return context.engine.streams.is_idle(context, handle);
}
void rt_torch_torchstream_free(CallContext& context, int64_t handle) {
  context.engine.streams.remove(context, handle);
}

/// A device that does not exist holds no memory.
static DeviceMemory memory_of(CallContext& context, int32_t device_id) {
  Backend& backend = context.engine.backends.get();
  if (device_id < 0 || device_id >= backend.device_count()) return {};
  const Unlocked unlocked(context.engine);
  return backend.memory(Device{static_cast<int8_t>(device_id)});
}

int64_t rt_torch_cuda_memory_allocated(CallContext& context, int32_t device_id) {
  return memory_of(context, device_id).allocated;
}
int64_t rt_torch_cuda_max_memory_allocated(CallContext& context, int32_t device_id) {
  return memory_of(context, device_id).peak;
}
void rt_torch_cuda_empty_cache(CallContext& context) {
  Backend& backend = context.engine.backends.get();
  const Unlocked unlocked(context.engine);
  backend.empty_cache();
}

}  // namespace rt::call
