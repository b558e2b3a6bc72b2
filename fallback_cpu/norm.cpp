// norm.cpp -- LayerNorm, and BatchNorm by given statistics.
#include <cmath>
#include <vector>

#include "elementwise/dtypes.h"
#include "fallback_cpu/kernels.h"
#include "fallback_cpu/moments.h"
#include "fallback_cpu/parallel.h"

namespace rt::cpu {
namespace {

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
void normalize_row(const T* x, T* out, int64_t n, double eps, const T* weight, const T* bias) {
  const auto count = static_cast<double>(n);
  const double mean = sum_of(x, n, [](T value) { return value; }) / count;
  // Distances are from the mean rounded to T. `spread` is corrected for that rounding.
  const T near = static_cast<T>(mean);
  const double off = mean - static_cast<double>(near);
  const auto square = [near](T value) { return (value - near) * (value - near); };
  const double spread = sum_of(x, n, square) / count - off * off;
  const double variance = spread < 0 ? 0 : spread;
  normalize(x, out, n, near, static_cast<T>(1 / std::sqrt(variance + eps)), weight, bias);
}

/// The elements of operand `i` in row-major order; nullptr where it
/// is absent. `held` keeps them alive.
template <class T>
const T* elements(const KernelCall& call, uint32_t i, BufferRef& held) {
  if (call.operands[i] == kNone.id) return nullptr;
  held = call.contiguous(call.operand(i));
  return reinterpret_cast<const T*>(held->data());
}

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
  const BufferRef input = call.contiguous(call.operand(0));
  BufferRef result = call.result();
  if (result->numel() == 0) return result;
  const int64_t size = numel(call.attributes.list(0)), rows = result->numel() / size;
  visit_float(call.row.name, call.dtype, [&]<class T>(Type<T>) {
    BufferRef held[2];
    const T* const weight = elements<T>(call, 1, held[0]);
    const T* const bias = elements<T>(call, 2, held[1]);
    const T* const in = reinterpret_cast<const T*>(input->data());
    T* const out = reinterpret_cast<T*>(result->data());
    const double eps = call.number(0);
    for_ranges(rows, size, call.machine.threads, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i)
        normalize_row(in + i * size, out + i * size, size, eps, weight, bias);
    });
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
      for_ranges(call.sizes[0], count, call.machine.threads, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i)
          for (int64_t c = 0, at = i * count; c < count; ++c, ++at)
            out[at] = (in[at] - shift[c]) * scale[c] + bias[c];
      });
      return;
    }
    for_ranges(call.sizes[0] * count, plane, call.machine.threads, [&](int64_t begin, int64_t end) {
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
