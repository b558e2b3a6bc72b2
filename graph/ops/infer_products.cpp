// infer_products.cpp -- shape rules of products of vectors and matrices, and of distances.
#include <algorithm>
#include <bit>
#include <limits>

#include "graph/error.h"
#include "graph/ops/infer.h"

namespace rt::shape {
namespace {

void need_rank(const Inference& call, uint32_t operand, size_t rank, std::string_view sizes) {
  if (call.operand(operand).sizes.size() != rank)
    fail(call.row.params[operand].name, " is ", to_string(call.operand(operand).sizes),
         "; it must be ", sizes);
}

/// matmul of the operands from `first` on.
void product(Inference& call, uint32_t first) {
  Inference inner{call.row,        call.operands.subspan(first, 2),
                  call.attributes, call.shape,
                  call.dtype,      call.device};
  matmul(inner);
}

void need_batches(const Inference& call, uint32_t first) {
  for (const uint32_t i : {first, first + 1}) need_rank(call, i, 3, "[b,m,n]");
  const int64_t a = call.operand(first).sizes[0], b = call.operand(first + 1).sizes[0];
  if (a != b) fail("the operands have ", a, " and ", b, " matrices; they must have as many");
}

/// self must broadcast to the shape.
void need_self_to_fit(const Inference& call) {
  TensorType both[2];
  both[0].sizes = call.operand(0).sizes;
  both[1].sizes = call.shape;
  if (!(broadcast_sizes(both) == call.shape))
    fail("self is ", to_string(call.operand(0).sizes), "; it must broadcast to the product, ",
         to_string(call.shape));
}

}  // namespace

void mm(Inference& call) {
  for (const uint32_t i : {0u, 1u}) need_rank(call, i, 2, "[m,n]; use matmul");
  product(call, 0);
}

void bmm(Inference& call) {
  need_batches(call, 0);
  product(call, 0);
}

void mv(Inference& call) {
  need_rank(call, 0, 2, "[m,n]");
  need_rank(call, 1, 1, "[n]");
  product(call, 0);
}

void addmm(Inference& call) {
  for (const uint32_t i : {1u, 2u}) need_rank(call, i, 2, "[m,n]");
  product(call, 1);
  need_self_to_fit(call);
}

void addmv(Inference& call) {
  need_rank(call, 1, 2, "[m,n]");
  need_rank(call, 2, 1, "[n]");
  product(call, 1);
  need_self_to_fit(call);
}

void baddbmm(Inference& call) {
  need_batches(call, 1);
  product(call, 1);
  need_self_to_fit(call);
}

void addbmm(Inference& call) {
  need_batches(call, 1);
  product(call, 1);
  call.shape.erase(0);
  need_self_to_fit(call);
}

void outer(Inference& call) {
  for (const uint32_t i : {0u, 1u}) need_rank(call, i, 1, "[n]");
  call.shape = {call.operand(0).sizes[0], call.operand(1).sizes[0]};
}

void addr(Inference& call) {
  for (const uint32_t i : {1u, 2u}) need_rank(call, i, 1, "[n]");
  call.shape = {call.operand(1).sizes[0], call.operand(2).sizes[0]};
  need_self_to_fit(call);
}

void inner(Inference& call) {
  const Sizes a = call.operand(0).sizes, b = call.operand(1).sizes;
  if (a.empty() || b.empty()) return broadcast(call);
  if (a.back() != b.back())
    fail("the last sizes of ", to_string(a), " and ", to_string(b), " are ", a.back(), " and ",
         b.back(), "; they must be equal");
  call.shape.assign(a.first(a.size() - 1));
  call.shape.append(b.first(b.size() - 1));
}

void tensordot(Inference& call) {
  const auto attributes = call.attr();
  const auto dims_a = attributes.list(0), dims_b = attributes.list(1);
  if (dims_a.size() != dims_b.size())
    fail("dims_self names ", dims_a.size(), " dimensions and dims_other ", dims_b.size(),
         "; they must name as many");
  uint64_t seen[2] = {0, 0};
  for (const uint32_t i : {0u, 1u})
    for (int64_t& dim : attributes.list(i)) {
      dim = wrapped_dim(dim, call.operand(i).sizes.size());
      if (seen[i] >> dim & 1)
        fail(i == 0 ? "dims_self" : "dims_other", " names dimension ", dim,
             " twice; name each once");
      seen[i] |= uint64_t{1} << dim;
    }
  const Sizes a = call.operand(0).sizes, b = call.operand(1).sizes;
  if ((a.empty() || b.empty()) && !dims_a.empty())
    fail("a 0-d tensor has no dimension to sum over; use mul");
  for (size_t i = 0; i < dims_a.size(); ++i) {
    const auto d = static_cast<size_t>(dims_a[i]), e = static_cast<size_t>(dims_b[i]);
    if (a[d] != b[e])
      fail("dimension ", d, " of ", to_string(a), " and dimension ", e, " of ", to_string(b),
           " are summed over together; they must be equal");
  }
  call.shape.clear();
  for (const uint32_t i : {0u, 1u})
    for (size_t d = 0; d < call.operand(i).sizes.size(); ++d)
      if (!(seen[i] >> d & 1)) call.shape.push_back(call.operand(i).sizes[d]);
}

void kron(Inference& call) {
  const Sizes a = call.operand(0).sizes, b = call.operand(1).sizes;
  const size_t rank = std::max(a.size(), b.size());
  if (rank > 32) fail("the operands have ", rank, " dimensions; at most 32 are supported");
  call.shape.clear();
  for (size_t d = 0; d < rank; ++d) {
    const auto size = [&](Sizes sizes) {
      const size_t missing = rank - sizes.size();
      return d < missing ? 1 : sizes[d - missing];
    };
    int64_t both = 0;
    if (__builtin_mul_overflow(size(a), size(b), &both))
      fail("the size at dimension ", d, " overflows 64 bits");
    call.shape.push_back(both);
  }
}

void cross(Inference& call) {
  const Sizes a = call.operand(0).sizes, b = call.operand(1).sizes;
  if (a.size() != b.size())
    fail("self is ", to_string(a), " and other ", to_string(b),
         "; they must have as many dimensions");
  int64_t& dim = call.attr().integer(0);
  dim = wrapped_dim(dim, a.size());
  const auto at = static_cast<size_t>(dim);
  if (a.empty() || a[at] != 3 || b[at] != 3)
    fail("self is ", to_string(a), " and other ", to_string(b), "; their size at dimension ", dim,
         " must be 3");
  broadcast(call);
}

void trace(Inference& call) {
  need_rank(call, 0, 2, "[m,n]");
  call.shape.clear();
}

void cdist(Inference& call) {
  const Sizes a = call.operand(0).sizes, b = call.operand(1).sizes;
  for (const uint32_t i : {0u, 1u})
    if (call.operand(i).sizes.size() < 2)
      fail(call.row.params[i].name, " is ", to_string(call.operand(i).sizes),
           "; it must be [...,rows,columns]");
  if (a.back() != b.back())
    fail("x1 is ", to_string(a), " and x2 ", to_string(b), "; they must have as many columns");
  const double p = std::bit_cast<double>(call.attributes[0]);
  if (!(p >= 0)) fail("p is ", to_string(p), "; it must not be negative");
  TensorType both[2];
  both[0].sizes = a.first(a.size() - 2);
  both[1].sizes = b.first(b.size() - 2);
  call.shape = broadcast_sizes(both);
  call.shape.push_back(a[a.size() - 2]);
  call.shape.push_back(b[b.size() - 2]);
}

void pairwise_distance(Inference& call) {
  call.shape = broadcast_sizes(call.operands);
  const double p = std::bit_cast<double>(call.attributes[0]);
  if (call.shape.empty()) return;
  if (call.shape.back() == 0 && (p < 0 || p == std::numeric_limits<double>::infinity()))
    fail("the operands have rows of no elements; a p of ", to_string(p), " needs at least one");
  if (call.attr().integer(0)) call.shape.back() = 1;
  else call.shape.erase(call.shape.size() - 1);
}

}  // namespace rt::shape
