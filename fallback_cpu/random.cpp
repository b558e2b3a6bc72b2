// random.cpp -- Rand and Randn, number for number as libtorch's CPU generator draws them.
#include <numbers>

#include "fallback_cpu/dtypes.h"
#include "fallback_cpu/kernels.h"

namespace rt::cpu {
namespace {

/// Box and Muller's transform of 16 uniform numbers in place: the first 8 give the radius, the
/// others the angle.
template <class T>
void normal_from_uniform(T* block) {
  for (int i = 0; i < 8; ++i) {
    const T radius = std::sqrt(T{-2} * std::log(T{1} - block[i]));
    const T angle = T{2} * std::numbers::pi_v<T> * block[i + 8];
    block[i] = radius * std::cos(angle);
    block[i + 8] = radius * std::sin(angle);
  }
}

template <class T>
void draw_normal(Draws& draws, T* out, int64_t n) {
  constexpr int64_t kSixteen = 16;
  if (n < kSixteen) {
    for (int64_t i = 0; i < n; ++i) out[i] = static_cast<T>(draws.normal());
    return;
  }
  for (int64_t i = 0; i < n; ++i) out[i] = draws.uniform<T>();
  for (int64_t i = 0; i + kSixteen <= n; i += kSixteen) normal_from_uniform(out + i);
  if (n % kSixteen == 0) return;
  // The last 16 are drawn anew, which includes some that were there already.
  T* const last = out + n - kSixteen;
  for (int64_t i = 0; i < kSixteen; ++i) last[i] = draws.uniform<T>();
  normal_from_uniform(last);
}

}  // namespace

double Draws::normal() {
  if (next_normal_) {
    const double normal = *next_normal_;
    next_normal_.reset();
    return normal;
  }
  const double u1 = uniform_double(), u2 = uniform_double();
  const double radius = std::sqrt(-2.0 * std::log1p(-u2)), angle = 2.0 * std::numbers::pi * u1;
  next_normal_ = radius * std::sin(angle);
  return radius * std::cos(angle);
}

BufferRef random(const Call& call) {
  BufferRef result = call.result();
  const int64_t n = result->numel();
  visit_float(call.row.name, call.dtype, [&]<class T>(Type<T>) {
    T* const out = reinterpret_cast<T*>(result->data());
    const std::lock_guard lock(call.machine.random.mutex);
    Draws& draws = call.machine.random.draws;
    if (call.row.op == Op::Randn) return draw_normal(draws, out, n);
    for (int64_t i = 0; i < n; ++i) out[i] = draws.uniform<T>();
  });
  return result;
}

}  // namespace rt::cpu
