// infer_math.cpp -- shape rules of reductions, products, layers and losses.
#include <algorithm>
#include <bit>

#include "graph/error.h"
#include "graph/ops/infer.h"

namespace rt::shape {
namespace {

TensorType of_sizes(Sizes sizes) {
  TensorType type;
  type.sizes = sizes;
  return type;
}

void need_elements(const Inference& call) {
  if (numel(call.operand(0).sizes) == 0)
    fail("self has no elements; it must have at least one; check numel first");
}

/// Removes the dimension of integer 0 from the shape, or makes it 1 where
/// integer 1 (keepdim) is set.
void reduce_at(Inference& call, int64_t dim) {
  call.shape.assign(call.operand(0).sizes);
  if (call.shape.empty()) return;
  if (call.attr().integer(1)) call.shape[static_cast<uint32_t>(dim)] = 1;
  else call.shape.erase(static_cast<uint32_t>(dim));
}

void need_class_target(const TensorType& target) {
  if (target.dtype != DType::I64)
    fail("target is ", name(target.dtype), "; class indices must be i64; convert with to_int");
}

/// Checks class numbers for input [C], [N,C] or [N,C,d...]: target has these sizes without C.
void check_classes(const TensorType& input, const TensorType& target) {
  if (input.sizes.size() == 1) {
    if (target.sizes.size() > 1 || numel(target.sizes) != 1)
      fail("target is ", to_string(target.sizes), "; for one sample it must be [] or [1]");
    return;
  }
  if (target.sizes.empty() || target.sizes[0] != input.sizes[0])
    fail("input has a batch of ", input.sizes[0], " and target is ", to_string(target.sizes),
         "; give one class index for each sample");
  Shape wanted(input.sizes);
  wanted.erase(1);
  if (!std::ranges::equal(wanted, target.sizes))
    fail("target is ", to_string(target.sizes), "; for input ", to_string(input.sizes),
         " it must be ", to_string(wanted));
}

/// Checks class numbers for [N,C], the one form in which gradients of nll_loss are computed.
void need_samples(const TensorType& input, const TensorType& target) {
  if (input.sizes.size() != 2) fail("self is ", to_string(input.sizes), "; it must be [N,C]");
  need_class_target(target);
  check_classes(input, target);
}

}  // namespace

void scalar(Inference& call) { call.shape.clear(); }

void isclose(Inference& call) {
  for (uint32_t i = 0; i < call.row.scalars; ++i) {
    const double tolerance = std::bit_cast<double>(call.attributes[i]);
    if (tolerance < 0)
      fail(i == 0 ? "rtol" : "atol", " is ", to_string(tolerance), "; it must not be negative");
  }
  broadcast(call);
}

void allclose(Inference& call) {
  isclose(call);
  call.shape.clear();
}

void all_equal(Inference& call) {
  equal(call);
  call.shape.clear();
}

void prelu(Inference& call) {
  const Sizes self = call.operand(0).sizes, weight = call.operand(1).sizes;
  if (weight.size() > 1) fail("weight is ", to_string(weight), "; it must be [] or 1-D");
  const int64_t channels = self.size() > 1 ? self[1] : 1;
  if (const int64_t count = numel(weight); count != 1 && count != channels)
    fail("weight has ", count, " elements and self ", to_string(self), " has ", channels,
         " channels in dimension 1; weight must have 1 or as many");
  same(call);
}

void scalar_of_some(Inference& call) {
  need_elements(call);
  call.shape.clear();
}

void reduce(Inference& call) {
  int64_t& dim = call.attr().integer(0);
  dim = wrapped_dim(dim, call.operand(0).sizes.size());
  reduce_at(call, dim);
}

void reduce_some(Inference& call) {
  reduce(call);
  const auto dim = static_cast<size_t>(call.attr().integer(0));
  const Sizes from = call.operand(0).sizes;
  if (!from.empty() && from[dim] == 0)
    fail("dimension ", dim, " of ", to_string(from),
         " is empty; it must have at least one element");
}

void arg_reduce(Inference& call) {
  int64_t& dim = call.attr().integer(0);
  if (dim >= 0) return reduce_some(call);
  dim = -1;
  need_elements(call);
  if (!call.attr().integer(1)) return call.shape.clear();
  call.shape.clear();
  call.shape.resize(static_cast<uint32_t>(call.operand(0).sizes.size()), 1);
}

void matmul(Inference& call) {
  const Sizes a = call.operand(0).sizes, b = call.operand(1).sizes;
  if (a.empty() || b.empty())
    fail("a 0-d operand cannot be matrix-multiplied; use mul, or reshape it to [1]");
  const int64_t inner_a = a.back(), inner_b = b.size() == 1 ? b[0] : b[b.size() - 2];
  if (inner_a != inner_b)
    fail("inner sizes differ: ", to_string(a), " x ", to_string(b), " has ", inner_a, " and ",
         inner_b, "; transpose or reshape one of them");
  const auto leading = [](Sizes sizes) {
    return of_sizes(sizes.first(sizes.size() > 2 ? sizes.size() - 2 : 0));
  };
  const TensorType both[] = {leading(a), leading(b)};
  call.shape = broadcast_sizes(both);
  if (a.size() > 1) call.shape.push_back(a[a.size() - 2]);
  if (b.size() > 1) call.shape.push_back(b.back());
}

void dot(Inference& call) {
  const Sizes a = call.operand(0).sizes, b = call.operand(1).sizes;
  if (a.size() != 1 || b.size() != 1)
    fail("dot takes two 1-D tensors, not ", to_string(a), " and ", to_string(b), "; use matmul");
  if (a[0] != b[0])
    fail("the operands have ", a[0], " and ", b[0], " elements; they must have as many");
  call.shape.clear();
}

void linear(Inference& call) {
  const Sizes input = call.operand(0).sizes, weight = call.operand(1).sizes;
  const TensorType& bias = call.operand(2);
  if (weight.empty() || weight.size() > 2)
    fail("weight is ", to_string(weight), "; it must be [out_features,in_features]");
  if (input.empty()) fail("input is 0-d; its last dimension must be in_features, ", weight.back());
  if (input.back() != weight.back())
    fail("input ", to_string(input), " has ", input.back(), " features and weight ",
         to_string(weight), " takes ", weight.back(), "; they must be equal");
  call.shape.assign(input.first(input.size() - 1));
  if (weight.size() == 2) call.shape.push_back(weight[0]);
  if (bias.none) return;
  if (weight.size() == 1) fail("weight is 1-D and takes no bias; give weight as [1,in_features]");
  const auto need_to_fit = [&](const Shape& sizes) {
    const TensorType both[] = {of_sizes(sizes), bias};
    if (!(broadcast_sizes(both) == sizes))
      fail("bias is ", to_string(bias.sizes), "; it must broadcast to ", to_string(sizes));
  };
  need_to_fit(call.shape);
  // libtorch multiplies an input of more dimensions as one matrix and adds the bias to that.
  if (input.size() > 2) need_to_fit({numel(input.first(input.size() - 1)), weight[0]});
}

void embedding(Inference& call) {
  const TensorType &indices = call.operand(0), &weight = call.operand(1);
  if (weight.sizes.size() != 2)
    fail("weight is ", to_string(weight.sizes), "; it must be [num_embeddings,embedding_dim]");
  if (indices.dtype != DType::I64 && indices.dtype != DType::I32)
    fail("indices are ", name(indices.dtype), "; they must be i64 or i32");
  if (weight.sizes[0] == 0 && numel(indices.sizes) > 0)
    fail("weight is ", to_string(weight.sizes),
         "; it must have at least one row, because indices has elements");
  call.shape.assign(indices.sizes);
  call.shape.push_back(weight.sizes[1]);
}

void embedding_backward(Inference& call) {
  const Sizes grad = call.operand(0).sizes, indices = call.operand(1).sizes;
  const int64_t rows = call.attr().integer(0);
  if (grad.empty() || !std::ranges::equal(grad.first(grad.size() - 1), indices))
    fail("grad_output is ", to_string(grad), "; it must be indices' sizes ", to_string(indices),
         " and one more");
  if (call.operand(1).dtype != DType::I64 && call.operand(1).dtype != DType::I32)
    fail("indices are ", name(call.operand(1).dtype), "; they must be i64 or i32");
  if (rows < 0) fail("num_weights is ", rows, "; it must not be negative");
  call.shape = {rows, grad.back()};
}

void mse_loss(Inference& call) {
  broadcast_sizes(call.operands);
  call.shape.clear();
}

void nll_loss(Inference& call) {
  const TensorType &input = call.operand(0), &target = call.operand(1);
  if (input.sizes.empty()) fail("input is 0-d; it must be [C], [N,C] or [N,C,d...]");
  need_class_target(target);
  check_classes(input, target);
  call.shape.clear();
}

void nll_loss_total_weight(Inference& call) {
  need_samples(call.operand(0), call.operand(1));
  call.shape.clear();
}

void nll_loss_backward(Inference& call) {
  need_samples(call.operand(1), call.operand(2));
  for (const uint32_t i : {0u, 3u})
    if (!call.operand(i).sizes.empty())
      fail(call.row.params[i].name, " is ", to_string(call.operand(i).sizes), "; it must be 0-d");
  same_second(call);
}

void loss_backward(Inference& call) {
  const Sizes grad = call.operand(0).sizes, self = call.operand(1).sizes;
  if (!std::ranges::equal(self, call.operand(2).sizes))
    fail("target is ", to_string(call.operand(2).sizes), " and self is ", to_string(self),
         "; they must be equal");
  if (!grad.empty() && !std::ranges::equal(grad, self))
    fail("grad_output is ", to_string(grad), "; it must be 0-d or like self, ", to_string(self));
  same_second(call);
}

void cross_entropy(Inference& call) {
  const TensorType &input = call.operand(0), &target = call.operand(1);
  if (std::ranges::equal(input.sizes, target.sizes) && is_float(target.dtype)) {
    if (input.sizes.empty()) fail("input is 0-d; it must be [C], [N,C] or [N,C,d...]");
    call.shape.clear();
    return;
  }
  if (std::ranges::equal(input.sizes, target.sizes) && !input.sizes.empty())
    fail("target has input's sizes ", to_string(input.sizes),
         ", so it holds class probabilities, which must be floats, not ", name(target.dtype));
  nll_loss(call);
}

void binary_cross_entropy_terms(Inference& call) {
  if (!std::ranges::equal(call.operand(0).sizes, call.operand(1).sizes))
    fail("target is ", to_string(call.operand(1).sizes), " and self is ",
         to_string(call.operand(0).sizes), "; they must be equal");
  same(call);
}

void binary_cross_entropy(Inference& call) {
  binary_cross_entropy_terms(call);
  call.shape.clear();
}

}  // namespace rt::shape
