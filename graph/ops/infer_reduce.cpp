// infer_reduce.cpp -- shape rules of reductions over several dimensions, of scans and of order.
#include <bit>
#include <cmath>
#include <limits>
#include <utility>

#include "graph/error.h"
#include "graph/ops/infer.h"

namespace rt::shape {
namespace {

/// Makes list 0 name all dimensions.
void name_all_dims(Inference& call) {
  const auto at = static_cast<uint32_t>(call.attr().list(0).data() - call.attributes.data());
  const size_t rank = call.operand(0).sizes.size();
  call.attributes[at - 1] = static_cast<int64_t>(rank);
  for (uint32_t dim = 0; dim < rank; ++dim) call.attributes.insert(at + dim, dim);
}

double order_at(const Inference& call, uint32_t scalar) {
  return std::bit_cast<double>(call.attributes[scalar]);
}

/// Throws where a norm of this order needs an element and has none.
void need_elements_for(double order, int64_t count, Sizes sizes) {
  if (count == 0 && (order < 0 || order == std::numeric_limits<double>::infinity()))
    fail("self is ", to_string(sizes), " and the order of the norm ", to_string(order),
         ", for which each norm must be of at least one element; use an order from 0 on that is "
         "not infinite");
}

/// Takes the rule `reduce` with the integers from `first` on, the last of which is keepdim.
void reduce_with(Inference& call, ShapeRule rule, uint32_t dim_at) {
  const auto integers = call.attr();
  Small<int64_t, 10> attributes;
  for (uint32_t i = 0; i < call.row.scalars; ++i) attributes.push_back(integers.scalar(i));
  attributes.push_back(integers.integer(dim_at));
  attributes.push_back(integers.integer(call.row.integers - 1u));
  Inference inner{call.row, call.operands, attributes, call.shape, call.dtype, call.device};
  rule(inner);
  integers.integer(dim_at) = attributes[call.row.scalars];
}

}  // namespace

void reduce_dims(Inference& call) {
  const Sizes from = call.operand(0).sizes;
  const bool keep = call.row.integers > 0 && call.attr().integer(call.row.integers - 1u) != 0;
  if (call.row.integers > 1 && call.attr().integer(0) < 0)
    fail("correction is ", call.attr().integer(0), "; it must not be negative");
  uint64_t reduced = 0;
  for (int64_t& dim : call.attr().list(0)) {
    dim = wrapped_dim(dim, from.size());
    if (reduced >> dim & 1) fail("dim names dimension ", dim, " twice; name each once");
    reduced |= uint64_t{1} << dim;
  }
  if (from.empty()) replace_list(call, 0, {});
  else if (reduced == 0) name_all_dims(call);
  const bool all = reduced == 0;
  call.shape.clear();
  for (size_t d = 0; d < from.size(); ++d) {
    if (!all && !(reduced >> d & 1)) call.shape.push_back(from[d]);
    else if (keep) call.shape.push_back(1);
  }
}

void reduce_dims_some(Inference& call) {
  reduce_dims(call);
  const Sizes from = call.operand(0).sizes;
  for (const int64_t dim : call.attr().list(0))
    if (from[static_cast<size_t>(dim)] == 0)
      fail("dimension ", dim, " of ", to_string(from),
           " is empty; it must have at least one element");
}

void reduce_spread(Inference& call) { reduce_with(call, reduce, 0); }

void norm_dims(Inference& call) {
  reduce_dims(call);
  const Sizes from = call.operand(0).sizes;
  int64_t count = 1;
  for (const int64_t dim : call.attr().list(0)) count *= from[static_cast<size_t>(dim)];
  need_elements_for(order_at(call, 0), count, from);
}

void norm_scalar(Inference& call) {
  const Sizes from = call.operand(0).sizes;
  need_elements_for(order_at(call, 0), numel(from), from);
  call.shape.clear();
}

void sorted(Inference& call) {
  same(call);
  int64_t& dim = call.attr().integer(1);
  dim = wrapped_dim(dim, call.shape.size());
  // Of the orders that a call leaves open all backends give one, the stable one.
  if (call.row.rules.shape == shape::sorted) call.attr().integer(0) = 1;
}

void topk(Inference& call) {
  sorted(call);
  const int64_t k = call.attr().integer(0);
  const auto dim = static_cast<uint32_t>(call.attr().integer(1));
  const int64_t size = call.shape.empty() ? 1 : call.shape[dim];
  if (k < 0 || k > size)
    fail("k is ", k, "; dimension ", dim, " of ", to_string(call.operand(0).sizes),
         " takes a k from 0 to ", size);
  if (!call.shape.empty()) call.shape[dim] = k;
  call.attr().integer(3) = 1;  // sorted, see above
}

void kthvalue(Inference& call) {
  reduce_with(call, reduce, 1);
  const Sizes from = call.operand(0).sizes;
  const int64_t k = call.attr().integer(0), dim = call.attr().integer(1);
  const int64_t size = from.empty() ? 1 : from[static_cast<size_t>(dim)];
  if (k < 1 || k > size)
    fail("k is ", k, "; dimension ", dim, " of ", to_string(from), " has ", size,
         " elements, and k must be from 1 to their number");
}

void quantile(Inference& call) {
  const double q = order_at(call, 0);
  if (!(q >= 0 && q <= 1)) fail("q is ", to_string(q), "; it must be from 0 to 1");
  reduce_some(call);
  if (numel(call.operand(0).sizes) == 0)
    fail("self has no elements; it must have at least one; check numel first");
}

void diff(Inference& call) {
  same(call);
  if (call.shape.empty()) fail("self is 0-d and has no neighbours; reshape it to [1] first");
  const int64_t n = call.attr().integer(0);
  int64_t& dim = call.attr().integer(1);
  dim = wrapped_dim(dim, call.shape.size());
  if (n < 0) fail("n is ", n, "; it must not be negative");
  int64_t& size = call.shape[static_cast<uint32_t>(dim)];
  for (uint32_t i = 1; i < 3; ++i) {
    const TensorType& part = call.operand(i);
    if (part.none) continue;
    bool fits = part.sizes.size() == call.shape.size();
    for (uint32_t d = 0; fits && d < call.shape.size(); ++d)
      fits = d == dim || part.sizes[d] == call.operand(0).sizes[d];
    if (!fits)
      fail(call.row.params[i + 2].name, " is ", to_string(part.sizes), " and self ",
           to_string(call.operand(0).sizes), "; only dimension ", dim, " may differ");
    if (n > 0 && __builtin_add_overflow(size, part.sizes[static_cast<size_t>(dim)], &size))
      fail("the size at dimension ", dim, " overflows 64 bits");
  }
  size -= n < size ? n : size;
}

}  // namespace rt::shape
