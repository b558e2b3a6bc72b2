// softmax.cpp -- Softmax and LogSoftmax along a dimension.
#include <cmath>

#include "fallback_cpu/dtypes.h"
#include "fallback_cpu/kernels.h"
#include "fallback_cpu/parallel.h"

namespace rt::cpu {
namespace {

template <class T>
T larger(T a, T b) {
  return b > a || b != b ? b : a;
}

/// The softmax of `count` numbers that lie `stride` apart. The sum is kept in double.
template <class T>
void softmax_of(const T* in, T* out, int64_t count, int64_t stride, bool logarithm) {
  T most = in[0];
  for (int64_t i = 1; i < count; ++i) most = larger(most, in[i * stride]);
  double sum = 0;
  for (int64_t i = 0; i < count; ++i) {
    const T power = std::exp(in[i * stride] - most);
    if (!logarithm) out[i * stride] = power;
    sum += static_cast<double>(power);
  }
  if (logarithm) {
    const T log_sum = static_cast<T>(std::log(sum));
    for (int64_t i = 0; i < count; ++i) out[i * stride] = in[i * stride] - most - log_sum;
  } else {
    const T whole = static_cast<T>(sum);
    for (int64_t i = 0; i < count; ++i) out[i * stride] /= whole;
  }
}

}  // namespace

BufferRef softmax(const Call& call) {
  const BufferRef input = call.contiguous(call.operand(0));
  BufferRef result = call.result();
  const Extent extent(input->sizes(), call.words.integer(0));
  if (result->numel() == 0) return result;
  visit_float(call.row.name, call.dtype, [&]<class T>(Type<T>) {
    const T* const in = reinterpret_cast<const T*>(input->data());
    T* const out = reinterpret_cast<T*>(result->data());
    for_ranges(extent.outer * extent.inner, extent.count, call.machine.threads,
               [&](int64_t begin, int64_t end) {
                 for (int64_t i = begin; i < end; ++i) {
                   const int64_t at =
                       i / extent.inner * extent.count * extent.inner + i % extent.inner;
                   softmax_of(in + at, out + at, extent.count, extent.inner,
                              call.row.op == Op::LogSoftmax);
                 }
               });
  });
  return result;
}

}  // namespace rt::cpu
