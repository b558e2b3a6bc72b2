// gemm.h -- one matrix product, in a form that is compiled once per kind of processor.
#pragma once
#include <cstdint>

#include "graph/types.h"

namespace rt::cpu {

/// A matrix somewhere in memory; strides in elements, one of them 1.
struct Matrix {
  const char* data;
  int64_t rows, columns;
  int64_t row_stride, column_stride;
};

/// out = a * b, `out` with rows `out_stride` elements apart, 0: without gaps. The depth is at least
/// 1; integers wrap. Takes f32, f64, i32 and i64. `add`, of floats alone: out += a * b.
using Gemm = void(DType dtype, const Matrix& a, const Matrix& b, char* out, int64_t out_stride,
                  bool add);

namespace baseline {
Gemm gemm;
}
namespace avx2 {
Gemm gemm;
}
namespace avx512 {
Gemm gemm;
}

/// The one for this processor.
Gemm& gemm_here();

}  // namespace rt::cpu
