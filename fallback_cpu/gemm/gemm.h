// gemm.h -- the matrix product, compiled once per kind of processor.
#pragma once
#include <cstdint>

#include "graph/types.h"

namespace rt::cpu {

/// A matrix in memory, not owned. Strides are in elements, and one of them is 1.
struct Matrix {
  const char* data;
  int64_t rows, columns;
  int64_t row_stride, column_stride;
};

/// Computes out = a * b, or out += a * b where `add` is set, which floats alone allow. The dtype of
/// all three is f32, f64, i32 or i64; integers wrap. a.columns == b.rows >= 1. Rows of `out` lie
/// `out_stride` elements apart; 0 means without gaps.
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

/// The copy for the instruction set in use.
Gemm& gemm_here();

}  // namespace rt::cpu
