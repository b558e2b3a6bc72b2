// numbers.h -- a tensor's elements as numbers: statistics, and how far two tensors are apart.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "graph/batch/backend.h"

namespace rt::tool {

/// Row-major elements on the host: of floats `reals`, else `integers`.
struct Numbers {
  DType dtype;
  Shape sizes;
  std::vector<double> reals;
  std::vector<int64_t> integers;
  size_t count() const { return reals.size() + integers.size(); }
  std::string at(size_t element) const;     ///< its text
  std::string index(size_t element) const;  ///< its indices: "[3,7]"
};
Numbers read(Backend& backend, const Buffer& buffer);
/// A contiguous buffer of these elements, converted to its dtype.
BufferRef write(Backend& backend, const Numbers& numbers, Device device);

struct Statistics {
  double least = 0, most = 0, mean = 0;  ///< of the finite elements
  int64_t finite = 0, nans = 0, infinities = 0;
  std::optional<size_t> first_bad;  ///< a NaN or an infinity
  bool sound() const { return !first_bad; }
};
Statistics statistics(const Numbers& numbers);
/// A line of a table under statistics_head().
std::string statistics_line(const std::string& what, const Statistics& of);
std::string statistics_head(const std::string& what);

/// How near two results of one dtype have to be; as torch.testing has it.
struct Tolerance {
  double relative = 0, absolute = 0;
};
Tolerance tolerance_of(DType dtype);

/// Units in the last place between two numbers, by the spacing of the dtype at the greater one.
double ulps(double a, double b, DType dtype);

struct Comparison {
  size_t beyond = 0;     ///< elements that differ by more than is tolerated
  size_t first = 0;      ///< the first of these
  size_t worst = 0;      ///< the one that is furthest off, by what is tolerated
  double most_ulps = 0;  ///< over all elements that are finite in both
};
Comparison compare(const Numbers& got, const Numbers& wanted, Tolerance tolerance);

}  // namespace rt::tool
