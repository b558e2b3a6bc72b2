// solvers.cpp -- determinants, inverses, decompositions and linear systems, through Eigen.
#include "fallback_cpu/solvers.h"

#include <algorithm>
#include <cmath>

// One thread, because threads could change the last bits. The namespace has a name of its own,
// because the linker must not merge this Eigen with gemm.cpp's copies for other processors.
#define EIGEN_DONT_PARALLELIZE
#define Eigen Eigen_solvers
#include <Eigen/Cholesky>
#include <Eigen/Eigenvalues>
#include <Eigen/LU>
#include <Eigen/QR>
#include <Eigen/SVD>

#include "graph/error.h"

namespace rt::cpu::solvers {
namespace {

// Dense has Eigen's own order, for computing. Rows has the order of tensors in memory.
template <class T>
using Dense = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic>;
template <class T>
using Rows = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

/// Iterative decompositions compute in f64 for every dtype, because each takes minutes to compile.
using Wide = Dense<double>;

template <class T>
Eigen::Map<const Rows<T>> input(Matrices<const T> from, int64_t i) {
  return {from.data + i * from.rows * from.columns, from.rows, from.columns};
}

template <class T>
Eigen::Map<Rows<T>> output(T* data, int64_t i, int64_t rows, int64_t columns) {
  return {data + i * rows * columns, rows, columns};
}

/// The name of matrix `i` of `count` in an error.
std::string which(int64_t i, int64_t count) {
  return count > 1 ? join("matrix ", i, " of ", count) : "the matrix";
}

/// Matrix `i` in f64. Throws where an element is infinite or not a number.
template <class T>
Wide finite(Matrices<const T> from, int64_t i) {
  Wide matrix = input(from, i).template cast<double>();
  if (!matrix.allFinite())
    fail(which(i, from.count), " has elements that are infinite or not numbers");
  return matrix;
}

/// The index of the first pivot that is 0; -1 where none is.
template <class LU>
Eigen::Index zero_pivot(const LU& lu) {
  for (Eigen::Index d = 0; d < lu.rows(); ++d)
    if (lu.matrixLU()(d, d) == 0) return d;
  return -1;
}

template <class T>
Eigen::PartialPivLU<Dense<T>> decomposed(Matrices<const T> from, int64_t i) {
  Eigen::PartialPivLU<Dense<T>> lu(input(from, i));
  if (const Eigen::Index pivot = zero_pivot(lu); pivot >= 0)
    fail(which(i, from.count), " is singular: pivot ", pivot, " of its triangular form is 0");
  return lu;
}

template <class T>
Eigen::EigenSolver<Wide> eigen_solver(Matrices<const T> from, int64_t i, bool vectors) {
  Eigen::EigenSolver<Wide> solver(finite(from, i), vectors);
  if (solver.info() != Eigen::Success)
    fail("the eigenvalues of ", which(i, from.count), " did not converge");
  return solver;
}

}  // namespace

template <class T>
T determinant(Matrices<const T> from) {
  return Eigen::PartialPivLU<Dense<T>>(input(from, 0)).determinant();
}

/// The gradient is `grad` times the cofactors. These are det(U) det(V) U C V^T of the matrix
/// U S V^T, where C has the products of all singular values but one. Singular matrices have this
/// decomposition as well.
template <class T>
void determinant_backward(double grad, Matrices<const T> from, T* out) {
  const Eigen::BDCSVD<Wide> svd(finite(from, 0), Eigen::ComputeThinU | Eigen::ComputeThinV);
  Eigen::VectorXd others(from.rows);
  for (Eigen::Index i = 0; i < from.rows; ++i) {
    Eigen::VectorXd values = svd.singularValues();
    values[i] = grad;
    others[i] = values.prod();
  }
  others *= svd.matrixU().determinant() * svd.matrixV().determinant();
  output(out, 0, from.rows, from.columns) =
      (svd.matrixU() * others.asDiagonal() * svd.matrixV().transpose()).template cast<T>();
}

template <class T>
void inverses(Matrices<const T> from, T* out) {
  for (int64_t i = 0; i < from.count; ++i)
    output(out, i, from.rows, from.columns) = decomposed(from, i).inverse();
}

template <class T>
void left_vectors(Matrices<const T> from, T* out) {
  for (int64_t i = 0; i < from.count; ++i) {
    const Eigen::BDCSVD<Wide> svd(finite(from, i), Eigen::ComputeThinU);
    if (svd.info() != Eigen::Success)
      fail("the singular values of ", which(i, from.count), " did not converge");
    output(out, i, from.rows, std::min(from.rows, from.columns)) = svd.matrixU().template cast<T>();
  }
}

template <class T>
void eigenvalues(Matrices<const T> from, T* out) {
  for (int64_t i = 0; i < from.count; ++i, out += from.rows) {
    const auto solver = eigen_solver(from, i, false);
    for (Eigen::Index k = 0; k < from.rows; ++k)
      out[k] = static_cast<T>(solver.eigenvalues()[k].real());
  }
}

/// The gradient is V^-T G V^T for a matrix V D V^-1, with the values' gradients on the diagonal of
/// G. No complex numbers are needed: V has the real and the imaginary parts of the vectors, and
/// both values of a conjugate pair get the mean of their gradients.
template <class T>
void eigenvalues_backward(const T* grad, Matrices<const T> from, T* out) {
  for (int64_t i = 0; i < from.count; ++i, grad += from.rows) {
    const auto solver = eigen_solver(from, i, true);
    Wide vectors = solver.pseudoEigenvectors().transpose();
    const Eigen::PartialPivLU<Wide> lu(vectors);
    if (zero_pivot(lu) >= 0)
      fail("the eigenvectors of ", which(i, from.count), " do not span its space");
    for (Eigen::Index k = 0; k < from.rows; ++k) {
      const Eigen::Index last = solver.eigenvalues()[k].imag() > 0 ? k + 1 : k;
      const double mean = (static_cast<double>(grad[k]) + static_cast<double>(grad[last])) / 2;
      for (vectors.row(k) *= mean; k < last;) vectors.row(++k) *= mean;
    }
    output(out, i, from.rows, from.columns) = lu.solve(vectors).template cast<T>();
  }
}

template <class T>
void solve(Matrices<const T> a, int64_t i, const T* b, int64_t columns, T* out) {
  const Matrices<const T> right{b, a.rows, columns, 1};
  output(out, 0, a.rows, columns) = decomposed(a, i).solve(Dense<T>(input(right, 0)));
}

template <class T>
void cholesky(Matrices<const T> from, bool upper, T* out) {
  for (int64_t i = 0; i < from.count; ++i) {
    Wide matrix = input(from, i).template cast<double>();
    if (upper) matrix.transposeInPlace();
    const Eigen::LLT<Wide> factor(matrix);
    // NaNs pass Eigen's comparisons with 0.
    if (factor.info() != Eigen::Success || !factor.matrixLLT().diagonal().allFinite())
      fail(which(i, from.count), " is not positive definite");
    matrix = factor.matrixL();
    if (upper) matrix.transposeInPlace();
    output(out, i, from.rows, from.columns) = matrix.template cast<T>();
  }
}

template <class T>
void orthogonal_factor(Matrices<const T> from, T* out) {
  const int64_t small = std::min(from.rows, from.columns);
  for (int64_t i = 0; i < from.count; ++i) {
    const Eigen::HouseholderQR<Wide> qr(input(from, i).template cast<double>());
    const Wide q = qr.householderQ() * Wide::Identity(from.rows, small);
    output(out, i, from.rows, small) = q.template cast<T>();
  }
}

template <class T>
void triangular_factor(Matrices<const T> from, T* out) {
  const int64_t small = std::min(from.rows, from.columns);
  for (int64_t i = 0; i < from.count; ++i) {
    const Eigen::HouseholderQR<Wide> qr(input(from, i).template cast<double>());
    const Wide r = qr.matrixQR().topRows(small).template triangularView<Eigen::Upper>();
    output(out, i, small, from.columns) = r.template cast<T>();
  }
}

template <class T>
Eigen::SelfAdjointEigenSolver<Wide> symmetric_solver(Matrices<const T> from, int64_t i,
                                                     bool vectors) {
  Eigen::SelfAdjointEigenSolver<Wide> solver(
      finite(from, i), vectors ? Eigen::ComputeEigenvectors : Eigen::EigenvaluesOnly);
  if (solver.info() != Eigen::Success)
    fail("the eigenvalues of ", which(i, from.count), " did not converge");
  return solver;
}

template <class T>
void symmetric_values(Matrices<const T> from, T* out) {
  for (int64_t i = 0; i < from.count; ++i)
    output(out, i, from.rows, 1) =
        symmetric_solver(from, i, false).eigenvalues().template cast<T>();
}

template <class T>
void symmetric_vectors(Matrices<const T> from, T* out) {
  for (int64_t i = 0; i < from.count; ++i)
    output(out, i, from.rows, from.rows) =
        symmetric_solver(from, i, true).eigenvectors().template cast<T>();
}

template <class T>
void singular_values(Matrices<const T> from, T* out) {
  for (int64_t i = 0; i < from.count; ++i) {
    const Eigen::BDCSVD<Wide> svd(finite(from, i));
    if (svd.info() != Eigen::Success)
      fail("the singular values of ", which(i, from.count), " did not converge");
    output(out, i, std::min(from.rows, from.columns), 1) = svd.singularValues().template cast<T>();
  }
}

template <class T>
void right_vectors(Matrices<const T> from, T* out) {
  for (int64_t i = 0; i < from.count; ++i) {
    // With the left ones, so that both have the signs of one decomposition.
    const Eigen::BDCSVD<Wide> svd(finite(from, i), Eigen::ComputeThinU | Eigen::ComputeThinV);
    if (svd.info() != Eigen::Success)
      fail("the singular values of ", which(i, from.count), " did not converge");
    output(out, i, std::min(from.rows, from.columns), from.columns) =
        svd.matrixV().transpose().template cast<T>();
  }
}

/// Calls store(i, sign, logarithm) for the determinant of each matrix.
template <class T, class Store>
void for_determinants(Matrices<const T> from, const Store& store) {
  for (int64_t i = 0; i < from.count; ++i) {
    const Wide matrix = input(from, i).template cast<double>();
    const Eigen::PartialPivLU<Wide> lu(matrix);
    double sign = static_cast<double>(lu.permutationP().determinant()), log = 0;
    for (Eigen::Index d = 0; d < from.rows; ++d) {
      const double pivot = lu.matrixLU()(d, d);
      sign *= pivot > 0 ? 1.0 : pivot < 0 ? -1.0 : pivot;
      log += std::log(std::abs(pivot));
    }
    store(i, sign, log);
  }
}

template <class T>
void determinant_signs(Matrices<const T> from, T* out) {
  for_determinants(from, [out](int64_t i, double sign, double) { out[i] = static_cast<T>(sign); });
}

template <class T>
void determinant_logs(Matrices<const T> from, T* out) {
  for_determinants(from, [out](int64_t i, double, double log) { out[i] = static_cast<T>(log); });
}

/// By squaring exp(A / 2^k), which is a short series.
template <class T>
void exponentials(Matrices<const T> from, T* out) {
  constexpr int kTerms = 20;
  for (int64_t i = 0; i < from.count; ++i) {
    Wide matrix = input(from, i).template cast<double>();
    const double size = matrix.cwiseAbs().colwise().sum().maxCoeff();
    int halvings = 0;
    if (std::isfinite(size) && size > 0.5) halvings = std::max(0, std::ilogb(size) + 2);
    matrix *= std::ldexp(1.0, -halvings);
    Wide sum = Wide::Identity(from.rows, from.rows), term = sum;
    for (int k = 1; k <= kTerms; ++k) {
      term = (term * matrix / k).eval();
      sum += term;
    }
    for (; halvings > 0; --halvings) sum = (sum * sum).eval();
    output(out, i, from.rows, from.columns) = sum.template cast<T>();
  }
}

#define RT_SOLVERS(T)                                                  \
  template T determinant(Matrices<const T>);                           \
  template void determinant_backward(double, Matrices<const T>, T*);   \
  template void inverses(Matrices<const T>, T*);                       \
  template void left_vectors(Matrices<const T>, T*);                   \
  template void eigenvalues(Matrices<const T>, T*);                    \
  template void eigenvalues_backward(const T*, Matrices<const T>, T*); \
  template void cholesky(Matrices<const T>, bool, T*);                 \
  template void orthogonal_factor(Matrices<const T>, T*);              \
  template void triangular_factor(Matrices<const T>, T*);              \
  template void symmetric_values(Matrices<const T>, T*);               \
  template void symmetric_vectors(Matrices<const T>, T*);              \
  template void singular_values(Matrices<const T>, T*);                \
  template void right_vectors(Matrices<const T>, T*);                  \
  template void determinant_signs(Matrices<const T>, T*);              \
  template void determinant_logs(Matrices<const T>, T*);               \
  template void exponentials(Matrices<const T>, T*);                   \
  template void solve(Matrices<const T>, int64_t, const T*, int64_t, T*);
RT_SOLVERS(float)
RT_SOLVERS(double)
#undef RT_SOLVERS

}  // namespace rt::cpu::solvers
