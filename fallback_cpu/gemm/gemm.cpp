// gemm.cpp -- the matrix product through Eigen, in namespace RT_TARGET, once per kind of processor.
#ifndef RT_TARGET
#define RT_TARGET baseline
#endif

// Eigen cuts work by the number of threads, which would change the last bits. Callers cut by shape.
#define EIGEN_DONT_PARALLELIZE
// Each copy of this file renames Eigen's namespace, because the linker must not merge inline
// functions that were compiled for different processors.
#define RT_EIGEN_OF_(target) Eigen_##target
#define RT_EIGEN_OF(target) RT_EIGEN_OF_(target)
#define Eigen RT_EIGEN_OF(RT_TARGET)
#include <Eigen/Core>

#include "fallback_cpu/gemm/gemm.h"

namespace rt::cpu::RT_TARGET {
namespace {

template <class T, int order>
auto map(const Matrix& matrix) {
  using Dense = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, order>;
  return Eigen::Map<const Dense, Eigen::Unaligned, Eigen::OuterStride<>>(
      reinterpret_cast<const T*>(matrix.data), matrix.rows, matrix.columns,
      Eigen::OuterStride<>(order == Eigen::RowMajor ? matrix.row_stride : matrix.column_stride));
}

template <class T, int order_a, int order_b>
void multiply(const Matrix& a, const Matrix& b, char* out, int64_t out_stride, bool add) {
  using Dense = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  Eigen::Map<Dense, Eigen::Unaligned, Eigen::OuterStride<>> result(
      reinterpret_cast<T*>(out), a.rows, b.columns, Eigen::OuterStride<>(out_stride));
  if constexpr (std::is_floating_point_v<T>) {
    if (add) {
      result.noalias() += map<T, order_a>(a) * map<T, order_b>(b);
      return;
    }
  }
  result.noalias() = map<T, order_a>(a) * map<T, order_b>(b);
}

template <class T>
void multiply(const Matrix& a, const Matrix& b, char* out, int64_t out_stride, bool add) {
  constexpr int kRow = Eigen::RowMajor, kColumn = Eigen::ColMajor;
  const bool a_rows = a.column_stride == 1, b_rows = b.column_stride == 1;
  if (a_rows && b_rows) multiply<T, kRow, kRow>(a, b, out, out_stride, add);
  else if (a_rows) multiply<T, kRow, kColumn>(a, b, out, out_stride, add);
  else if (b_rows) multiply<T, kColumn, kRow>(a, b, out, out_stride, add);
  else multiply<T, kColumn, kColumn>(a, b, out, out_stride, add);
}

}  // namespace

void gemm(DType dtype, const Matrix& a, const Matrix& b, char* out, int64_t out_stride, bool add) {
  if (out_stride == 0) out_stride = b.columns;
  switch (dtype) {
    case DType::F32: return multiply<float>(a, b, out, out_stride, add);
    case DType::F64: return multiply<double>(a, b, out, out_stride, add);
    case DType::I32: return multiply<uint32_t>(a, b, out, out_stride, add);
    default: return multiply<uint64_t>(a, b, out, out_stride, add);
  }
}

}  // namespace rt::cpu::RT_TARGET
