// pool.cpp -- MaxPool2d, AvgPool2d and their gradients: a row of outputs at a time, tap by tap.
#include <limits>
#include <memory>
#include <utility>

#include "elementwise/dtypes.h"
#include "fallback_cpu/kernels.h"
#include "fallback_cpu/parallel.h"

namespace rt::cpu {
namespace {

/// One dimension of a picture under the moving window.
struct Axis {
  int64_t in, out, kernel, stride, padding;
};

/// The maximum. A NaN, once met, stays.
template <class T>
struct Largest {
  using Accumulator = T;
  static T start() {
    using Limits = std::numeric_limits<T>;
    if constexpr (Limits::has_infinity) return -Limits::infinity();
    else return Limits::lowest();
  }
  static T step(T most, T x) { return ((x > most) | (x != x)) ? x : most; }
  static T finish(T most, int64_t) { return most; }
};

/// The mean. Floats are summed in double; integers wrap, and their division truncates.
template <class T>
struct Mean {
  static constexpr bool kFloat = std::is_floating_point_v<T>;
  using Accumulator = std::conditional_t<kFloat, double, uint64_t>;
  static Accumulator start() { return 0; }
  static Accumulator step(Accumulator sum, T x) { return sum + static_cast<Accumulator>(x); }
  static T finish(Accumulator sum, int64_t count) {
    if constexpr (kFloat) return static_cast<T>(sum / static_cast<double>(count));
    else return static_cast<T>(static_cast<int64_t>(sum) / count);
  }
};

/// Calls body(i, column) for the outputs i of a row whose tap `tap` reads
/// input column `column`, and not padding.
template <class Body>
void for_tap(const Axis& axis, int64_t tap, const Body& body) {
  const int64_t first = axis.padding - tap, last = axis.in - 1 + first;
  if (last < 0) return;
  const int64_t begin = first <= 0 ? 0 : (first + axis.stride - 1) / axis.stride;
  const int64_t end = std::min(axis.out, last / axis.stride + 1);
  if (axis.stride == 1) {
    for (int64_t i = begin; i < end; ++i) body(i, i - first);
  } else if (axis.stride == 2) {
    for (int64_t i = begin; i < end; ++i) body(i, 2 * i - first);
  } else {
    for (int64_t i = begin; i < end; ++i) body(i, i * axis.stride - first);
  }
}

/// The range of input rows under the windows of output row `y`.
std::pair<int64_t, int64_t> rows_under(const Axis& axis, int64_t y) {
  const int64_t top = y * axis.stride - axis.padding;
  return {std::max<int64_t>(top, 0), std::min(top + axis.kernel, axis.in)};
}

/// Calls body(plane, row) for every channel of every image. `row` is memory for `width` elements
/// that is the thread's own. `cost` is the work of one plane, in elements.
template <class Element, class Body>
void for_planes(const KernelCall& call, int64_t planes, int64_t cost, int64_t width,
                const Body& body) {
  const int64_t teams =
      planes * cost < kParallelFrom ? 1 : std::min<int64_t>(planes, call.machine.team.threads);
  const auto rows = std::make_unique<Element[]>(static_cast<size_t>(teams * width));
  for_pieces(teams, call.machine.team, [&](int64_t team) {
    for (int64_t i = planes * team / teams; i < planes * (team + 1) / teams; ++i)
      body(i, rows.get() + team * width);
  });
}

struct Window {
  Axis height, width;
  int64_t planes;
  int64_t plane_in() const { return height.in * width.in; }
  int64_t plane_out() const { return height.out * width.out; }
  int64_t size() const { return height.kernel * width.kernel; }
};

Window window_of(const KernelCall& call, Sizes in, Sizes out) {
  const size_t at = in.size() - 2;
  const auto kernel = call.attributes.list(0), stride = call.attributes.list(1),
             padding = call.attributes.list(2);
  const auto axis = [&](size_t i) {
    return Axis{in[at + i], out[at + i], kernel[i], stride[i], padding[i]};
  };
  return {axis(0), axis(1), numel(in.first(at))};
}

template <class R, class T>
void pool_planes(const KernelCall& call, const Window& window, const T* in, T* out) {
  using Accumulator = typename R::Accumulator;
  const Axis &height = window.height, &width = window.width;
  const int64_t cost = window.plane_out() * window.size();
  const auto pool_plane = [&](int64_t plane, Accumulator* row) {
    const T* const from = in + plane * window.plane_in();
    T* to = out + plane * window.plane_out();
    for (int64_t y = 0; y < height.out; ++y, to += width.out) {
      std::fill_n(row, width.out, R::start());
      const auto [top, end] = rows_under(height, y);
      for (int64_t begin = top * width.in; begin < end * width.in; begin += width.in)
        for (int64_t tap = 0; tap < width.kernel; ++tap)
          for_tap(width, tap, [&](int64_t i, int64_t column) {
            row[i] = R::step(row[i], from[begin + column]);
          });
      for (int64_t x = 0; x < width.out; ++x) to[x] = R::finish(row[x], window.size());
    }
  };
  for_planes<Accumulator>(call, window.planes, cost, width.out, pool_plane);
}

/// Finds the index in its plane of each window's largest element:
/// the first of equals, the last NaN.
template <class T>
void find_largest(const KernelCall& call, const Window& window, const T* in, int64_t* out) {
  const Axis &height = window.height, &width = window.width;
  const auto find = [&](int64_t plane, T*) {
    const T* const from = in + plane * window.plane_in();
    int64_t* to = out + plane * window.plane_out();
    for (int64_t y = 0; y < height.out; ++y, to += width.out) {
      const auto [top, end] = rows_under(height, y);
      for (int64_t x = 0; x < width.out; ++x)
        to[x] = top * width.in + std::max<int64_t>(x * width.stride - width.padding, 0);
      for (int64_t begin = top * width.in; begin < end * width.in; begin += width.in)
        for (int64_t tap = 0; tap < width.kernel; ++tap)
          for_tap(width, tap, [&](int64_t i, int64_t column) {
            const T x = from[begin + column];
            // Selects an index without a branch, because a branch would be unpredictable.
            to[i] = ((x > from[to[i]]) | (x != x)) ? begin + column : to[i];
          });
    }
  };
  for_planes<T>(call, window.planes, window.plane_out() * window.size(), 0, find);
}

/// Adds each gradient to the element that was the largest. An index outside the plane is ignored.
template <class T>
void give_to_largest(const KernelCall& call, const Window& window, const T* grad,
                     const int64_t* indices, T* out) {
  const int64_t size = window.plane_in(), outputs = window.plane_out();
  for_planes<T>(call, window.planes, size + outputs, 0, [&](int64_t plane, T*) {
    T* const to = out + plane * size;
    std::fill_n(to, size, T{0});
    for (int64_t i = plane * outputs; i < (plane + 1) * outputs; ++i)
      if (indices[i] >= 0 && indices[i] < size) to[indices[i]] += grad[i];
  });
}

/// Spreads each gradient evenly over its window: along a row first, and this row is
/// then added to all input rows under it.
template <class T>
void give_to_all(const KernelCall& call, const Window& window, const T* grad, T* out) {
  const Axis &height = window.height, &width = window.width;
  const T share = T{1} / static_cast<T>(window.size());
  const int64_t cost = window.plane_out() * window.size();
  const auto give = [&](int64_t plane, T* row) {
    T* const to = out + plane * window.plane_in();
    std::fill_n(to, window.plane_in(), T{0});
    const T* from = grad + plane * window.plane_out();
    for (int64_t y = 0; y < height.out; ++y, from += width.out) {
      std::fill_n(row, width.in, T{0});
      for (int64_t tap = 0; tap < width.kernel; ++tap)
        for_tap(width, tap, [&](int64_t i, int64_t column) { row[column] += from[i] * share; });
      const auto [top, end] = rows_under(height, y);
      for (int64_t at = top; at < end; ++at)
        for (int64_t x = 0; x < width.in; ++x) to[at * width.in + x] += row[x];
    }
  };
  for_planes<T>(call, window.planes, cost, width.in, give);
}

template <class T>
T* elements(const BufferRef& buffer) {
  return reinterpret_cast<T*>(buffer->data());
}

BufferRef pooled(const KernelCall& call) {
  const BufferRef input = call.contiguous(call.operand(0));
  BufferRef result = call.result();
  if (result->numel() == 0) return result;
  const Window window = window_of(call, input->sizes(), call.sizes);
  visit_number(call.row.name, input->dtype(), [&]<class T>(Type<T>) {
    const T* const in = elements<T>(input);
    switch (call.row.op) {
      case Op::MaxPool2d: return pool_planes<Largest<T>>(call, window, in, elements<T>(result));
      case Op::AvgPool2d: return pool_planes<Mean<T>>(call, window, in, elements<T>(result));
      default: return find_largest(call, window, in, elements<int64_t>(result));
    }
  });
  return result;
}

BufferRef gradient(const KernelCall& call) {
  const BufferRef grad = call.contiguous(call.operand(0));
  const BufferRef indices =
      call.row.op == Op::MaxPool2dBackward ? call.contiguous(call.operand(2)) : BufferRef();
  BufferRef result = call.result();
  if (result->numel() == 0) return result;
  const Window window = window_of(call, call.sizes, grad->sizes());
  visit_float(call.row.name, call.dtype, [&]<class T>(Type<T>) {
    const T* const from = elements<T>(grad);
    T* const out = elements<T>(result);
    if (indices) give_to_largest(call, window, from, elements<int64_t>(indices), out);
    else give_to_all(call, window, from, out);
  });
  return result;
}

}  // namespace

BufferRef pool(const KernelCall& call) {
  const bool backward =
      call.row.op == Op::MaxPool2dBackward || call.row.op == Op::AvgPool2dBackward;
  return backward ? gradient(call) : pooled(call);
}

}  // namespace rt::cpu
