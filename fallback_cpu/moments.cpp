// moments.cpp -- MeanDims and VarDims: statistics over any dimensions, in a fixed order, compiled
// once per instruction set.
#include <vector>

#include "elementwise/dtypes.h"
#include "elementwise/simd.h"
#include "fallback_cpu/kernels.h"
#include "fallback_cpu/parallel.h"

#define HWY_TARGET_INCLUDE "fallback_cpu/moments.cpp"
#include <hwy/foreach_target.h>

#include "fallback_cpu/moments-inl.h"

#ifndef RT_MOMENTS_CPP_
#define RT_MOMENTS_CPP_
namespace rt::cpu {
namespace {

/// A contiguous tensor, seen as [outer, kept, inner]. Outer and inner are reduced.
struct Around {
  BufferRef buffer;
  int64_t outer, kept, inner;
};

/// Sees the operand with its reduced dimensions around the kept ones. Where the kept ones are not
/// neighbours, they are moved to the front.
Around around(const KernelCall& call) {
  BufferRef input = call.operand(0);
  const size_t rank = input->sizes().size();
  std::vector<bool> reduced(rank, false);
  for (const int64_t dim : call.attributes.list(0)) reduced[static_cast<size_t>(dim)] = true;
  size_t first = 0, last = rank;
  while (first < last && reduced[first]) ++first;
  while (first < last && reduced[last - 1]) --last;
  if (std::count(reduced.begin(), reduced.end(), false) != static_cast<ptrdiff_t>(last - first)) {
    Layout layout;
    layout.offset = input->layout().offset;
    for (const bool now : {false, true})
      for (size_t d = 0; d < rank; ++d) {
        if (reduced[d] != now) continue;
        layout.sizes.push_back(input->sizes()[d]);
        layout.strides.push_back(input->strides()[d]);
      }
    first = 0;
    last = static_cast<size_t>(std::count(reduced.begin(), reduced.end(), false));
    input = BufferRef(new Buffer(input->storage(), input->dtype(), std::move(layout)));
  }
  input = call.contiguous(input);
  const Sizes sizes = input->sizes();
  return {input, numel(sizes.first(first)), numel(sizes.subspan(first, last - first)),
          numel(sizes.subspan(last))};
}

}  // namespace
}  // namespace rt::cpu
#endif

HWY_BEFORE_NAMESPACE();
namespace rt::cpu::HWY_NAMESPACE {
namespace {

/// The sum of f(x, k) over the elements x of each kept index k.
template <class T, class F>
std::vector<double> sums_of(const Around& data, const Team& team, const F& f) {
  const T* const in = reinterpret_cast<const T*>(data.buffer->data());
  const int64_t kept = data.kept;
  std::vector<double> sums(static_cast<size_t>(kept), 0.0);
  if (data.inner == 1) {  // columns side by side
    constexpr int64_t kColumns = 512;
    const int64_t strips = (kept + kColumns - 1) / kColumns;
    for_ranges(strips, data.outer * std::min(kept, kColumns), team,
               [&](int64_t begin, int64_t end) {
                 const int64_t from = begin * kColumns, to = std::min(kept, end * kColumns);
                 for (int64_t row = 0; row < data.outer; ++row)
                   for (int64_t k = from; k < to; ++k)
                     sums[static_cast<size_t>(k)] += static_cast<double>(f(in[row * kept + k], k));
               });
    return sums;
  }
  std::vector<double> parts(static_cast<size_t>(data.outer * kept));
  for_ranges(data.outer * kept, data.inner, team, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t k = i % kept;
      parts[static_cast<size_t>(i)] =
          sum_of(in + i * data.inner, data.inner, [&f, k](T x) { return f(x, k); });
    }
  });
  for (size_t i = 0; i < parts.size(); ++i) sums[i % sums.size()] += parts[i];
  return sums;
}

template <class T>
void reduce(const KernelCall& call, const Around& data, T* out) {
  const auto count = static_cast<double>(data.outer * data.inner);
  const Team& team = call.machine.team;
  std::vector<double> results = sums_of<T>(data, team, [](T x, int64_t) { return x; });
  for (double& mean : results) mean /= count;
  if (call.row.op == Op::VarDims) {
    // Distances are from the mean rounded to T. The sum is corrected for that rounding below.
    const std::vector<T> near(results.begin(), results.end());
    const std::vector<double> squares = sums_of<T>(
        data, team,
        [middle = near.data()](T x, int64_t k) { return (x - middle[k]) * (x - middle[k]); });
    const double free = std::max(0.0, count - static_cast<double>(call.attributes.integer(0)));
    for (size_t k = 0; k < results.size(); ++k) {
      const double off = results[k] - static_cast<double>(near[k]);
      const double sum = squares[k] - count * off * off;
      results[k] = (sum < 0 ? 0 : sum) / free;
    }
  }
  for (const double result : results) *out++ = static_cast<T>(result);
}

void reduce_floats(const KernelCall& call, const Around& data, void* out) {
  reduce(call, data, static_cast<float*>(out));
}
void reduce_doubles(const KernelCall& call, const Around& data, void* out) {
  reduce(call, data, static_cast<double*>(out));
}

}  // namespace
}  // namespace rt::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace rt::cpu {

BufferRef reduce_dims(const KernelCall& call) {
  using Variant = decltype(&HWY_STATIC_DISPATCH(reduce_floats));
  static constexpr Variant kFloats[] = RT_SIMD_TABLE(reduce_floats);
  static constexpr Variant kDoubles[] = RT_SIMD_TABLE(reduce_doubles);
  BufferRef result = call.result();
  if (result->numel() == 0) return result;
  const Around data = around(call);
  visit_float(call.row.name, call.dtype, [&]<class T>(Type<T>) {
    simd_choice(std::is_same_v<T, float> ? kFloats : kDoubles)(call, data, result->data());
  });
  return result;
}

}  // namespace rt::cpu
#endif
