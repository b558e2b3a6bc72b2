// linalg.cpp -- determinants, inverses, decompositions and linear systems.
#include <algorithm>

#include "elementwise/dtypes.h"
#include "fallback_cpu/kernels.h"
#include "fallback_cpu/solvers.h"

namespace rt::cpu {
namespace {

using solvers::Matrices;

template <class T>
Matrices<const T> matrices_of(const Buffer& buffer) {
  const Sizes sizes = buffer.sizes();
  const size_t batch = sizes.size() - 2;
  return {reinterpret_cast<const T*>(buffer.data()), sizes[batch], sizes.back(),
          numel(sizes.first(batch))};
}

/// The index in the batch `own` of the matrix that is broadcast to index `i` of `batch`.
int64_t broadcast_index(int64_t i, Sizes batch, Sizes own) {
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
  const Matrices<const T> left = matrices_of<T>(a);
  const bool vectors =
      b.sizes().size() == 1 || std::ranges::equal(b.sizes(), a.sizes().first(a.sizes().size() - 1));
  const size_t own = vectors ? 1 : 2;
  const Sizes batch = call.sizes.first(call.sizes.size() - own);
  const Sizes batch_a = a.sizes().first(a.sizes().size() - 2);
  const Sizes batch_b = b.sizes().first(b.sizes().size() - own);
  const int64_t columns = vectors ? 1 : call.sizes.back();
  const T* const right = reinterpret_cast<const T*>(b.data());
  const int64_t count = numel(batch), size = left.rows * columns;
  for (int64_t i = 0; i < count; ++i)
    solvers::solve(left, broadcast_index(i, batch, batch_a),
                   right + broadcast_index(i, batch, batch_b) * size, columns, out + i * size);
}

}  // namespace

BufferRef linalg(const KernelCall& call) {
  const bool backward = call.row.op == Op::DetBackward || call.row.op == Op::EigBackward;
  const BufferRef first = call.contiguous(call.operand(0));
  const BufferRef input = backward ? call.contiguous(call.operand(1)) : first;
  BufferRef result = call.result();
  visit_float(call.row.name, call.dtype, [&]<class T>(Type<T>) {
    const Matrices<const T> matrices = matrices_of<T>(*input);
    T* const out = reinterpret_cast<T*>(result->data());
    if (matrices.rows == 0 && call.row.op == Op::Det) *out = T{1};
    if (matrices.rows == 0) {  // a determinant without elements is 1
      if (call.row.op == Op::SlogdetSign) std::fill_n(out, result->numel(), T{1});
      if (call.row.op == Op::SlogdetLogabsdet) std::fill_n(out, result->numel(), T{0});
    }
    if (input->numel() == 0) return;
    const T* const grad = reinterpret_cast<const T*>(first->data());
    switch (call.row.op) {
      case Op::Det: *out = solvers::determinant(matrices); break;
      case Op::DetBackward:
        solvers::determinant_backward(static_cast<double>(*grad), matrices, out);
        break;
      case Op::Cholesky: solvers::cholesky(matrices, call.attributes.integer(0) != 0, out); break;
      case Op::QrQ: solvers::orthogonal_factor(matrices, out); break;
      case Op::QrR: solvers::triangular_factor(matrices, out); break;
      case Op::EighValues: solvers::symmetric_values(matrices, out); break;
      case Op::EighVectors: solvers::symmetric_vectors(matrices, out); break;
      case Op::SvdS: solvers::singular_values(matrices, out); break;
      case Op::SvdVh: solvers::right_vectors(matrices, out); break;
      case Op::SlogdetSign: solvers::determinant_signs(matrices, out); break;
      case Op::SlogdetLogabsdet: solvers::determinant_logs(matrices, out); break;
      case Op::MatrixExp: solvers::exponentials(matrices, out); break;
      case Op::Inverse: solvers::inverses(matrices, out); break;
      case Op::Svd: solvers::left_vectors(matrices, out); break;
      case Op::Eig: solvers::eigenvalues(matrices, out); break;
      case Op::EigBackward: solvers::eigenvalues_backward(grad, matrices, out); break;
      default: solve<T>(call, *input, *call.contiguous(call.operand(1)), out);
    }
  });
  return result;
}

}  // namespace rt::cpu
