// create.cpp -- tensors without operands: Full, Arange, Linspace, Eye.
#include <algorithm>
#include <cstring>

#include "elementwise/dtypes.h"
#include "fallback_cpu/kernels.h"
#include "fallback_cpu/parallel.h"

namespace rt::cpu {
namespace {

/// A new result of the call, whose element i in row-major order is value(i).
template <class T, class Value>
BufferRef filled(const KernelCall& call, const Value& value) {
  BufferRef result = call.result();
  T* const out = reinterpret_cast<T*>(result->data());
  for_ranges(result->numel(), 1, call.machine.team, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) out[i] = value(i);
  });
  return result;
}

}  // namespace

BufferRef full(const KernelCall& call) {
  return visit_stored(call.dtype, [&]<class T>(Type<T>) {
    const T value = call.row.op == Op::FullInt ? convert<T>(call.attributes.scalar(0))
                                               : convert<T>(call.number(0));
    return filled<T>(call, [value](int64_t) { return value; });
  });
}

// Floats are computed in double and rounded once, as in PyTorch.
BufferRef range(const KernelCall& call) {
  return visit_computed(call.row.name, call.dtype, [&]<class T>(Type<T>) {
    if (call.row.op == Op::ArangeInt) {
      const auto start = static_cast<uint64_t>(call.attributes.scalar(0));
      const auto step = static_cast<uint64_t>(call.attributes.scalar(2));
      return filled<T>(call, [=](int64_t i) {
        return convert<T>(static_cast<int64_t>(start + step * static_cast<uint64_t>(i)));
      });
    }
    if constexpr (std::is_floating_point_v<T>) {
      const double start = call.number(0), step = call.number(2);
      return filled<T>(
          call, [=](int64_t i) { return convert<T>(start + step * static_cast<double>(i)); });
    } else {  // integers: the start and the step are truncated first
      const auto start = static_cast<uint64_t>(convert<int64_t>(call.number(0)));
      const auto step = static_cast<uint64_t>(convert<int64_t>(call.number(2)));
      return filled<T>(call, [=](int64_t i) {
        return convert<T>(static_cast<int64_t>(start + step * static_cast<uint64_t>(i)));
      });
    }
  });
}

// Computed from both ends to the middle, so that the ends are
// exact and the halves mirror each other.
BufferRef linspace(const KernelCall& call) {
  return visit_number(call.row.name, call.dtype, [&]<class T>(Type<T>) {
    using Step = std::conditional_t<std::is_floating_point_v<T>, T, double>;
    const int64_t steps = call.attributes.integer(0), half = steps / 2;
    const auto start = static_cast<Step>(convert<T>(call.number(0)));
    const auto end = static_cast<Step>(convert<T>(call.number(1)));
    const Step step = steps > 1 ? (end - start) / static_cast<Step>(steps - 1) : Step{0};
    return filled<T>(call, [=](int64_t i) {
      if (i < half || steps == 1) return convert<T>(start + step * static_cast<Step>(i));
      return convert<T>(end - step * static_cast<Step>(steps - i - 1));
    });
  });
}

BufferRef eye(const KernelCall& call) {
  BufferRef result = call.result();
  const int64_t n = call.attributes.integer(0);
  visit_stored(call.dtype, [&]<class T>(Type<T>) {
    T* const out = reinterpret_cast<T*>(result->data());
    std::memset(result->data(), 0, static_cast<size_t>(n * n) * sizeof(T));
    for (int64_t i = 0; i < n; ++i) out[i * n + i] = convert<T>(1.0);
  });
  return result;
}

}  // namespace rt::cpu
