// moments-inl.h -- the sum that means and variances are computed by; included once per instruction
// set.
#if defined(RT_MOMENTS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef RT_MOMENTS_INL_H_
#undef RT_MOMENTS_INL_H_
#else
#define RT_MOMENTS_INL_H_
#endif

#include <hwy/highway.h>

#include <algorithm>
#include <cstdint>

HWY_BEFORE_NAMESPACE();
namespace rt::cpu::HWY_NAMESPACE {

/// The sum of f(x...) over n elements of each array. Runs of 256 are summed in T, in 16 lanes, and
/// the runs in double.
template <class T, class F, class... Arrays>
HWY_INLINE double sum_over(int64_t n, const F& f, const Arrays* __restrict... x) {
  constexpr int64_t kLanes = 16, kRun = 256;
  double sum = 0;
  for (int64_t begin = 0; begin < n; begin += kRun) {
    const int64_t end = std::min(n, begin + kRun);
    T lanes[kLanes] = {};
    int64_t i = begin;
    for (; i + kLanes <= end; i += kLanes)
      for (int64_t lane = 0; lane < kLanes; ++lane) lanes[lane] += f(x[i + lane]...);
    for (int64_t lane = 0; i < end; ++i, ++lane) lanes[lane] += f(x[i]...);
    for (int64_t width = kLanes / 2; width > 0; width /= 2)
      for (int64_t lane = 0; lane < width; ++lane) lanes[lane] += lanes[lane + width];
    sum += static_cast<double>(lanes[0]);
  }
  return sum;
}
template <class T, class F>
HWY_INLINE double sum_of(const T* x, int64_t n, const F& f) {
  return sum_over<T>(n, f, x);
}
template <class T, class F>
HWY_INLINE double sum_of(const T* x, const T* y, int64_t n, const F& f) {
  return sum_over<T>(n, f, x, y);
}

}  // namespace rt::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
