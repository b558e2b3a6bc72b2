// reduce_lines.cpp -- products and norms, in the order of the elements.
#include <cmath>
#include <limits>

#include "elementwise/dtypes.h"
#include "fallback_cpu/lines.h"
#include "fallback_cpu/parallel.h"

namespace rt::cpu {
namespace {

/// Floats in their own precision, so that they overflow as ATen's do; integers wrap.
template <class T>
T product(const T* in, int64_t count) {
  using Factor = std::conditional_t<std::is_floating_point_v<T>, T, uint64_t>;
  Factor all = 1;
  for (int64_t i = 0; i < count; ++i) all *= static_cast<Factor>(in[i]);
  return static_cast<T>(all);
}

template <class T>
T norm(const T* in, int64_t count, double order) {
  const auto sum = [&](const auto& term) {
    double all = 0;
    for (int64_t i = 0; i < count; ++i) all += term(std::abs(static_cast<double>(in[i])));
    return all;
  };
  const auto extreme = [&](double all, const auto& beats) {
    for (int64_t i = 0; i < count; ++i) {
      const double size = std::abs(static_cast<double>(in[i]));
      if (beats(size, all) || std::isnan(size)) all = size;
      if (std::isnan(all)) break;
    }
    return all;
  };
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  double all = 0;
  if (order == 0) all = sum([](double x) { return x != 0 ? 1.0 : 0.0; });
  else if (order == 1) all = sum([](double x) { return x; });
  else if (order == 2) all = std::sqrt(sum([](double x) { return x * x; }));
  else if (order == kInfinity) all = extreme(0, std::greater<>());
  else if (order == -kInfinity) all = extreme(kInfinity, std::less<>());
  else all = std::pow(sum([order](double x) { return std::pow(x, order); }), 1 / order);
  return static_cast<T>(all);
}

}  // namespace

BufferRef reduce_lines(const KernelCall& call) {
  Shape dims;
  if (call.row.lists > 0) dims.assign(call.attributes.list(0));
  else dims.push_back(integer_named(call, "dim"));
  const BufferRef source = call.converted(call.operand(0));
  const BufferRef input = moved_last(call, source, dims);
  BufferRef result = call.result();
  int64_t count = 1;
  if (!source->sizes().empty())
    for (const int64_t dim : dims) count *= source->sizes()[static_cast<size_t>(dim)];
  const auto for_lines = [&]<class T>(Type<T>, const auto& reduce_line) {
    const T* const in = reinterpret_cast<const T*>(input->data());
    T* const out = reinterpret_cast<T*>(result->data());
    for_ranges(result->numel(), count, call.machine.team, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) out[i] = reduce_line(in + i * count);
    });
  };
  if (call.row.op == Op::ProdDim) {
    visit_number(call.row.name, call.dtype, [&]<class T>(Type<T> type) {
      for_lines(type, [&](const T* line) { return product(line, count); });
    });
  } else {
    const double order = call.number(0);
    visit_float(call.row.name, call.dtype, [&]<class T>(Type<T> type) {
      for_lines(type, [&](const T* line) { return norm(line, count, order); });
    });
  }
  return result;
}

}  // namespace rt::cpu
