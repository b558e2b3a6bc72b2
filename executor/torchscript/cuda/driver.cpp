// driver.cpp -- loads libtorch_cuda.so, and uses devices through libtorch's generic interface.
#include "executor/torchscript/cuda/driver.h"

#include <c10/core/CachingDeviceAllocator.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <dlfcn.h>

#include <filesystem>

#include "graph/error.h"

namespace rt::torchscript {
namespace {

/// The number of devices by the driver's cuInit and cuDeviceGetCount, which return 0 for success.
/// Needs no CUDA toolkit. For 0 devices `reason` gets the cause.
int driver_devices(std::string& reason) {
  void* const driver = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
  if (!driver) {
    reason = "there is no CUDA driver";
    return 0;
  }
  const auto init = reinterpret_cast<int (*)(unsigned)>(dlsym(driver, "cuInit"));
  const auto count = reinterpret_cast<int (*)(int*)>(dlsym(driver, "cuDeviceGetCount"));
  int devices = 0;
  if (!init || !count) reason = "the CUDA driver lacks cuInit or cuDeviceGetCount";
  else if (const int code = init(0)) reason = join("cuInit returns error ", code);
  else if (const int bad = count(&devices)) reason = join("cuDeviceGetCount returns error ", bad);
  else if (devices == 0) reason = "the CUDA driver reports no device";
  return devices;
}

const c10::impl::DeviceGuardImplInterface* guard() {
  return c10::impl::hasDeviceGuardImpl(c10::DeviceType::CUDA)
             ? c10::impl::getDeviceGuardImpl(c10::DeviceType::CUDA)
             : nullptr;
}

/// Null before the first tensor on CUDA.
c10::DeviceAllocator* allocator() {
  if (cuda_devices() == 0) return nullptr;
  auto* const found = dynamic_cast<c10::DeviceAllocator*>(c10::GetAllocator(c10::DeviceType::CUDA));
  return found && found->initialized() ? found : nullptr;
}

}  // namespace

void load_cuda(std::string& reason) {
  if (guard() || driver_devices(reason) == 0) return;
  Dl_info c10_library{};
  if (!dladdr(reinterpret_cast<void*>(&c10::GetAllocator), &c10_library)) return;
  const auto path = std::filesystem::path(c10_library.dli_fname).parent_path() / "libtorch_cuda.so";
  if (!dlopen(path.c_str(), RTLD_NOW | RTLD_GLOBAL))
    reason = join("libtorch's CUDA part does not load: ", dlerror());
}

int cuda_devices() { return guard() ? guard()->deviceCount() : 0; }

DeviceMemory cuda_memory(Device device) {
  c10::DeviceAllocator* const of = allocator();
  if (!of || device.index >= cuda_devices()) return {};
  constexpr auto kAll = static_cast<size_t>(c10::CachingAllocator::StatType::AGGREGATE);
  const auto bytes = of->getDeviceStats(device.index).allocated_bytes[kAll];
  return {bytes.current, bytes.peak};
}

void empty_cuda_cache() {
  if (c10::DeviceAllocator* const of = allocator()) of->emptyCache();
}

void synchronize_cuda(Device device) {
  if (allocator()) guard()->synchronizeDevice(device.index);
}

/// Asks the current stream, because all our work on a device goes there.
bool cuda_is_idle(Device device) {
  if (!allocator()) return true;
  return guard()->queryStream(guard()->getStream({c10::DeviceType::CUDA, device.index}));
}

}  // namespace rt::torchscript
