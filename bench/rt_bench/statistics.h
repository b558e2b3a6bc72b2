// statistics.h -- medians and their intervals, and distances of results.
#pragma once
#include <span>
#include <vector>

namespace rt_bench {

/// A median, and its 95 % interval by ranks, which assumes no distribution of the values.
struct Estimate {
  double median = 0, low = 0, high = 0;
};

/// `values` must not be empty.
Estimate estimate(std::vector<double> values);

/// Estimate of above[i] / below[i]; values of one index were measured in one round.
Estimate ratio(std::span<const double> above, std::span<const double> below);
Estimate difference(std::span<const double> minuend, std::span<const double> subtrahend);

/// The greatest |a[i] - b[i]| / max(1, |b[i]|); infinite if sizes differ or an element is a NaN.
double distance(std::span<const float> a, std::span<const float> b);

}  // namespace rt_bench
