// scatter.cpp -- additions to indexed elements: the reverses of Gather, IndexSelect and Embedding.
#include <cstring>

#include "elementwise/dtypes.h"
#include "fallback_cpu/indices.h"
#include "fallback_cpu/parallel.h"

namespace rt::cpu {
namespace {

// Threads split the result and not the index, so that each
// element is added to in the index's order.

/// Adds to the slabs of `result` along `dim` that the index names.
template <class T>
void add_slabs(const KernelCall& call, const Buffer& result, int64_t dim, const Indices& indices,
               const Buffer& source) {
  const Extent extent(result.sizes(), dim);
  const T* const in = reinterpret_cast<const T*>(source.data());
  T* const out = reinterpret_cast<T*>(result.data());
  constexpr int64_t kStrip = 64;
  const int64_t count = indices.count(), inner = extent.inner;
  const int64_t strips = (inner + kStrip - 1) / kStrip;
  for_ranges(extent.outer * strips, count * std::min(inner, kStrip), call.machine.team,
             [&](int64_t begin, int64_t end) {
               for (int64_t item = begin; item < end; ++item) {
                 const int64_t outer = item / strips, first = item % strips * kStrip;
                 const int64_t width = std::min(kStrip, inner - first);
                 for (int64_t i = 0; i < count; ++i) {
                   const T* const from = in + (outer * count + i) * inner + first;
                   T* const to = out + (outer * extent.count + indices[i]) * inner + first;
                   for (int64_t c = 0; c < width; ++c) to[c] += from[c];
                 }
               }
             });
}

/// Adds to the elements of `result` that the index names in each line along `dim`.
template <class T>
void add_elements(const KernelCall& call, const Buffer& result, const Lines& lines, int64_t dim,
                  const Indices& indices, const Buffer& source) {
  const Extent extent(source.sizes(), dim);
  const T* const in = reinterpret_cast<const T*>(source.data());
  T* const out = reinterpret_cast<T*>(result.data());
  const int64_t inner = extent.inner;
  for_ranges(extent.outer * inner, extent.count, call.machine.team,
             [&](int64_t begin, int64_t end) {
               for (int64_t line = begin; line < end; ++line) {
                 const int64_t first = line / inner * extent.count * inner + line % inner;
                 T* const to = out + lines.start(first);
                 for (int64_t i = 0, at = first; i < extent.count; ++i, at += inner)
                   to[indices[at] * lines.step] += in[at];
               }
             });
}

BufferRef embedding_backward(const KernelCall& call) {
  const Indices indices(call, call.operand(1));
  indices.check(0, call.sizes[0]);
  BufferRef result = call.result();
  std::memset(result->data(), 0, static_cast<size_t>(result->numel() * item_size(call.dtype)));
  const BufferRef grad = call.contiguous(call.operand(0));
  visit_float(call.row.name, call.dtype,
              [&]<class T>(Type<T>) { add_slabs<T>(call, *result, 0, indices, *grad); });
  return result;
}

}  // namespace

BufferRef scatter_add(const KernelCall& call) {
  if (call.row.op == Op::EmbeddingBackward) return embedding_backward(call);
  const BufferRef& self = call.operand(0);
  const int64_t dim = call.attributes.integer(0);
  const Indices indices(call, call.operand(1));
  BufferRef result = call.copied(*self);
  if (indices.count() == 0) return result;
  const Lines lines(call.operand(1)->sizes(), result->layout(), dim);
  indices.check(dim, lines.size);
  const BufferRef source = call.contiguous(call.operand(2));
  visit_float(call.row.name, call.dtype, [&]<class T>(Type<T>) {
    if (call.row.op == Op::IndexAdd) add_slabs<T>(call, *result, dim, indices, *source);
    else add_elements<T>(call, *result, lines, dim, indices, *source);
  });
  return result;
}

}  // namespace rt::cpu
