// buffer.h -- converts the core's buffers to libtorch's tensors and back, without copies.
#pragma once
#include <ATen/core/Tensor.h>

#include "executor/plugin/plugin.h"

namespace rt::torchscript {

at::ScalarType scalar_type(DType dtype);
at::Device device_of(Device device);

/// A tensor over the buffer's memory. It keeps a reference to the storage, not to the buffer.
at::Tensor tensor_over(const Buffer& buffer);

/// True where `tensor` is the only reference to its memory, libtorch has allocated that, and the
/// elements fill it in order.
bool is_alone(const at::Tensor& tensor);

/// The tensor's memory as a buffer, with one reference that the caller owns. Its storage is the one
/// that the tensor was made over, or a new one that takes libtorch's memory over. Tensors that
/// share memory give buffers that share a storage. Throws Error where the tensor has another dtype,
/// device or sizes.
Buffer* buffer_of(const at::Tensor& tensor, DType dtype, Device device, Sizes sizes,
                  MemoryCount& memory);

}  // namespace rt::torchscript
