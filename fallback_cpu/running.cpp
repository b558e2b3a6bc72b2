// running.cpp -- running products, extremes and sums of exponentials along a dimension.
#include <cmath>
#include <limits>

#include "elementwise/dtypes.h"
#include "fallback_cpu/kernels.h"
#include "fallback_cpu/parallel.h"

namespace rt::cpu {
namespace {

/// Calls body(first) for each line along the dimension; `first` is the index of its first element.
template <class Body>
void for_lines(const KernelCall& call, const Extent& extent, const Body& body) {
  const int64_t inner = extent.inner;
  if (extent.count == 0) return;
  for_ranges(extent.outer * inner, extent.count, call.machine.team,
             [&](int64_t begin, int64_t end) {
               for (int64_t line = begin; line < end; ++line)
                 body(line / inner * extent.count * inner + line % inner);
             });
}

/// In f64 for floats, as ATen's CPU kernel; integers wrap.
template <class T>
void products(const KernelCall& call, const Extent& extent, const T* in, T* out) {
  using Product = std::conditional_t<std::is_floating_point_v<T>, double, uint64_t>;
  for_lines(call, extent, [&](int64_t at) {
    Product all = 1;
    for (int64_t i = 0; i < extent.count; ++i, at += extent.inner)
      out[at] = static_cast<T>(all *= static_cast<Product>(in[at]));
  });
}

/// The gradient of element k is the product before it times S(k), with
/// S(k) = grad(k) + in(k + 1) * S(k + 1). Nothing is divided, so that a 0 needs no special case.
template <class T>
void products_backward(const KernelCall& call, const Extent& extent, const T* grad, const T* in,
                       T* out) {
  for_lines(call, extent, [&](int64_t first) {
    const int64_t step = extent.inner;
    int64_t at = first + (extent.count - 1) * step;
    double sum = 0, next = 0;
    for (int64_t i = extent.count; i > 0; --i, at -= step) {
      sum = static_cast<double>(grad[at]) + next * sum;
      next = static_cast<double>(in[at]);
      out[at] = static_cast<T>(sum);
    }
    double before = 1;
    for (int64_t i = 0; i < extent.count; ++i) {
      at += step;
      out[at] = static_cast<T>(before * static_cast<double>(out[at]));
      before *= static_cast<double>(in[at]);
    }
  });
}

template <class T>
bool is_nan(T value) {
  if constexpr (std::is_floating_point_v<T>) return std::isnan(value);
  else return false;
}

/// Calls store(at, index) with the index of the extreme so far: of equal ones the last, a NaN as
/// soon as there is one.
template <bool largest, class T, class Store>
void extremes(const KernelCall& call, const Extent& extent, const T* in, const Store& store) {
  for_lines(call, extent, [&](int64_t at) {
    T most = in[at];
    int64_t index = 0;
    for (int64_t i = 0; i < extent.count; ++i, at += extent.inner) {
      const T now = in[at];
      if (is_nan(now) || (!is_nan(most) && (largest ? now >= most : now <= most))) {
        most = now;
        index = i;
      }
      store(at, most, index);
    }
  });
}

double log_of_sum(double a, double b) {
  const double least = std::isnan(b) ? b : std::min(a, b),
               most = std::isnan(b) ? b : std::max(a, b);
  if (least != most || std::isfinite(least)) return std::log1p(std::exp(least - most)) + most;
  return a;
}

template <class T>
void logs_of_sums(const KernelCall& call, const Extent& extent, const T* in, T* out) {
  for_lines(call, extent, [&](int64_t at) {
    double all = -std::numeric_limits<double>::infinity();
    for (int64_t i = 0; i < extent.count; ++i, at += extent.inner)
      out[at] = static_cast<T>(all = log_of_sum(static_cast<double>(in[at]), all));
  });
}

template <class T>
void running_extremes(const KernelCall& call, const Extent& extent, const T* in, Buffer& result) {
  const auto run = [&](const auto& store) {
    const bool largest = call.row.op == Op::Cummax || call.row.op == Op::CummaxIndices;
    if (largest) extremes<true>(call, extent, in, store);
    else extremes<false>(call, extent, in, store);
  };
  if (call.row.rules.result == 1) {
    int64_t* const out = reinterpret_cast<int64_t*>(result.data());
    run([out](int64_t at, T, int64_t index) { out[at] = index; });
  } else {
    T* const out = reinterpret_cast<T*>(result.data());
    run([out](int64_t at, T most, int64_t) { out[at] = most; });
  }
}

}  // namespace

BufferRef running(const KernelCall& call) {
  const bool wide = call.row.op == Op::Cumprod;
  const BufferRef input = call.contiguous(wide ? call.converted(call.operand(0)) : call.operand(0));
  BufferRef result = call.result();
  const Extent extent(call.sizes, call.attributes.integer(0));
  const auto pointers = [&]<class T>(Type<T>) {
    return std::pair{reinterpret_cast<const T*>(input->data()),
                     reinterpret_cast<T*>(result->data())};
  };
  switch (call.row.op) {
    case Op::Cumprod:
      visit_number(call.row.name, call.dtype, [&]<class T>(Type<T> type) {
        const auto [in, out] = pointers(type);
        products(call, extent, in, out);
      });
      break;
    case Op::CumprodBackward: {
      const BufferRef self = call.contiguous(call.operand(1));
      visit_float(call.row.name, call.dtype, [&]<class T>(Type<T> type) {
        const auto [grad, out] = pointers(type);
        products_backward(call, extent, grad, reinterpret_cast<const T*>(self->data()), out);
      });
      break;
    }
    case Op::Logcumsumexp:
      visit_float(call.row.name, call.dtype, [&]<class T>(Type<T> type) {
        const auto [in, out] = pointers(type);
        logs_of_sums(call, extent, in, out);
      });
      break;
    default:
      visit_computed(call.row.name, input->dtype(), [&]<class T>(Type<T>) {
        running_extremes(call, extent, reinterpret_cast<const T*>(input->data()), *result);
      });
  }
  return result;
}

}  // namespace rt::cpu
