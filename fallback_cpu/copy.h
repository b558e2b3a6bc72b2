// copy.h -- copies between layouts and dtypes.
#pragma once
#include "elementwise/convert_kernels.h"

namespace rt::cpu {

/// Copies all elements of `sizes` from `source` to `out`, whose strides are in elements of `to`.
void copy_elements(char* out, DType to, Sizes out_strides, ElementSource source, Sizes sizes,
                   int threads);

/// The same elements in row-major order: the buffer itself when it is already.
BufferRef contiguous(const BufferRef& buffer, MemoryCount& memory, int threads);

}  // namespace rt::cpu
