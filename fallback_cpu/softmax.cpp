// softmax.cpp -- Softmax and LogSoftmax along a dimension, once per instruction set.
#include "fallback_cpu/dtypes.h"
#include "fallback_cpu/kernels.h"
#include "fallback_cpu/parallel.h"
#include "fallback_cpu/simd.h"

#define HWY_TARGET_INCLUDE "fallback_cpu/softmax.cpp"
#include <hwy/foreach_target.h>

#include "fallback_cpu/fold-inl.h"
#include "fallback_cpu/simd_math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace rt::cpu::HWY_NAMESPACE {
namespace {

/// out = function(in, with), element by element; `out` may be `in`. `with` is one element for all,
/// or lies beside the others.
template <class T, class Function>
HWY_INLINE void over_run(int64_t n, const T* in, T* out, T with, const Function& function) {
  const hn::ScalableTag<T> d;
  const Lanes<hn::ScalableTag<T>> same = with;
  const auto step = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = 0;
  for (; i + step <= n; i += step) store(function(load(d, in + i), same), out + i);
  if (i < n) store_first(function(load_first(d, in + i, n - i), same), out + i, n - i);
}
template <class T, class Function>
HWY_INLINE void over_both(int64_t n, const T* in, T* out, const T* with, const Function& function) {
  const hn::ScalableTag<T> d;
  const auto step = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = 0;
  for (; i + step <= n; i += step) store(function(load(d, in + i), load(d, with + i)), out + i);
  if (i == n) return;
  const auto last = function(load_first(d, in + i, n - i), load_first(d, with + i, n - i));
  store_first(last, out + i, n - i);
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

/// One row of n numbers. `out` holds the powers on the way.
template <class T>
void softmax_row(int64_t n, const T* in, T* out, bool logarithm) {
  const T most = fold_run<FoldMost<true>>(n, in, T{});
  over_run(n, in, out, most, ExpOfDistance());
  const double sum = fold_run<FoldSum>(n, static_cast<const T*>(out), 0.0);
  if (!logarithm) return over_run(n, out, out, static_cast<T>(sum), Quotient());
  over_run(n, in, out, most, Difference());
  over_run(n, out, out, static_cast<T>(std::log(sum)), Difference());
}

constexpr int64_t kColumns = 512;  ///< columns that go side by side

/// Up to kColumns columns of `count` numbers each, `stride` apart.
template <class T>
void softmax_columns(int64_t count, int64_t stride, int64_t n, const T* in, T* out,
                     bool logarithm) {
  T most[kColumns], rest[kColumns];
  double sums[kColumns];
  fold_columns<FoldMost<true>>(count, stride, n, in, static_cast<const T*>(nullptr), most);
  for (int64_t r = 0; r < count; ++r)
    over_both(n, in + r * stride, out + r * stride, most, ExpOfDistance());
  fold_columns<FoldSum>(count, stride, n, static_cast<const T*>(out),
                        static_cast<const double*>(nullptr), sums);
  for (int64_t c = 0; c < n; ++c) rest[c] = static_cast<T>(logarithm ? std::log(sums[c]) : sums[c]);
  for (int64_t r = 0; r < count; ++r) {
    const T* const from = in + r * stride;
    T* const to = out + r * stride;
    if (logarithm) {
      over_both(n, from, to, most, Difference());
      over_both(n, to, to, rest, Difference());
    } else {
      over_both(n, to, to, rest, Quotient());
    }
  }
}

/// A whole tensor, in pieces that its shape alone decides.
template <class T>
void softmax_of(const Extent& extent, int threads, const void* data, void* result, bool logarithm) {
  const T* const in = static_cast<const T*>(data);
  T* const out = static_cast<T*>(result);
  const int64_t count = extent.count, inner = extent.inner;
  if (inner == 1) {
    for_ranges(extent.outer, count, threads, [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row)
        softmax_row(count, in + row * count, out + row * count, logarithm);
    });
    return;
  }
  const int64_t strips = (inner + kColumns - 1) / kColumns;
  const int64_t cost = count * std::min(inner, kColumns);
  for_ranges(extent.outer * strips, cost, threads, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t first = i % strips * kColumns;
      const int64_t at = i / strips * count * inner + first;
      softmax_columns(count, inner, std::min(kColumns, inner - first), in + at, out + at,
                      logarithm);
    }
  });
}

void softmax_of_floats(const Extent& extent, int threads, const void* in, void* out,
                       bool logarithm) {
  softmax_of<float>(extent, threads, in, out, logarithm);
}
void softmax_of_doubles(const Extent& extent, int threads, const void* in, void* out,
                        bool logarithm) {
  softmax_of<double>(extent, threads, in, out, logarithm);
}

}  // namespace
}  // namespace rt::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace rt::cpu {

BufferRef softmax(const Call& call) {
  using Variant = decltype(&HWY_STATIC_DISPATCH(softmax_of_floats));
  static constexpr Variant kFloats[] = RT_SIMD_TABLE(softmax_of_floats);
  static constexpr Variant kDoubles[] = RT_SIMD_TABLE(softmax_of_doubles);
  const BufferRef input = call.contiguous(call.operand(0));
  BufferRef result = call.result();
  const Extent extent(input->sizes(), call.words.integer(0));
  if (result->numel() == 0) return result;
  visit_float(call.row.name, call.dtype, [&]<class T>(Type<T>) {
    const Variant run = simd_choice(std::is_same_v<T, float> ? kFloats : kDoubles);
    run(extent, call.machine.threads, input->data(), result->data(), call.row.op == Op::LogSoftmax);
  });
  return result;
}

}  // namespace rt::cpu
#endif
