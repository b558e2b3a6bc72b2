// numbers.h -- a tensor's elements as numbers: statistics, and the distance of two tensors.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "graph/batch/backend.h"

namespace rt::tool {

/// Row-major elements on the host: `reals` of a float dtype, else `integers`.
struct Numbers {
  DType dtype;
  Shape sizes;
  std::vector<double> reals;
  std::vector<int64_t> integers;
  size_t count() const { return reals.size() + integers.size(); }
  std::string at(size_t element) const;     ///< the element as text
  std::string index(size_t element) const;  ///< its index in each dimension: "[3,7]"
};
Numbers read(Backend& backend, const Buffer& buffer);
/// A contiguous buffer of these elements, converted to their dtype.
BufferRef write(Backend& backend, const Numbers& numbers, Device device);

struct Statistics {
  double least = 0, most = 0, mean = 0;  ///< of the finite elements
  int64_t finite = 0, nans = 0, infinities = 0;
  std::optional<size_t> first_bad;  ///< index of the first NaN or infinity
  bool sound() const { return !first_bad; }
};
Statistics statistics(const Numbers& numbers);
/// A row of the table that statistics_head() begins.
std::string statistics_line(const std::string& what, const Statistics& of);
std::string statistics_head(const std::string& what);

/// Tolerated difference of two results, as torch.testing defines it.
struct Tolerance {
  double relative = 0, absolute = 0;
};
Tolerance tolerance_of(DType dtype);

/// The distance in units in the last place of `dtype`, at the greater of the two numbers.
double ulps(double a, double b, DType dtype);

struct Comparison {
  size_t beyond = 0;     ///< elements that differ by more than the tolerance
  size_t first = 0;      ///< the first of these
  size_t worst = 0;      ///< the element with the greatest difference in units of the tolerance
  double most_ulps = 0;  ///< over all elements that are finite in both
};
Comparison compare(const Numbers& got, const Numbers& wanted, Tolerance tolerance);

}  // namespace rt::tool
