// matmul.cpp -- Matmul and Dot as products of matrices, over a broadcast batch.
#include <cstring>

#include "elementwise/dtypes.h"
#include "fallback_cpu/kernels.h"
#include "fallback_cpu/parallel.h"
#include "fallback_cpu/stack.h"
#include "graph/ops/views.h"

namespace rt::cpu {

Stack Stack::of(const Buffer& buffer, bool left) {
  Shape sizes = buffer.layout().sizes;
  Strides strides = buffer.layout().strides;
  if (sizes.size() == 1) {
    sizes.insert(left ? 0 : 1, 1);
    strides.insert(left ? 0 : 1, sizes[left ? 1 : 0]);
  }
  const uint32_t at = sizes.size() - 2;
  Stack stack{
      buffer.data(),  item_size(buffer.dtype()), {}, {}, sizes[at], sizes[at + 1], strides[at],
      strides[at + 1]};
  sizes.resize(at);
  strides.resize(at);
  stack.sizes = sizes;
  stack.strides = strides;
  return stack;
}

bool Stack::make_dense() {
  if (columns == 1) column_stride = row_stride == 1 ? rows : 1;
  if (rows == 1) row_stride = column_stride == 1 ? columns : 1;
  return column_stride == 1 || row_stride == 1;
}

Matrix Stack::matrix(int64_t i, Sizes batch) const {
  int64_t offset = 0;
  const size_t missing = batch.size() - sizes.size();
  for (size_t d = batch.size(); d-- > missing; i /= batch[d]) {
    const auto own = static_cast<uint32_t>(d - missing);
    if (sizes[own] != 1) offset += i % batch[d] * strides[own];
  }
  return {data + offset * item, rows, columns, row_stride, column_stride};
}

namespace {

/// Joins matrices that lie one below the other into a tall one, for a product with a single matrix.
void join_rows(Stack& a) {
  while (!a.sizes.empty() && (a.sizes.back() == 1 || a.strides.back() == a.row_stride * a.rows)) {
    a.rows *= a.sizes.back();
    a.sizes.resize(a.sizes.size() - 1);
    a.strides.resize(a.strides.size() - 1);
  }
}

/// Strips of rows or of columns, about equal, one for each thread where the product is big enough.
struct ProductStrips {
  bool of_rows;
  int64_t extent, count;  ///< rows or columns of the product; strips
  ProductStrips(int64_t m, int64_t n, int64_t k, int threads)
      : of_rows(m >= n || m >= threads * kLeastStrip), extent(of_rows ? m : n) {
    const int64_t most = std::min(extent / kLeastStrip, m * n * k / (8 * kParallelFrom));
    count = std::clamp<int64_t>(threads, 1, std::max<int64_t>(most, 1));
  }
  int64_t first(int64_t strip) const { return extent * strip / count; }
};

}  // namespace

BufferRef matmul(const KernelCall& call) {
  BufferRef result = call.result();
  if (result->numel() == 0) return result;
  const DType dtype = call.dtype;
  visit_number(call.row.name, dtype, [](auto) {});
  BufferRef left = call.converted(call.operand(0)), right = call.converted(call.operand(1));
  Stack a = Stack::of(*left, true), b = Stack::of(*right, false);
  if (a.columns == 0) {
    std::memset(result->data(), 0, static_cast<size_t>(result->numel() * item_size(dtype)));
    return result;
  }
  const auto make_dense = [&](Stack& stack, BufferRef& operand, bool is_left) {
    if (stack.make_dense()) return;
    operand = call.contiguous(operand);
    stack = Stack::of(*operand, is_left);
    stack.make_dense();
  };
  make_dense(a, left, true);
  make_dense(b, right, false);
  if (b.sizes.empty()) join_rows(a);
  Shape batch = a.sizes.size() >= b.sizes.size() ? a.sizes : b.sizes;
  const Shape& shorter = a.sizes.size() >= b.sizes.size() ? b.sizes : a.sizes;
  for (uint32_t i = 0; i < shorter.size(); ++i) {
    int64_t& size = batch[batch.size() - shorter.size() + i];
    if (size == 1) size = shorter[i];
  }
  const int64_t m = a.rows, n = b.columns, k = a.columns, count = numel(batch);
  const ProductStrips strips(m, n, k, call.machine.team.threads);
  const auto multiply = [&](int64_t matrix, int64_t strip) {
    Matrix left_strip = a.matrix(matrix, batch), right_strip = b.matrix(matrix, batch);
    char* out = result->data() + matrix * m * n * a.item;
    const int64_t first = strips.first(strip), extent = strips.first(strip + 1) - first;
    if (strips.of_rows) {
      left_strip.data += first * a.row_stride * a.item;
      left_strip.rows = extent;
      out += first * n * a.item;
    } else {
      right_strip.data += first * b.column_stride * b.item;
      right_strip.columns = extent;
      out += first * a.item;
    }
    gemm(dtype, left_strip, right_strip, out, n, false);
  };
  for_ranges(count * strips.count, m * n * k / strips.count, call.machine.team,
             [&](int64_t begin, int64_t end) {
               for (int64_t i = begin; i < end; ++i) multiply(i / strips.count, i % strips.count);
             });
  return result;
}

}  // namespace rt::cpu
