// copy.h -- copies between layouts and dtypes.
#pragma once
#include "graph/backend.h"

namespace rt::cpu {

/// Elements to read: where they lie and what they are.
struct Source {
  const char* data;
  DType dtype;
  Sizes strides;
  /// Of the block interpreter: an output lies over them, element by element.
  bool overwritten = false;
};
inline Source source_of(const Buffer& buffer) {
  return {buffer.data(), buffer.dtype(), buffer.strides()};
}

/// Converts n elements that lie `stride` elements apart to n elements one after the other.
using ConvertKernel = void (*)(int64_t n, void* out, const void* in, int64_t stride);
ConvertKernel convert_kernel(DType to, DType from);

/// Copies all elements of `sizes` from `source` to `out`, whose strides are in elements of `to`.
void copy_elements(char* out, DType to, Sizes out_strides, Source source, Sizes sizes, int threads);

/// The same elements in row-major order: the buffer itself when it is already.
BufferRef contiguous(const BufferRef& buffer, MemoryCount& memory, int threads);

}  // namespace rt::cpu
