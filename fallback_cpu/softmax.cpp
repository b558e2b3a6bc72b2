// softmax.cpp -- Softmax, LogSoftmax and their gradients, compiled once per instruction set.
#include "elementwise/dtypes.h"
#include "elementwise/simd.h"
#include "fallback_cpu/kernels.h"
#include "fallback_cpu/parallel.h"

#define HWY_TARGET_INCLUDE "fallback_cpu/softmax.cpp"
#include <hwy/foreach_target.h>

#include "elementwise/fold-inl.h"
#include "elementwise/simd_math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace rt::cpu::HWY_NAMESPACE {
namespace {

// An operand of over_run is an array, or one number for all elements.
template <class D>
HWY_INLINE Lanes<D> lanes_at(D d, const hn::TFromD<D>* x, int64_t i) {
  return load(d, x + i);
}
template <class D>
HWY_INLINE Lanes<D> lanes_at(D, hn::TFromD<D> x, int64_t) {
  return x;
}
template <class D>
HWY_INLINE Lanes<D> last_at(D d, const hn::TFromD<D>* x, int64_t i, int64_t n) {
  return load_first(d, x + i, n - i);
}
template <class D>
HWY_INLINE Lanes<D> last_at(D, hn::TFromD<D> x, int64_t, int64_t) {
  return x;
}

/// out[i] = function(operands[i]...) for n elements. `out` may be one of the operands.
template <class T, class Function, class... Operands>
HWY_INLINE void over_run(int64_t n, T* out, const Function& function, Operands... operands) {
  const hn::ScalableTag<T> d;
  const auto step = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = 0;
  for (; i + step <= n; i += step) store(function(lanes_at(d, operands, i)...), out + i);
  if (i < n) store_first(function(last_at(d, operands, i, n)...), out + i, n - i);
}

struct ExpOfDistance {
  template <class V>
  HWY_INLINE V operator()(V x, V most) const {
    return exp(x - most);
  }
};
struct Quotient {
  template <class V>
  HWY_INLINE V operator()(V x, V whole) const {
    return x / whole;
  }
};
struct Difference {
  template <class V>
  HWY_INLINE V operator()(V x, V y) const {
    return x - y;
  }
};

struct Product {
  template <class V>
  HWY_INLINE V operator()(V x, V y) const {
    return x * y;
  }
};
struct SoftmaxSlope {
  template <class V>
  HWY_INLINE V operator()(V grad, V output, V sum) const {
    return (grad - sum) * output;
  }
};
struct LogSoftmaxSlope {
  template <class V>
  HWY_INLINE V operator()(V grad, V output, V sum) const {
    return grad - exp(output) * sum;
  }
};

/// The softmax of a row of n numbers, or its logarithm. `out` holds the exponentials meanwhile.
template <class T>
void softmax_row(int64_t n, const T* in, T* out, bool logarithm) {
  const T most = fold_run<FoldMost<true>>(n, in, T{});
  over_run(n, out, ExpOfDistance(), in, most);
  const double sum = fold_run<FoldSum>(n, static_cast<const T*>(out), 0.0);
  if (!logarithm) return over_run(n, out, Quotient(), out, static_cast<T>(sum));
  over_run(n, out, Difference(), in, most);
  over_run(n, out, Difference(), out, static_cast<T>(std::log(sum)));
}

/// The gradient of a row from the result and its gradient. `out` holds the products meanwhile.
template <class T>
void slope_row(int64_t n, const T* grad, const T* output, T* out, bool logarithm) {
  if (!logarithm) over_run(n, out, Product(), grad, output);
  const auto sum = static_cast<T>(fold_run<FoldSum>(n, logarithm ? grad : out, 0.0));
  if (logarithm) over_run(n, out, LogSoftmaxSlope(), grad, output, sum);
  else over_run(n, out, SoftmaxSlope(), grad, output, sum);
}

constexpr int64_t kColumns = 512;  ///< columns computed side by side

/// The softmax of n <= kColumns columns of `count` numbers. Rows lie `stride` elements apart.
template <class T>
void softmax_columns(int64_t count, int64_t stride, int64_t n, const T* in, T* out,
                     bool logarithm) {
  T most[kColumns], rest[kColumns];
  double sums[kColumns];
  fold_columns<FoldMost<true>>(count, stride, n, in, static_cast<const T*>(nullptr), most);
  for (int64_t r = 0; r < count; ++r)
    over_run(n, out + r * stride, ExpOfDistance(), in + r * stride, most);
  fold_columns<FoldSum>(count, stride, n, static_cast<const T*>(out),
                        static_cast<const double*>(nullptr), sums);
  for (int64_t c = 0; c < n; ++c) rest[c] = static_cast<T>(logarithm ? std::log(sums[c]) : sums[c]);
  for (int64_t r = 0; r < count; ++r) {
    T* const to = out + r * stride;
    if (logarithm) {
      over_run(n, to, Difference(), in + r * stride, most);
      over_run(n, to, Difference(), to, rest);
    } else {
      over_run(n, to, Quotient(), to, rest);
    }
  }
}

template <class T>
void slope_columns(int64_t count, int64_t stride, int64_t n, const T* grad, const T* output, T* out,
                   bool logarithm) {
  double sums[kColumns];
  T rounded[kColumns];
  if (!logarithm)
    for (int64_t r = 0; r < count; ++r)
      over_run(n, out + r * stride, Product(), grad + r * stride, output + r * stride);
  fold_columns<FoldSum>(count, stride, n, logarithm ? grad : out,
                        static_cast<const double*>(nullptr), sums);
  for (int64_t c = 0; c < n; ++c) rounded[c] = static_cast<T>(sums[c]);
  for (int64_t at = 0; at < count * stride; at += stride) {
    if (logarithm) over_run(n, out + at, LogSoftmaxSlope(), grad + at, output + at, rounded);
    else over_run(n, out + at, SoftmaxSlope(), grad + at, output + at, rounded);
  }
}

/// Calls row(at) for every row, or columns(at, n) for every strip of n columns; `at` is the offset
/// of the first element. The shape alone decides the pieces.
template <class Row, class Columns>
void for_slices(const Extent& extent, const Team& team, const Row& row, const Columns& columns) {
  const int64_t count = extent.count, inner = extent.inner;
  if (inner == 1) {
    for_ranges(extent.outer, count, team, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) row(i * count);
    });
    return;
  }
  const int64_t strips = (inner + kColumns - 1) / kColumns;
  const int64_t cost = count * std::min(inner, kColumns);
  for_ranges(extent.outer * strips, cost, team, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t first = i % strips * kColumns;
      columns(i / strips * count * inner + first, std::min(kColumns, inner - first));
    }
  });
}

/// The softmax of a whole tensor `input`, or its logarithm. With a `gradient`, `input` is the
/// result and `gradient` the result's; the operand's gradient is computed.
template <class T>
void softmax_of(const Extent& extent, const Team& team, const void* input, const void* gradient,
                void* result, bool logarithm) {
  const T *const in = static_cast<const T*>(input), *const grad = static_cast<const T*>(gradient);
  T* const out = static_cast<T*>(result);
  const int64_t count = extent.count, stride = extent.inner;
  for_slices(
      extent, team,
      [&](int64_t at) {
        if (grad) slope_row(count, grad + at, in + at, out + at, logarithm);
        else softmax_row(count, in + at, out + at, logarithm);
      },
      [&](int64_t at, int64_t n) {
        if (grad) slope_columns(count, stride, n, grad + at, in + at, out + at, logarithm);
        else softmax_columns(count, stride, n, in + at, out + at, logarithm);
      });
}

void softmax_of_floats(const Extent& extent, const Team& team, const void* input,
                       const void* gradient, void* result, bool logarithm) {
  softmax_of<float>(extent, team, input, gradient, result, logarithm);
}
void softmax_of_doubles(const Extent& extent, const Team& team, const void* input,
                        const void* gradient, void* result, bool logarithm) {
  softmax_of<double>(extent, team, input, gradient, result, logarithm);
}

}  // namespace
}  // namespace rt::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace rt::cpu {
namespace {

using Variant = decltype(&HWY_STATIC_DISPATCH(softmax_of_floats));

Variant variant_of(DType dtype) {
  static constexpr Variant kFloats[] = RT_SIMD_TABLE(softmax_of_floats);
  static constexpr Variant kDoubles[] = RT_SIMD_TABLE(softmax_of_doubles);
  return simd_choice(dtype == DType::F32 ? kFloats : kDoubles);
}

}  // namespace

void softmax_rows(DType dtype, int64_t rows, int64_t count, void* data) {
  const int64_t sizes[] = {rows, count};
  variant_of(dtype)(Extent(sizes, 1), Team{}, data, nullptr, data, false);
}

BufferRef softmax(const KernelCall& call) {
  const Op op = call.row.op;
  const bool logarithm = op == Op::LogSoftmax || op == Op::LogSoftmaxBackward;
  const bool backward = op == Op::SoftmaxBackward || op == Op::LogSoftmaxBackward;
  const BufferRef input = call.contiguous(call.operand(backward ? 1 : 0));
  const BufferRef grad = backward ? call.contiguous(call.operand(0)) : BufferRef();
  BufferRef result = call.result();
  const Extent extent(input->sizes(), call.attributes.integer(0));
  if (result->numel() == 0) return result;
  visit_float(call.row.name, call.dtype, [](auto) {});
  variant_of(call.dtype)(extent, call.machine.team, input->data(),
                         backward ? grad->data() : nullptr, result->data(), logarithm);
  return result;
}

}  // namespace rt::cpu
#endif
