// infer_losses.cpp -- shape rules of losses with a reduction.
#include <algorithm>
#include <bit>

#include "graph/error.h"
#include "graph/ops/infer.h"

namespace rt::shape {
namespace {

double number(const Inference& call, uint32_t scalar) {
  return std::bit_cast<double>(call.attributes[scalar]);
}

/// The row's parameter reduction, a code of aten.
int64_t reduction_of(const Inference& call) {
  uint32_t integer = 0;
  for (const Param& param : call.row.params) {
    if (param.kind != Kind::Int && param.kind != Kind::Flag) continue;
    if (param.name == "reduction") break;
    ++integer;
  }
  const int64_t reduction = call.attr().integer(integer);
  if (reduction < 0 || reduction > 2)
    fail("reduction is ", reduction, "; it must be 0 for none, 1 for the mean or 2 for the sum");
  return reduction;
}

/// Makes `terms` the result's sizes, or 0-d where they are reduced.
void reduce_terms(Inference& call, const Shape& terms) {
  const bool reduced = reduction_of(call) != 0;
  if (reduced) call.shape.clear();
  else call.shape = terms;
}

void need_equal_sizes(const Inference& call) {
  if (!std::ranges::equal(call.operand(0).sizes, call.operand(1).sizes))
    fail("target is ", to_string(call.operand(1).sizes), " and self is ",
         to_string(call.operand(0).sizes), "; they must be equal");
}

/// Checks a weight for each class.
void need_class_weights(const Inference& call) {
  const TensorType& weight = call.operand(2);
  if (weight.none) return;
  const Sizes self = call.operand(0).sizes;
  const int64_t classes = self.size() > 1 ? self[1] : self[0];
  if (weight.sizes.size() != 1 || weight.sizes[0] != classes)
    fail("weight is ", to_string(weight.sizes), "; it must be [", classes,
         "], one for each class of self, ", to_string(self));
  if (weight.dtype != call.operand(0).dtype)
    fail("weight is ", name(weight.dtype), " and self ", name(call.operand(0).dtype),
         "; they must be of one dtype");
}

/// The sizes of the terms of a loss by class: self's without its classes.
void reduce_samples(Inference& call) {
  need_class_weights(call);
  const TensorType& target = call.operand(1);
  const Sizes self = call.operand(0).sizes;
  if (!is_float(target.dtype) && numel(target.sizes) > 0 && self[self.size() > 1 ? 1 : 0] == 0)
    fail("self is ", to_string(self), ", which has no classes; there must be at least one");
  Shape terms(call.operand(0).sizes);
  terms.erase(terms.size() > 1 ? 1 : 0);
  reduce_terms(call, terms);
}

void need_probability(const Inference& call, uint32_t scalar, std::string_view name) {
  const double value = number(call, scalar);
  if (!(value >= 0 && value <= 1)) fail(name, " is ", to_string(value), "; it must be from 0 to 1");
}

}  // namespace

void loss(Inference& call) { reduce_terms(call, broadcast_sizes(call.operands)); }

void smooth_l1_loss(Inference& call) {
  const double beta = number(call, 0);
  if (!(beta >= 0)) fail("beta is ", to_string(beta), "; it must be at least 0");
  // The least number that is normal in all dtypes stands for 0, so that no slope is 0 / 0.
  constexpr double kLeast = 0x1p-126;
  if (beta == 0) call.attributes[0] = std::bit_cast<int64_t>(kLeast);
  loss(call);
}

void huber_loss(Inference& call) {
  const double delta = number(call, 0);
  if (!(delta > 0)) fail("delta is ", to_string(delta), "; it must be above 0");
  loss(call);
}

void weighted_loss(Inference& call) {
  need_equal_sizes(call);
  const Sizes self = call.operand(0).sizes;
  for (uint32_t i = 2; i < call.operands.size(); ++i) {
    const TensorType& weight = call.operand(i);
    if (weight.none) continue;
    const TensorType both[] = {call.operand(0), weight};
    if (!std::ranges::equal(Sizes(broadcast_sizes(both)), self))
      fail(call.row.params[i].name, " is ", to_string(weight.sizes),
           "; it must broadcast to self, ", to_string(self));
    if (weight.dtype != call.operand(0).dtype)
      fail(call.row.params[i].name, " is ", name(weight.dtype), " and self ",
           name(call.operand(0).dtype), "; they must be of one dtype");
  }
  reduce_terms(call, Shape(self));
}

void margin_ranking_loss(Inference& call) {
  for (const uint32_t i : {1u, 2u})
    if (call.operand(i).sizes.size() != call.operand(0).sizes.size())
      fail(call.row.params[i].name, " is ", to_string(call.operand(i).sizes), " and input1 is ",
           to_string(call.operand(0).sizes), "; they must have as many dimensions");
  loss(call);
}

void cosine_similarity(Inference& call) {
  call.shape = broadcast_sizes(call.operands);
  int64_t& dim = call.attr().integer(0);
  dim = wrapped_dim(dim, call.shape.size());
  if (!call.shape.empty()) call.shape.erase(static_cast<uint32_t>(dim));
  const double eps = number(call, 0);
  if (!(eps >= 0)) fail("eps is ", to_string(eps), "; it must be at least 0");
}

void cosine_embedding_loss(Inference& call) {
  const size_t rank = call.operand(2).sizes.size();
  if (rank > 1)
    fail("target is ", to_string(call.operand(2).sizes), "; it must be [N], or 0-d for one pair");
  for (const uint32_t i : {0u, 1u})
    if (call.operand(i).sizes.size() != rank + 1)
      fail(call.row.params[i].name, " is ", to_string(call.operand(i).sizes), "; for a target of ",
           rank, " dimensions it must have ", rank + 1);
  Shape pairs = broadcast_sizes(call.operands.first(2));
  pairs.erase(pairs.size() - 1);
  TensorType both[2] = {call.operand(2), call.operand(2)};
  both[1].sizes = pairs;
  reduce_terms(call, broadcast_sizes(both));
}

void nll_loss_nd(Inference& call) {
  nll_loss(call);
  reduce_samples(call);
}

void cross_entropy_loss(Inference& call) {
  cross_entropy(call);
  if (is_float(call.operand(1).dtype) && call.attr().integer(1) >= 0)
    fail("ignore_index is ", call.attr().integer(1),
         " and target holds probabilities; only class indices can be ignored: give -100");
  reduce_samples(call);
}

void smoothed_cross_entropy_loss(Inference& call) {
  need_probability(call, 0, "label_smoothing");
  cross_entropy_loss(call);
  const TensorType& target = call.operand(1);
  if (call.operand(0).sizes.size() == 1 && !is_float(target.dtype) && !target.sizes.empty())
    fail("target is ", to_string(target.sizes),
         "; with label_smoothing it must be 0-d for one sample");
}

}  // namespace rt::shape

namespace rt::type {

void embedded_pair(Inference& call) {
  Inference pair{call.row,   call.operands.first(2), call.attributes, call.shape, call.dtype,
                 call.device};
  promote_floating(pair);
}

}  // namespace rt::type
