// stack.h -- an operand of a product as a stack of matrices.
#pragma once
#include "fallback_cpu/buffer.h"
#include "fallback_cpu/gemm.h"

namespace rt::cpu {

/// Matrices over the memory of a buffer, which must outlive it.
struct Stack {
  char* data;
  int64_t item;     ///< bytes of an element
  Shape sizes;      ///< of the leading dimensions
  Strides strides;  ///< of the leading dimensions, in elements
  int64_t rows, columns, row_stride, column_stride;

  /// A vector is a row on the left of a product, a column on the right.
  static Stack of(const Buffer& buffer, bool left);
  /// True where gemm() takes the matrices as they lie. Gives dimensions of size 1 the stride that
  /// makes a matrix dense.
  bool make_dense();
  /// Matrix `i` of the broadcast stack `batch`.
  Matrix matrix(int64_t i, Sizes batch) const;
};

}  // namespace rt::cpu
