// convert_kernels.h -- conversions between dtypes, as loops over a run of elements.
#pragma once
#include "graph/memory/buffer.h"

namespace rt::cpu {

/// Elements to read, not owned. Strides are in elements.
struct ElementSource {
  const char* data;
  DType dtype;
  Sizes strides;
  /// For the block interpreter: an output lies over these elements, each over its own.
  bool overwritten = false;
};
inline ElementSource source_of(const Buffer& buffer) {
  return {buffer.data(), buffer.dtype(), buffer.strides()};
}

/// Converts n elements that lie `stride` elements apart to n contiguous ones.
using ConvertKernel = void (*)(int64_t n, void* out, const void* in, int64_t stride);
ConvertKernel convert_kernel(DType to, DType from);

}  // namespace rt::cpu
