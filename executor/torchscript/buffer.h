// buffer.h -- the core's buffers as libtorch's tensors and back, without copying.
#pragma once
#include <ATen/core/Tensor.h>

#include "executor/plugin/plugin.h"

namespace rt::torchscript {

at::ScalarType scalar_type(DType dtype);
at::Device device_of(Device device);

/// A tensor over the buffer's memory. It holds the storage, not the buffer.
at::Tensor tensor_over(const Buffer& buffer);

/// Whether this reference is all that there is to the tensor's memory, which libtorch made, and its
/// elements lie there one after the other.
bool is_alone(const at::Tensor& tensor);

/// The tensor's memory as a buffer with one reference: the storage it was made over, or one that
/// takes libtorch's memory over. Tensors that share memory give buffers that share a storage.
/// Throws Error when the tensor is not of this type.
Buffer* buffer_of(const at::Tensor& tensor, DType dtype, Device device, Sizes sizes,
                  MemoryCount& memory);

}  // namespace rt::torchscript
