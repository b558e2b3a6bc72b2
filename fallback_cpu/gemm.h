// gemm.h -- the product of two matrices.
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

/// Strips of at least so many rows or columns have the same bits as in the whole product.
inline constexpr int64_t kLeastStrip = 64;

/// Computes out = a * b, or out += a * b where `add` is set. The dtype of all three is f32, f64,
/// i32 or i64; integers wrap. a.columns == b.rows >= 1. Rows of `out` lie `out_stride` elements
/// apart; 0 means without gaps. Allocates nothing.
void gemm(DType dtype, const Matrix& a, const Matrix& b, char* out, int64_t out_stride, bool add);

}  // namespace rt::cpu
