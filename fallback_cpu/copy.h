// copy.h -- copies between layouts and dtypes.
#pragma once
#include "elementwise/convert_kernels.h"
#include "elementwise/team.h"

namespace rt::cpu {

/// Copies the elements of a tensor of the sizes `sizes` from `source` to `out`, converted to the
/// dtype `to`. All strides are in elements.
void copy_elements(char* out, DType to, Sizes out_strides, ElementSource source, Sizes sizes,
                   const Team& team);

/// The elements of `buffer` in row-major order: `buffer` itself where it is contiguous, else
/// a copy whose bytes `memory` counts.
BufferRef contiguous(const BufferRef& buffer, MemoryCount& memory, const Team& team);

}  // namespace rt::cpu
