// pool.cpp -- MaxPool2d and AvgPool2d: a row of outputs at a time, tap by tap.
#include <limits>

#include "fallback_cpu/dtypes.h"
#include "fallback_cpu/kernels.h"
#include "fallback_cpu/parallel.h"

namespace rt::cpu {
namespace {

/// One dimension of a picture under the moving window.
struct Axis {
  int64_t in, out, kernel, stride, padding;
};

/// The largest so far; a NaN stays.
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

/// The mean: floats are summed in double, integers wrap and are divided whole.
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

/// Takes one row of the input into a row of outputs.
template <class R, class T>
void take_row(const T* row, const Axis& axis, typename R::Accumulator* sums) {
  for (int64_t tap = 0; tap < axis.kernel; ++tap) {
    // Outputs whose tap lies inside the row.
    const int64_t first = axis.padding - tap, last = axis.in - 1 + first;
    if (last < 0) break;
    const int64_t begin = first <= 0 ? 0 : (first + axis.stride - 1) / axis.stride;
    const int64_t end = std::min(axis.out, last / axis.stride + 1);
    const T* const from = row - first;
    if (axis.stride == 1) {
      for (int64_t i = begin; i < end; ++i) sums[i] = R::step(sums[i], from[i]);
    } else if (axis.stride == 2) {
      for (int64_t i = begin; i < end; ++i) sums[i] = R::step(sums[i], from[2 * i]);
    } else {
      for (int64_t i = begin; i < end; ++i) sums[i] = R::step(sums[i], from[i * axis.stride]);
    }
  }
}

template <class R, class T>
void pool_planes(const Call& call, const Axis& height, const Axis& width, const T* in, T* out) {
  using Accumulator = typename R::Accumulator;
  const int64_t planes = numel(call.sizes) / (height.out * width.out);
  const int64_t cost = height.out * width.out * height.kernel * width.kernel;
  const int64_t teams =
      planes * cost < kParallelFrom ? 1 : std::min<int64_t>(planes, call.machine.threads);
  const auto sums = std::make_unique<Accumulator[]>(static_cast<size_t>(teams * width.out));
  const auto pool_plane = [&](const T* from, T* to, Accumulator* row) {
    for (int64_t y = 0; y < height.out; ++y, to += width.out) {
      std::fill_n(row, width.out, R::start());
      const int64_t top = y * height.stride - height.padding;
      const int64_t end = std::min(top + height.kernel, height.in);
      for (int64_t at = std::max<int64_t>(top, 0); at < end; ++at)
        take_row<R>(from + at * width.in, width, row);
      for (int64_t x = 0; x < width.out; ++x)
        to[x] = R::finish(row[x], height.kernel * width.kernel);
    }
  };
  for_pieces(teams, call.machine.threads, [&](int64_t team) {
    for (int64_t i = planes * team / teams; i < planes * (team + 1) / teams; ++i)
      pool_plane(in + i * height.in * width.in, out + i * height.out * width.out,
                 sums.get() + team * width.out);
  });
}

}  // namespace

BufferRef pool(const Call& call) {
  const BufferRef input = call.contiguous(call.operand(0));
  BufferRef result = call.result();
  if (result->numel() == 0) return result;
  const size_t at = call.sizes.size() - 2;
  const auto kernel = call.words.list(0), stride = call.words.list(1), padding = call.words.list(2);
  const auto axis = [&](size_t i) {
    return Axis{input->sizes()[at + i], call.sizes[at + i], kernel[i], stride[i], padding[i]};
  };
  const Axis height = axis(0), width = axis(1);
  visit_number(call.row.name, call.dtype, [&]<class T>(Type<T>) {
    const T* const in = reinterpret_cast<const T*>(input->data());
    T* const out = reinterpret_cast<T*>(result->data());
    if (call.row.op == Op::MaxPool2d) pool_planes<Largest<T>>(call, height, width, in, out);
    else pool_planes<Mean<T>>(call, height, width, in, out);
  });
  return result;
}

}  // namespace rt::cpu
