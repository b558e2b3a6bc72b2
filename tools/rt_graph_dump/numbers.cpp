// numbers.cpp -- reads, compares and summarizes elements, as doubles or as integers.
#include "tools/rt_graph_dump/numbers.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "tools/rt_graph_dump/tool.h"

namespace rt::tool {
namespace {

constexpr size_t kWhat = 44, kColumn = 13;

/// The spacing of a float dtype's values.
struct Spacing {
  int digits;          ///< explicit bits of the significand
  int least_exponent;  ///< least exponent of normal values
};
Spacing spacing_of(DType dtype) {
  switch (dtype) {
    case DType::F16: return {10, -14};
    case DType::BF16: return {7, -126};
    case DType::F32: return {23, -126};
    default: return {52, -1022};
  }
}

std::string line(const std::string& what, const std::vector<std::string>& columns) {
  std::string text = left(what, kWhat);
  for (const std::string& column : columns) text += right(' ' + column, kColumn);
  return text + '\n';
}

/// The difference in units of the tolerated one.
double off(double got, double wanted, Tolerance tolerance) {
  if (std::isnan(got) && std::isnan(wanted)) return 0;
  if (got == wanted) return 0;
  if (!std::isfinite(got) || !std::isfinite(wanted)) return std::numeric_limits<double>::infinity();
  const double allowed = tolerance.absolute + tolerance.relative * std::abs(wanted);
  return allowed > 0 ? std::abs(got - wanted) / allowed : std::numeric_limits<double>::infinity();
}

}  // namespace

std::string Numbers::at(size_t element) const {
  return reals.empty() ? join(integers[element]) : to_string(reals[element]);
}

std::string Numbers::index(size_t element) const {
  Shape indices(sizes);
  auto rest = static_cast<int64_t>(element);
  for (uint32_t d = sizes.size(); d-- > 0; rest /= sizes[d]) indices[d] = rest % sizes[d];
  return to_string(Sizes(indices));
}

Numbers read(Backend& backend, const Buffer& buffer) {
  Numbers numbers{buffer.dtype(), Shape(buffer.sizes()), {}, {}};
  const auto count = static_cast<size_t>(buffer.numel());
  const bool real = is_float(buffer.dtype());
  if (real) numbers.reals.resize(count);
  else numbers.integers.resize(count);
  if (count == 0) return numbers;
  if (real) backend.to_host(buffer, DType::F64, numbers.reals.data());
  else backend.to_host(buffer, DType::I64, numbers.integers.data());
  return numbers;
}

BufferRef write(Backend& backend, const Numbers& numbers, Device device) {
  const bool real = is_float(numbers.dtype);
  const void* data = real ? static_cast<const void*>(numbers.reals.data())
                          : static_cast<const void*>(numbers.integers.data());
  const BufferRef wide =
      backend.from_host(data, real ? DType::F64 : DType::I64, numbers.sizes, Device{});
  std::vector<char> bytes(numbers.count() * static_cast<size_t>(item_size(numbers.dtype)));
  if (!bytes.empty()) backend.to_host(*wide, numbers.dtype, bytes.data());
  return backend.from_host(bytes.data(), numbers.dtype, numbers.sizes, device);
}

Statistics statistics(const Numbers& numbers) {
  Statistics all;
  double sum = 0;
  const auto take = [&](double value, size_t element) {
    if (!std::isfinite(value)) {
      ++(std::isnan(value) ? all.nans : all.infinities);
      if (!all.first_bad) all.first_bad = element;
      return;
    }
    all.least = all.finite == 0 ? value : std::min(all.least, value);
    all.most = all.finite == 0 ? value : std::max(all.most, value);
    sum += value;
    ++all.finite;
  };
  for (size_t i = 0; i < numbers.reals.size(); ++i) take(numbers.reals[i], i);
  for (size_t i = 0; i < numbers.integers.size(); ++i)
    take(static_cast<double>(numbers.integers[i]), i);
  if (all.finite > 0) all.mean = sum / static_cast<double>(all.finite);
  return all;
}

std::string statistics_head(const std::string& what) {
  return line(what, {"min", "max", "mean", "NaN", "inf"});
}

std::string statistics_line(const std::string& what, const Statistics& of) {
  const auto number = [&](double value) { return of.finite > 0 ? number_text(value) : "-"; };
  return line(what, {number(of.least), number(of.most), number(of.mean), join(of.nans),
                     join(of.infinities)});
}

Tolerance tolerance_of(DType dtype) {
  switch (dtype) {
    case DType::F16: return {1e-3, 1e-5};
    case DType::BF16: return {1.6e-2, 1e-5};
    case DType::F32: return {1.3e-6, 1e-5};
    case DType::F64: return {1e-7, 1e-7};
    default: return {};
  }
}

double ulps(double a, double b, DType dtype) {
  const Spacing spacing = spacing_of(dtype);
  const double greater = std::max(std::abs(a), std::abs(b));
  const int exponent =
      greater > 0 ? std::max(std::ilogb(greater), spacing.least_exponent) : spacing.least_exponent;
  return std::abs(a - b) / std::ldexp(1.0, exponent - spacing.digits);
}

Comparison compare(const Numbers& got, const Numbers& wanted, Tolerance tolerance) {
  Comparison all;
  double most = 0;
  const auto take = [&](double distance, size_t element) {
    if (distance > most) {
      most = distance;
      all.worst = element;
    }
    if (distance > 1 && all.beyond++ == 0) all.first = element;
  };
  for (size_t i = 0; i < wanted.reals.size(); ++i) {
    const double a = got.reals[i], b = wanted.reals[i];
    take(off(a, b, tolerance), i);
    if (std::isfinite(a) && std::isfinite(b))
      all.most_ulps = std::max(all.most_ulps, ulps(a, b, wanted.dtype));
  }
  for (size_t i = 0; i < wanted.integers.size(); ++i)
    take(got.integers[i] == wanted.integers[i] ? 0 : std::numeric_limits<double>::infinity(), i);
  return all;
}

}  // namespace rt::tool
