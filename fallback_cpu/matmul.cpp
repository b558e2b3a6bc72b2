// matmul.cpp -- Matmul and Dot as products of matrices, over a broadcast batch.
#include <cstring>

#include "elementwise/dtypes.h"
#include "fallback_cpu/gemm.h"
#include "fallback_cpu/kernels.h"
#include "fallback_cpu/parallel.h"
#include "graph/ops/views.h"

namespace rt::cpu {
namespace {

/// An operand as a stack of matrices.
struct Stack {
  const char* data;
  int64_t item;
  Shape sizes;      ///< sizes of the leading dimensions
  Strides strides;  ///< strides of the leading dimensions, in elements
  int64_t rows, columns, row_stride, column_stride;
};

Stack stack_of(const Buffer& buffer, bool left) {
  Shape sizes = buffer.layout().sizes;
  Strides strides = buffer.layout().strides;
  if (sizes.size() == 1) {  // a vector is a row on the left, a column on the right
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

/// Gives dimensions of size 1 the stride that makes the matrix dense. False where a copy is needed.
bool dense(Stack& stack) {
  if (stack.columns == 1) stack.column_stride = stack.row_stride == 1 ? stack.rows : 1;
  if (stack.rows == 1) stack.row_stride = stack.column_stride == 1 ? stack.columns : 1;
  return stack.column_stride == 1 || stack.row_stride == 1;
}

/// Joins matrices that lie one below the other into a tall one, for a product with a single matrix.
void join_rows(Stack& a) {
  while (!a.sizes.empty() && (a.sizes.back() == 1 || a.strides.back() == a.row_stride * a.rows)) {
    a.rows *= a.sizes.back();
    a.sizes.resize(a.sizes.size() - 1);
    a.strides.resize(a.strides.size() - 1);
  }
}

/// The offset in elements of matrix `i` of the broadcast batch `sizes`.
int64_t offset_of(int64_t i, Sizes sizes, const Stack& stack) {
  int64_t offset = 0;
  const size_t missing = sizes.size() - stack.sizes.size();
  for (size_t d = sizes.size(); d-- > missing; i /= sizes[d]) {
    const auto own = static_cast<uint32_t>(d - missing);
    if (stack.sizes[own] != 1) offset += i % sizes[d] * stack.strides[own];
  }
  return offset;
}

/// Strips of rows of about equal height, one for each thread where the product is big enough.
struct ProductStrips {
  int64_t rows, count = 1;
  ProductStrips(int64_t m, int64_t cost_of_row, int threads) : rows(m) {
    const int64_t most = std::min(m / kStripRows, m * cost_of_row / (8 * kParallelFrom));
    count = std::clamp<int64_t>(threads, 1, std::max<int64_t>(most, 1));
  }
  int64_t first(int64_t strip) const { return rows * strip / count; }
};

}  // namespace

BufferRef matmul(const KernelCall& call) {
  BufferRef result = call.result();
  if (result->numel() == 0) return result;
  const DType dtype = call.dtype;
  visit_number(call.row.name, dtype, [](auto) {});
  BufferRef left = call.converted(call.operand(0)), right = call.converted(call.operand(1));
  Stack a = stack_of(*left, true), b = stack_of(*right, false);
  if (a.columns == 0) {
    std::memset(result->data(), 0, static_cast<size_t>(result->numel() * item_size(dtype)));
    return result;
  }
  if (!dense(a)) {
    left = call.contiguous(left);
    a = stack_of(*left, true);
    dense(a);
  }
  if (!dense(b)) {
    right = call.contiguous(right);
    b = stack_of(*right, false);
    dense(b);
  }
  if (b.sizes.empty()) join_rows(a);
  Shape batch = a.sizes.size() >= b.sizes.size() ? a.sizes : b.sizes;
  const Shape& shorter = a.sizes.size() >= b.sizes.size() ? b.sizes : a.sizes;
  for (uint32_t i = 0; i < shorter.size(); ++i) {
    int64_t& size = batch[batch.size() - shorter.size() + i];
    if (size == 1) size = shorter[i];
  }
  const int64_t m = a.rows, n = b.columns, k = a.columns, count = numel(batch);
  const ProductStrips strips(m, n * k, call.machine.team.threads);
  for_ranges(count * strips.count, m * n * k / strips.count, call.machine.team,
             [&](int64_t begin, int64_t end) {
               for (int64_t i = begin; i < end; ++i) {
                 const int64_t matrix = i / strips.count, strip = i % strips.count;
                 const int64_t row = strips.first(strip);
                 const int64_t from = offset_of(matrix, batch, a) + row * a.row_stride;
                 const Matrix rows{a.data + from * a.item, strips.first(strip + 1) - row, k,
                                   a.row_stride, a.column_stride};
                 const Matrix other{b.data + offset_of(matrix, batch, b) * b.item, k, n,
                                    b.row_stride, b.column_stride};
                 gemm(dtype, rows, other, result->data() + (matrix * m + row) * n * a.item, 0,
                      false);
               }
             });
  return result;
}

}  // namespace rt::cpu
