// driver.h -- loads libtorch's CUDA part, and asks for devices, their memory and their state.
#pragma once
#include <string>

#include "graph/batch/backend.h"

namespace rt::torchscript {

/// Loads libtorch's CUDA part where the driver reports a device; otherwise `reason` gets the cause.
/// Must come before other calls of libtorch: after a convolution or batch norm on the CPU CUDA
/// stays off.
void load_cuda(std::string& reason);

int cuda_devices();
DeviceMemory cuda_memory(Device device);  ///< bytes; zeros before the first tensor on CUDA
void empty_cuda_cache();
/// Waits for a device. Throws when something that ran there has failed.
void synchronize_cuda(Device device);
/// True where nothing is left to wait for. Throws as synchronize_cuda() does.
bool cuda_is_idle(Device device);

}  // namespace rt::torchscript
