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

// The executors of this build have no CUDA memory.
int64_t rt_torch_cuda_memory_allocated(Turn&, int32_t) { return 0; }
int64_t rt_torch_cuda_max_memory_allocated(Turn&, int32_t) { return 0; }
void rt_torch_cuda_empty_cache(Turn&) {}

}  // namespace rt::call
