// solvers.h -- dense decompositions and linear systems, through Eigen.
#pragma once
#include <cstdint>

/// Each takes f32 or f64. A matrix that has no answer throws Error with its index and the cause.
/// The header names neither ops nor Eigen: a new op does not rebuild Eigen, which takes minutes.
namespace rt::cpu::solvers {

/// Row-major matrices, one after the other.
template <class T>
struct Matrices {
  T* data;
  int64_t rows, columns, count;
};

/// The determinant of the first matrix, which is square and not empty.
template <class T>
T determinant(Matrices<const T> from);

/// The gradient of `determinant`, of the sizes of `from`. `grad` is that of the result.
template <class T>
void determinant_backward(double grad, Matrices<const T> from, T* out);

/// The inverses of square matrices, of the sizes of `from`.
template <class T>
void inverses(Matrices<const T> from, T* out);

/// The left singular vectors: `rows` x min(rows, columns) for each matrix.
template <class T>
void left_vectors(Matrices<const T> from, T* out);

/// The real parts of the eigenvalues of square matrices, `rows` for each.
template <class T>
void eigenvalues(Matrices<const T> from, T* out);

/// The gradient of `eigenvalues`, of the sizes of `from`. `grad` has `rows` numbers a matrix.
template <class T>
void eigenvalues_backward(const T* grad, Matrices<const T> from, T* out);

/// Solves A X = B for matrix `i` of `a`. `b` and `out` are row-major, a.rows x `columns`.
template <class T>
void solve(Matrices<const T> a, int64_t i, const T* b, int64_t columns, T* out);

/// The lower triangular factors of symmetric matrices, of which one triangle is read, or their
/// transposes, from the upper triangle.
template <class T>
void cholesky(Matrices<const T> from, bool upper, T* out);

/// The factors of QR, reduced: Q `rows` x min(rows, columns), R min(rows, columns) x `columns`.
template <class T>
void orthogonal_factor(Matrices<const T> from, T* out);
template <class T>
void triangular_factor(Matrices<const T> from, T* out);

/// The eigenvalues of symmetric matrices, ascending, and their vectors as columns. The lower
/// triangles are read.
template <class T>
void symmetric_values(Matrices<const T> from, T* out);
template <class T>
void symmetric_vectors(Matrices<const T> from, T* out);

/// The singular values, descending, and the right singular vectors as rows.
template <class T>
void singular_values(Matrices<const T> from, T* out);
template <class T>
void right_vectors(Matrices<const T> from, T* out);

/// The signs of determinants, or the logarithms of their absolute values.
template <class T>
void determinant_signs(Matrices<const T> from, T* out);
template <class T>
void determinant_logs(Matrices<const T> from, T* out);

/// The exponentials of square matrices.
template <class T>
void exponentials(Matrices<const T> from, T* out);

}  // namespace rt::cpu::solvers
