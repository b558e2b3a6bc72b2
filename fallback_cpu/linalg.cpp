// linalg.cpp -- determinants, inverses, decompositions and linear systems, through Eigen.

// One thread, because threads could change the last bits. The namespace has a name of its own,
// because the linker must not merge this Eigen with gemm.cpp's copies for other processors.
#define EIGEN_DONT_PARALLELIZE
#define Eigen Eigen_linalg
#include <Eigen/Eigenvalues>
#include <Eigen/LU>
#include <Eigen/SVD>

#include "elementwise/dtypes.h"
#include "fallback_cpu/kernels.h"

namespace rt::cpu {
namespace {

// Dense has Eigen's own order, for computing. Rows has the order of tensors in memory.
template <class T>
using Dense = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic>;
template <class T>
using Rows = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

/// Row-major matrices, one after the other.
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

/// The name of matrix `i` of `count` in an error.
std::string which(int64_t i, int64_t count) {
  return count > 1 ? join("matrix ", i, " of ", count) : "the matrix";
}

/// The index of the first pivot that is 0; -1 where none is.
template <class LU>
Eigen::Index zero_pivot(const LU& lu) {
  for (Eigen::Index d = 0; d < lu.rows(); ++d)
    if (lu.matrixLU()(d, d) == 0) return d;
  return -1;
}

template <class T>
auto decomposed(const Dense<T>& matrix, int64_t i, int64_t count) {
  Eigen::PartialPivLU<Dense<T>> lu(matrix);
  if (const Eigen::Index pivot = zero_pivot(lu); pivot >= 0)
    fail(which(i, count), " is singular: pivot ", pivot, " of its triangular form is 0");
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

/// Iterative decompositions compute in f64 for every dtype, because each takes minutes to compile.
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

Eigen::EigenSolver<Wide> eigen_solver(const Wide& matrix, bool vectors, int64_t i, int64_t count) {
  need_finite(matrix, i, count);
  Eigen::EigenSolver<Wide> solver(matrix, vectors);
  if (solver.info() != Eigen::Success)
    fail("the eigenvalues of ", which(i, count), " did not converge");
  return solver;
}

template <class T>
void eigenvalues(Stack<const T> from, T* out, int64_t count) {
  for (int64_t i = 0; i < count; ++i, out += from.rows) {
    const auto solver = eigen_solver(from[i].template cast<double>(), false, i, count);
    for (Eigen::Index k = 0; k < from.rows; ++k)
      out[k] = static_cast<T>(solver.eigenvalues()[k].real());
  }
}

/// The gradient of the real parts of the eigenvalues: V^-T G V^T for a matrix V D V^-1,
/// with the values' gradients on the diagonal of G. No complex numbers are needed: V
/// has the real and the imaginary parts of the vectors, and both values of a conjugate
/// pair get the mean of their gradients.
template <class T>
void eig_backward(const T* grad, Stack<const T> from, T* out, int64_t count) {
  const Stack<T> to{out, from.rows, from.columns};
  for (int64_t i = 0; i < count; ++i, grad += from.rows) {
    const auto solver = eigen_solver(from[i].template cast<double>(), true, i, count);
    Wide vectors = solver.pseudoEigenvectors().transpose();
    const Eigen::PartialPivLU<Wide> lu(vectors);
    if (zero_pivot(lu) >= 0)
      fail("the eigenvectors of ", which(i, count), " do not span its space");
    for (Eigen::Index k = 0; k < from.rows; ++k) {
      const Eigen::Index last = solver.eigenvalues()[k].imag() > 0 ? k + 1 : k;
      const double mean = (static_cast<double>(grad[k]) + static_cast<double>(grad[last])) / 2;
      for (vectors.row(k) *= mean; k < last;) vectors.row(++k) *= mean;
    }
    to[i] = lu.solve(vectors).template cast<T>();
  }
}

/// The gradient of the determinant: `grad` times the cofactors. These are det(U) det(V) U C V^T
/// of the matrix U S V^T, where C has the products of all singular values but one. Singular
/// matrices have this decomposition as well.
template <class T>
void det_backward(double grad, Stack<const T> from, T* out) {
  const Wide matrix = from[0].template cast<double>();
  need_finite(matrix, 0, 1);
  const Eigen::BDCSVD<Wide> svd(matrix, Eigen::ComputeThinU | Eigen::ComputeThinV);
  Eigen::VectorXd others(matrix.rows());
  for (Eigen::Index i = 0; i < matrix.rows(); ++i) {
    Eigen::VectorXd values = svd.singularValues();
    values[i] = grad;
    others[i] = values.prod();
  }
  others *= svd.matrixU().determinant() * svd.matrixV().determinant();
  const Stack<T> to{out, from.rows, from.columns};
  to[0] = (svd.matrixU() * others.asDiagonal() * svd.matrixV().transpose()).template cast<T>();
}

/// The index in the batch `own` of the matrix that is broadcast to index `i` of `batch`.
int64_t broadcast_place(int64_t i, Sizes batch, Sizes own) {
  int64_t offset = 0, step = 1;
  for (size_t d = own.size(), at = batch.size(); d-- > 0; step *= own[d]) {
    const int64_t size = batch[--at];
    if (own[d] != 1) offset += i % size * step;
    i /= size;
  }
  return offset;
}

template <class T>
void solve(const KernelCall& call, const Buffer& a, const Buffer& b, T* out) {
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

BufferRef linalg(const KernelCall& call) {
  const bool backward = call.row.op == Op::DetBackward || call.row.op == Op::EigBackward;
  const BufferRef first = call.contiguous(call.operand(0));
  const BufferRef input = backward ? call.contiguous(call.operand(1)) : first;
  BufferRef result = call.result();
  visit_float(call.row.name, call.dtype, [&]<class T>(Type<T>) {
    const Stack<const T> matrices = stack_of<T>(*input);
    T* const out = reinterpret_cast<T*>(result->data());
    const int64_t count = numel(input->sizes().first(input->sizes().size() - 2));
    if (matrices.rows == 0 && call.row.op == Op::Det) *out = T{1};
    if (input->numel() == 0) return;
    const T* const grad = reinterpret_cast<const T*>(first->data());
    switch (call.row.op) {
      case Op::Det:
        *out = Eigen::PartialPivLU<Dense<T>>(Dense<T>(matrices[0])).determinant();
        break;
      case Op::DetBackward: det_backward<T>(static_cast<double>(*grad), matrices, out); break;
      case Op::Inverse: inverses<T>(matrices, out, count); break;
      case Op::Svd: left_vectors<T>(matrices, out, count); break;
      case Op::Eig: eigenvalues<T>(matrices, out, count); break;
      case Op::EigBackward: eig_backward<T>(grad, matrices, out, count); break;
      default: solve<T>(call, *input, *call.contiguous(call.operand(1)), out);
    }
  });
  return result;
}

}  // namespace rt::cpu
