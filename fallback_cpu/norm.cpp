// norm.cpp -- LayerNorm with its statistics and gradients, compiled once per instruction set, and
// BatchNorm by given statistics.
#include <cmath>
#include <limits>
#include <vector>

#include "elementwise/dtypes.h"
#include "elementwise/simd.h"
#include "fallback_cpu/kernels.h"
#include "fallback_cpu/parallel.h"

#define HWY_TARGET_INCLUDE "fallback_cpu/norm.cpp"
#include <hwy/foreach_target.h>

#include "fallback_cpu/moments-inl.h"

#ifndef RT_NORM_CPP_
#define RT_NORM_CPP_
namespace rt::cpu {
namespace {

/// The elements of operand `i` in row-major order; nullptr where it
/// is absent. `held` keeps them alive.
template <class T>
const T* elements(const KernelCall& call, uint32_t i, BufferRef& held) {
  if (call.operands[i] == kNone.id) return nullptr;
  held = call.contiguous(call.operand(i));
  return reinterpret_cast<const T*>(held->data());
}

}  // namespace
}  // namespace rt::cpu
#endif

HWY_BEFORE_NAMESPACE();
namespace rt::cpu::HWY_NAMESPACE {
namespace {

// The compiler makes vectors of these loops.
/// (x - mean) * scale, then times weight and plus bias where they are given.
template <class T>
void normalize(const T* __restrict x, T* __restrict out, int64_t n, T mean, T scale,
               const T* __restrict weight, const T* __restrict bias) {
  if (weight && bias)
    for (int64_t i = 0; i < n; ++i) out[i] = (x[i] - mean) * scale * weight[i] + bias[i];
  else if (weight)
    for (int64_t i = 0; i < n; ++i) out[i] = (x[i] - mean) * scale * weight[i];
  else if (bias)
    for (int64_t i = 0; i < n; ++i) out[i] = (x[i] - mean) * scale + bias[i];
  else
    for (int64_t i = 0; i < n; ++i) out[i] = (x[i] - mean) * scale;
}

template <class T>
double mean_of(const T* x, int64_t n) {
  return sum_of(x, n, [](T value) { return value; }) / static_cast<double>(n);
}

/// 1 / sqrt(variance + eps). Distances are from the mean rounded to T, and the variance is
/// corrected for that rounding. Squares that overflow T are summed in double. NaN where they
/// overflow that too, because zeros would hide it.
template <class T>
T reciprocal_deviation(const T* x, int64_t n, double mean, double eps) {
  const T near = static_cast<T>(mean);
  const double off = mean - static_cast<double>(near);
  const auto square = [near](T value) { return (value - near) * (value - near); };
  double squares = sum_of(x, n, square);
  if (std::isinf(squares)) {
    squares = 0;
    for (int64_t i = 0; i < n; ++i) {
      const double distance = static_cast<double>(x[i]) - static_cast<double>(near);
      squares += distance * distance;
    }
    if (std::isinf(squares)) return std::numeric_limits<T>::quiet_NaN();
  }
  const double spread = squares / static_cast<double>(n) - off * off;
  const double variance = spread < 0 ? 0 : spread;
  return static_cast<T>(1 / std::sqrt(variance + eps));
}

template <class T>
void normalize_row(const T* x, T* out, int64_t n, double eps, const T* weight, const T* bias) {
  const double mean = mean_of(x, n);
  const T scale = reciprocal_deviation(x, n, mean, eps);
  normalize(x, out, n, static_cast<T>(mean), scale, weight, bias);
}

/// The gradient of a row: with y the normalized input and s = grad * weight, it is
/// (s - mean(s) - y * mean(s * y)) * scale. `out` holds s meanwhile.
template <class T>
void slope_row(const T* __restrict grad, const T* __restrict x, T* __restrict out, int64_t n,
               T mean, T scale, const T* __restrict weight) {
  if (weight)
    for (int64_t i = 0; i < n; ++i) out[i] = grad[i] * weight[i];
  else
    for (int64_t i = 0; i < n; ++i) out[i] = grad[i];
  const T of_slope = static_cast<T>(mean_of(out, n));
  const double product =
      sum_of(out, x, n, [=](T slope, T value) { return slope * ((value - mean) * scale); });
  const T of_product = static_cast<T>(product / static_cast<double>(n));
  for (int64_t i = 0; i < n; ++i)
    out[i] = (out[i] - of_slope - (x[i] - mean) * scale * of_product) * scale;
}

constexpr int64_t kRowsOfSum = 64;  ///< that are summed in T, before the sums are added in double

/// Adds the gradients of the weight by the rows from `begin` to `end` to `sums`. `to` is memory for
/// n numbers.
template <class T>
void add_weight_slopes(const T* grad, const T* x, int64_t begin, int64_t end, int64_t n,
                       const T* mean, const T* scale, T* to, double* sums) {
  for (int64_t first = begin; first < end; first += kRowsOfSum) {
    std::fill(to, to + n, T{0});
    for (int64_t row = first; row < std::min(end, first + kRowsOfSum); ++row) {
      const T *const g = grad + row * n, *const from = x + row * n;
      const T near = mean[row], by = scale[row];
      for (int64_t i = 0; i < n; ++i) to[i] += g[i] * ((from[i] - near) * by);
    }
    for (int64_t i = 0; i < n; ++i) sums[i] += static_cast<double>(to[i]);
  }
}

template <class T>
void layer_norm_of(const KernelCall& call, T* out) {
  const bool backward =
      call.row.op == Op::LayerNormBackward || call.row.op == Op::LayerNormBackwardWeight;
  BufferRef held[5];
  const T* const grad = backward ? elements<T>(call, 0, held[0]) : nullptr;
  const T* const in = elements<T>(call, backward ? 1 : 0, held[1]);
  const int64_t size = numel(call.attributes.list(0));
  const int64_t rows = size == 0 ? 0 : held[1]->numel() / size;
  const auto for_rows = [&](const auto& row) {
    for_ranges(rows, size, call.machine.team, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) row(i, in + i * size);
    });
  };
  if (!backward) {
    const double eps = call.number(0);
    if (call.row.op == Op::LayerNormMean)
      return for_rows([&](int64_t i, const T* x) { out[i] = static_cast<T>(mean_of(x, size)); });
    if (call.row.op == Op::LayerNormRstd)
      return for_rows([&](int64_t i, const T* x) {
        out[i] = reciprocal_deviation(x, size, mean_of(x, size), eps);
      });
    const T* const weight = elements<T>(call, 1, held[2]);
    const T* const bias = elements<T>(call, 2, held[3]);
    return for_rows(
        [&](int64_t i, const T* x) { normalize_row(x, out + i * size, size, eps, weight, bias); });
  }
  const T* const mean = elements<T>(call, 2, held[2]);
  const T* const scale = elements<T>(call, 3, held[3]);
  const T* const weight = elements<T>(call, 4, held[4]);
  if (call.row.op == Op::LayerNormBackward)
    return for_rows([&](int64_t i, const T* x) {
      slope_row(grad + i * size, x, out + i * size, size, mean[i], scale[i], weight);
    });
  // The rows are cut by their number alone, so that sums do not depend on the threads.
  const int64_t most = std::max(kRowsOfSum, kParallelFrom / std::max<int64_t>(size, 1));
  const int64_t pieces = (rows + most - 1) / most;
  std::vector<double> sums(static_cast<size_t>(pieces * size), 0.0);
  std::vector<T> some(sums.size());
  for_pieces(pieces, call.machine.team, [&](int64_t piece) {
    add_weight_slopes(grad, in, piece * most, std::min(rows, (piece + 1) * most), size, mean, scale,
                      some.data() + piece * size, sums.data() + piece * size);
  });
  for (int64_t i = 0; i < size; ++i) {
    double sum = 0;
    for (int64_t piece = 0; piece < pieces; ++piece)
      sum += sums[static_cast<size_t>(piece * size + i)];
    out[i] = static_cast<T>(sum);
  }
}

void layer_norm_of_floats(const KernelCall& call, void* out) {
  layer_norm_of(call, static_cast<float*>(out));
}
void layer_norm_of_doubles(const KernelCall& call, void* out) {
  layer_norm_of(call, static_cast<double*>(out));
}

}  // namespace
}  // namespace rt::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace rt::cpu {
namespace {

/// The parameters of batch_norm by channel: out = (x - shift) * scale + bias.
template <class T>
struct Channels {
  std::vector<T> shift, scale, bias;
};

template <class T>
Channels<T> channels_of(const KernelCall& call, size_t count) {
  BufferRef held[4];
  const T* const weight = elements<T>(call, 1, held[0]);
  const T* const bias = elements<T>(call, 2, held[1]);
  const T* const mean = elements<T>(call, 3, held[2]);
  const T* const variance = elements<T>(call, 4, held[3]);
  const double eps = call.number(0);
  Channels<T> channels{std::vector<T>(count), std::vector<T>(count), std::vector<T>(count)};
  for (size_t c = 0; c < count; ++c) {
    const double scale = 1 / std::sqrt(static_cast<double>(variance[c]) + eps);
    channels.shift[c] = mean[c];
    channels.scale[c] = static_cast<T>(weight ? scale * static_cast<double>(weight[c]) : scale);
    channels.bias[c] = bias ? bias[c] : T{0};
  }
  return channels;
}

}  // namespace

BufferRef layer_norm(const KernelCall& call) {
  using Variant = decltype(&HWY_STATIC_DISPATCH(layer_norm_of_floats));
  static constexpr Variant kFloats[] = RT_SIMD_TABLE(layer_norm_of_floats);
  static constexpr Variant kDoubles[] = RT_SIMD_TABLE(layer_norm_of_doubles);
  BufferRef result = call.result();
  if (result->numel() == 0) return result;
  visit_float(call.row.name, call.dtype, [&]<class T>(Type<T>) {
    simd_choice(std::is_same_v<T, float> ? kFloats : kDoubles)(call, result->data());
  });
  return result;
}

BufferRef batch_norm(const KernelCall& call) {
  const BufferRef input = call.contiguous(call.operand(0));
  BufferRef result = call.result();
  if (result->numel() == 0) return result;
  const int64_t count = call.sizes[1], plane = numel(call.sizes.subspan(2));
  visit_float(call.row.name, call.dtype, [&]<class T>(Type<T>) {
    const Channels<T> channels = channels_of<T>(call, static_cast<size_t>(count));
    const T* const in = reinterpret_cast<const T*>(input->data());
    T* const out = reinterpret_cast<T*>(result->data());
    const T *const shift = channels.shift.data(), *const scale = channels.scale.data(),
                   *const bias = channels.bias.data();
    if (plane == 1) {
      for_ranges(call.sizes[0], count, call.machine.team, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i)
          for (int64_t c = 0, at = i * count; c < count; ++c, ++at)
            out[at] = (in[at] - shift[c]) * scale[c] + bias[c];
      });
      return;
    }
    for_ranges(call.sizes[0] * count, plane, call.machine.team, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t c = i % count;
        for (int64_t at = i * plane; at < (i + 1) * plane; ++at)
          out[at] = (in[at] - shift[c]) * scale[c] + bias[c];
      }
    });
  });
  return result;
}

}  // namespace rt::cpu
#endif
