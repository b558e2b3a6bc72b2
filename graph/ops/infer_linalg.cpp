// infer_linalg.cpp -- shape rules of determinants, inverses, decompositions and linear systems.
#include <algorithm>

#include "graph/error.h"
#include "graph/ops/infer.h"

namespace rt::shape {
namespace {

void need_matrix(const Inference& call, uint32_t operand) {
  if (call.operand(operand).sizes.size() < 2)
    fail(call.row.params[operand].name, " is ", to_string(call.operand(operand).sizes),
         "; it must be a matrix, or matrices in its last two dimensions");
}

void need_square(const Inference& call, uint32_t operand = 0) {
  need_matrix(call, operand);
  const Sizes sizes = call.operand(operand).sizes;
  if (sizes[sizes.size() - 1] != sizes[sizes.size() - 2])
    fail(call.row.params[operand].name, " is ", to_string(sizes),
         "; its last two sizes must be equal");
}

void need_one_square(const Inference& call, uint32_t operand = 0) {
  need_square(call, operand);
  if (call.operand(operand).sizes.size() != 2)
    fail("self is ", to_string(call.operand(operand).sizes),
         " and has a determinant for each of its matrices; give one matrix");
}

void need_gradient(const Inference& call, Sizes of_result) {
  if (!std::ranges::equal(call.operand(0).sizes, of_result))
    fail("grad_output is ", to_string(call.operand(0).sizes), "; it must be ",
         to_string(of_result));
}

}  // namespace

void det(Inference& call) {
  need_one_square(call);
  call.shape.clear();
}

void det_backward(Inference& call) {
  need_one_square(call, 1);
  need_gradient(call, {});
  same_second(call);
}

void square(Inference& call) {
  need_square(call);
  same(call);
}

void svd(Inference& call) {
  need_matrix(call, 0);
  same(call);
  int64_t& columns = call.shape.back();
  columns = std::min(columns, call.shape[call.shape.size() - 2]);
}

void eig(Inference& call) {
  need_square(call);
  const Sizes sizes = call.operand(0).sizes;
  call.shape.assign(sizes.first(sizes.size() - 1));
}

void eig_backward(Inference& call) {
  need_square(call, 1);
  const Sizes sizes = call.operand(1).sizes;
  need_gradient(call, sizes.first(sizes.size() - 1));
  same_second(call);
}

void linalg_solve(Inference& call) {
  need_square(call);
  const Sizes a = call.operand(0).sizes, b = call.operand(1).sizes;
  // As in PyTorch, B is a vector for each A when its sizes are those of A without the last.
  const bool vectors = b.size() == 1 || std::ranges::equal(b, a.first(a.size() - 1));
  if (!vectors) need_matrix(call, 1);
  const Sizes batch_b = b.first(b.size() - (vectors ? 1 : 2));
  if (b[batch_b.size()] != a.back())
    fail("A is ", to_string(a), " and B is ", to_string(b), "; B must have ", a.back(),
         " rows, not ", b[batch_b.size()]);
  TensorType both[2];
  both[0].sizes = a.first(a.size() - 2);
  both[1].sizes = batch_b;
  call.shape = broadcast_sizes(both);
  call.shape.push_back(a.back());
  if (!vectors) call.shape.push_back(b.back());
}

}  // namespace rt::shape
