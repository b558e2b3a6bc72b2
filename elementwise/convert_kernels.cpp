// convert_kernels.cpp -- conversions between dtypes as loops, compiled once per instruction set.
// The compiler vectorizes them, so that one expression covers all pairs of types.
#include "elementwise/convert_kernels.h"

#include <array>
#include <cstring>

#include "elementwise/dtypes.h"
#include "elementwise/simd.h"

#define HWY_TARGET_INCLUDE "elementwise/convert_kernels.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace rt::cpu::HWY_NAMESPACE {
namespace {

template <class To, class From>
void convert_run(int64_t n, void* out, const void* in, int64_t stride) {
  To* HWY_RESTRICT to = static_cast<To*>(out);
  const From* HWY_RESTRICT from = static_cast<const From*>(in);
  if (stride == 1) {
    if constexpr (std::is_same_v<To, From>) {
      std::memcpy(to, from, static_cast<size_t>(n) * sizeof(To));
    } else {
      for (int64_t i = 0; i < n; ++i) to[i] = convert<To>(from[i]);
    }
  } else {
    for (int64_t i = 0; i < n; ++i) to[i] = convert<To>(from[i * stride]);
  }
}

using Row = std::array<ConvertKernel, kDTypes>;
template <class To>
constexpr Row row_to() {
  return {convert_run<To, float>,   convert_run<To, double>, convert_run<To, int32_t>,
          convert_run<To, int64_t>, convert_run<To, bool>,   convert_run<To, Half>,
          convert_run<To, BFloat16>};
}
constexpr std::array<Row, kDTypes> kConvert = {
    row_to<float>(), row_to<double>(), row_to<int32_t>(), row_to<int64_t>(),
    row_to<bool>(),  row_to<Half>(),   row_to<BFloat16>()};

ConvertKernel kernel_of(DType to, DType from) {
  return kConvert[static_cast<size_t>(to)][static_cast<size_t>(from)];
}

}  // namespace
}  // namespace rt::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace rt::cpu {

ConvertKernel convert_kernel(DType to, DType from) {
  static constexpr decltype(&HWY_STATIC_DISPATCH(kernel_of)) kTable[] = RT_SIMD_TABLE(kernel_of);
  return simd_choice(kTable)(to, from);
}

}  // namespace rt::cpu
#endif
