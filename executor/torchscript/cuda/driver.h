// driver.h -- CUDA through libtorch, where the machine has it.
#pragma once
#include <string>

#include "graph/batch/backend.h"

namespace rt::torchscript {

/// Loads libtorch's CUDA part when the driver reports a device; says in `reason` why there is none.
/// Comes before any other call of libtorch: a convolution or batch norm on the CPU before that
/// leaves CUDA off for good.
void load_cuda(std::string& reason);

int cuda_devices();
DeviceMemory cuda_memory(Device device);
void empty_cuda_cache();
/// Waits for a device; throws when something that ran there has failed.
void synchronize_cuda(Device device);
/// Whether there is nothing to wait for; throws likewise.
bool cuda_is_idle(Device device);

}  // namespace rt::torchscript
