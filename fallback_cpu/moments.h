// moments.h -- the sum that means and variances are computed by.
#pragma once
#include <algorithm>
#include <cstdint>

namespace rt::cpu {

/// The sum of f(x) over n elements. Runs of 256 are summed in T,
/// in 16 lanes, and the runs in double.
template <class T, class F>
double sum_of(const T* __restrict x, int64_t n, const F& f) {
  constexpr int64_t kLanes = 16, kRun = 256;
  double sum = 0;
  for (int64_t begin = 0; begin < n; begin += kRun) {
    const int64_t end = std::min(n, begin + kRun);
    T lanes[kLanes] = {};
    int64_t i = begin;
    for (; i + kLanes <= end; i += kLanes)
      for (int64_t lane = 0; lane < kLanes; ++lane) lanes[lane] += f(x[i + lane]);
    for (int64_t lane = 0; i < end; ++i, ++lane) lanes[lane] += f(x[i]);
    for (int64_t width = kLanes / 2; width > 0; width /= 2)
      for (int64_t lane = 0; lane < width; ++lane) lanes[lane] += lanes[lane + width];
    sum += static_cast<double>(lanes[0]);
  }
  return sum;
}

}  // namespace rt::cpu
