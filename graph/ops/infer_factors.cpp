// infer_factors.cpp -- shape rules of factors of matrices.
#include <algorithm>

#include "graph/error.h"
#include "graph/ops/infer.h"

namespace rt::shape {

void qr_r(Inference& call) {
  svd(call);
  const Sizes from = call.operand(0).sizes;
  call.shape.assign(from);
  call.shape[call.shape.size() - 2] = std::min(from[from.size() - 2], from.back());
}

void singular_values(Inference& call) {
  svd(call);
  call.shape.erase(call.shape.size() - 2);
}

void determinants(Inference& call) {
  square(call);
  for (int i = 0; i < 2; ++i) call.shape.erase(call.shape.size() - 1);
}

void matrix_rank(Inference& call) {
  svd(call);
  for (int i = 0; i < 2; ++i) call.shape.erase(call.shape.size() - 1);
}

void pinv(Inference& call) {
  svd(call);
  call.shape.assign(call.operand(0).sizes);
  std::swap(call.shape[call.shape.size() - 1], call.shape[call.shape.size() - 2]);
}

void solve_triangular(Inference& call) {
  square(call);
  const Sizes a = call.operand(0).sizes, b = call.operand(1).sizes;
  if (b.size() < 2)
    fail("B is ", to_string(b), "; it must be a matrix, or matrices in its last two dimensions");
  const bool left = call.attr().integer(1) != 0;
  const int64_t size = left ? b[b.size() - 2] : b.back();
  if (size != a.back())
    fail("self is ", to_string(a), " and B is ", to_string(b), "; B must have ", a.back(),
         left ? " rows" : " columns", ", not ", size);
  TensorType both[2];
  both[0].sizes = a.first(a.size() - 2);
  both[1].sizes = b.first(b.size() - 2);
  call.shape = broadcast_sizes(both);
  call.shape.append(b.last(2));
}

}  // namespace rt::shape
