// statistics.h -- medians and their intervals, and how far results are apart.
#pragma once
#include <span>
#include <vector>

namespace rt_bench {

/// A median, and the ends of its 95 % interval from the ranks: nothing is assumed of how the values
/// are spread.
struct Estimate {
  double median = 0, low = 0, high = 0;
};

/// Of at least one value.
Estimate estimate(std::vector<double> values);

/// Estimate of above[i] / below[i]: values of one round stand in the same place.
Estimate ratio(std::span<const double> above, std::span<const double> below);
Estimate difference(std::span<const double> minuend, std::span<const double> subtrahend);

/// The largest |a[i] - b[i]| / max(1, |b[i]|); infinite where sizes differ or one is not a number.
double distance(std::span<const float> a, std::span<const float> b);

}  // namespace rt_bench
