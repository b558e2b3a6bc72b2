// linalg.cpp -- determinants, inverses, decompositions and linear systems, through Eigen.

// One thread, and types of its own: gemm.cpp has copies of Eigen for other processors.
#define EIGEN_DONT_PARALLELIZE
#define Eigen Eigen_linalg
#include <Eigen/Eigenvalues>
#include <Eigen/LU>
#include <Eigen/SVD>

#include "fallback_cpu/dtypes.h"
#include "fallback_cpu/kernels.h"

namespace rt::cpu {
namespace {

// Eigen's own order while it computes, rows in memory.
template <class T>
using Dense = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic>;
template <class T>
using Rows = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

/// Matrices one after the other.
template <class T>
struct Stack {
  T* data;
  int64_t rows, columns;
  auto operator[](int64_t i) const {
    using Kept =
        std::conditional_t<std::is_const_v<T>, const Rows<std::remove_const_t<T>>, Rows<T>>;
    return Eigen::Map<Kept>(data + i * rows * columns, rows, columns);
  }
};

template <class T>
Stack<const T> stack_of(const Buffer& buffer) {
  const Sizes sizes = buffer.sizes();
  return {reinterpret_cast<const T*>(buffer.data()), sizes[sizes.size() - 2], sizes.back()};
}

/// Names the matrix that an error is about, where there are several.
std::string which(int64_t i, int64_t count) {
  return count > 1 ? join("matrix ", i, " of ", count) : "the matrix";
}

template <class T>
auto decomposed(const Dense<T>& matrix, int64_t i, int64_t count) {
  Eigen::PartialPivLU<Dense<T>> lu(matrix);
  for (Eigen::Index d = 0; d < matrix.rows(); ++d)
    if (lu.matrixLU()(d, d) == T{0})
      fail(which(i, count), " is singular: pivot ", d, " of its triangular form is 0");
  return lu;
}

template <class T>
void need_finite(const Dense<T>& matrix, int64_t i, int64_t count) {
  if (!matrix.allFinite()) fail(which(i, count), " has elements that are infinite or not numbers");
}

template <class T>
void inverses(Stack<const T> from, T* out, int64_t count) {
  const Stack<T> to{out, from.rows, from.columns};
  for (int64_t i = 0; i < count; ++i) to[i] = decomposed<T>(from[i], i, count).inverse();
}

/// What is decomposed iteratively is f64 whatever the operand is: each such decomposition takes
/// minutes to compile.
using Wide = Dense<double>;

template <class T>
void left_vectors(Stack<const T> from, T* out, int64_t count) {
  const Stack<T> to{out, from.rows, std::min(from.rows, from.columns)};
  for (int64_t i = 0; i < count; ++i) {
    const Wide matrix = from[i].template cast<double>();
    need_finite(matrix, i, count);
    const Eigen::BDCSVD<Wide> svd(matrix, Eigen::ComputeThinU);
    if (svd.info() != Eigen::Success)
      fail("the singular values of ", which(i, count), " did not converge");
    to[i] = svd.matrixU().template cast<T>();
  }
}

template <class T>
void eigenvalues(Stack<const T> from, T* out, int64_t count) {
  for (int64_t i = 0; i < count; ++i, out += from.rows) {
    const Wide matrix = from[i].template cast<double>();
    need_finite(matrix, i, count);
    const Eigen::EigenSolver<Wide> solver(matrix, false);
    if (solver.info() != Eigen::Success)
      fail("the eigenvalues of ", which(i, count), " did not converge");
    for (Eigen::Index k = 0; k < matrix.rows(); ++k)
      out[k] = static_cast<T>(solver.eigenvalues()[k].real());
  }
}

/// The number of the matrix that stands at place `i` of the broadcast batch.
int64_t broadcast_place(int64_t i, Sizes batch, Sizes own) {
  int64_t place = 0, step = 1;
  for (size_t d = own.size(), at = batch.size(); d-- > 0; step *= own[d]) {
    const int64_t size = batch[--at];
    if (own[d] != 1) place += i % size * step;
    i /= size;
  }
  return place;
}

template <class T>
void solve(const Call& call, const Buffer& a, const Buffer& b, T* out) {
  const Stack<const T> left = stack_of<T>(a);
  const bool vectors =
      b.sizes().size() == 1 || std::ranges::equal(b.sizes(), a.sizes().first(a.sizes().size() - 1));
  const size_t own = vectors ? 1 : 2;
  const Sizes batch = call.sizes.first(call.sizes.size() - own);
  const Sizes batch_a = a.sizes().first(a.sizes().size() - 2);
  const Sizes batch_b = b.sizes().first(b.sizes().size() - own);
  const int64_t columns = vectors ? 1 : call.sizes.back();
  const Stack<const T> right{reinterpret_cast<const T*>(b.data()), left.rows, columns};
  const Stack<T> to{out, left.rows, columns};
  const int64_t count = numel(batch);
  for (int64_t i = 0; i < count; ++i) {
    const int64_t at = broadcast_place(i, batch, batch_a);
    const auto lu = decomposed<T>(left[at], at, numel(batch_a));
    to[i] = lu.solve(Dense<T>(right[broadcast_place(i, batch, batch_b)]));
  }
}

}  // namespace

BufferRef linalg(const Call& call) {
  const BufferRef input = call.contiguous(call.operand(0));
  BufferRef result = call.result();
  visit_float(call.row.name, call.dtype, [&]<class T>(Type<T>) {
    const Stack<const T> matrices = stack_of<T>(*input);
    T* const out = reinterpret_cast<T*>(result->data());
    const int64_t count = numel(input->sizes().first(input->sizes().size() - 2));
    if (matrices.rows == 0 && call.row.op == Op::Det) {
      *out = T{1};
    } else if (call.row.op == Op::Det) {
      *out = Eigen::PartialPivLU<Dense<T>>(Dense<T>(matrices[0])).determinant();
    } else if (input->numel() > 0) {
      if (call.row.op == Op::Inverse) inverses<T>(matrices, out, count);
      else if (call.row.op == Op::Svd) left_vectors<T>(matrices, out, count);
      else if (call.row.op == Op::Eig) eigenvalues<T>(matrices, out, count);
      else solve<T>(call, *input, *call.contiguous(call.operand(1)), out);
    }
  });
  return result;
}

}  // namespace rt::cpu
