// statistics.cpp -- medians and their intervals, and distances of results.
#include "bench/rt_bench/statistics.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace rt_bench {
namespace {

template <class F>
Estimate of_pairs(std::span<const double> a, std::span<const double> b, F combine) {
  std::vector<double> values(a.size());
  std::ranges::transform(a, b, values.begin(), combine);
  return estimate(std::move(values));
}

}  // namespace

Estimate estimate(std::vector<double> values) {
  std::ranges::sort(values);
  const auto count = static_cast<double>(values.size());
  const auto at = [&](double rank) {
    return values[static_cast<size_t>(std::clamp(rank, 0.0, count - 1))];
  };
  // The count of values below the true median is binomial, about normal with this deviation.
  const double reach = 1.96 * std::sqrt(count) / 2;
  const double middle = (count - 1) / 2;
  return {(at(std::floor(middle)) + at(std::ceil(middle))) / 2, at(std::floor(middle - reach)),
          at(std::ceil(middle + reach))};
}

Estimate ratio(std::span<const double> above, std::span<const double> below) {
  return of_pairs(above, below, [](double a, double b) { return a / b; });
}

Estimate difference(std::span<const double> minuend, std::span<const double> subtrahend) {
  return of_pairs(minuend, subtrahend, [](double a, double b) { return a - b; });
}

double distance(std::span<const float> a, std::span<const float> b) {
  if (a.size() != b.size()) return std::numeric_limits<double>::infinity();
  double largest = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const double other = b[i], apart = std::abs(a[i] - other) / std::max(1.0, std::abs(other));
    if (!std::isfinite(apart)) return std::numeric_limits<double>::infinity();
    largest = std::max(largest, apart);
  }
  return largest;
}

}  // namespace rt_bench
