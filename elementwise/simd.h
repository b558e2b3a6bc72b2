// simd.h -- the choice of a vector instruction set; included before any header of Highway.
#pragma once

// A source with vector code is compiled once per instruction set: foreach_target.h includes it
// repeatedly, and Highway's functions differ each time. Sets that gain nothing over the next one
// are left out, and those whose vectors cannot be members of a class.
#define RT_SIMD_LEFT_OUT (HWY_SSSE3 | HWY_AVX3_DL | HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128)
#ifdef RT_SANITIZE  // each set takes a minute to compile then
#define HWY_DISABLED_TARGETS (RT_SIMD_LEFT_OUT | HWY_AVX3 | HWY_SSE4)
#else
#define HWY_DISABLED_TARGETS RT_SIMD_LEFT_OUT
#endif
#define HWY_DISABLE_PCLMUL_AES 1
// Highway's assertions call its library. Only its headers are used here, so that programs need
// no library that may be missing.
#define HWY_IS_DEBUG_BUILD 0

#include <cstddef>
#include <span>
#include <string_view>

namespace rt::cpu {

/// An instruction set by its index in Highway's tables of functions. A smaller index is better.
struct SimdTarget {
  size_t index;
  std::string_view name;
};

/// The instruction sets that were compiled and that this processor has, the best one first.
std::span<const SimdTarget> simd_targets();

/// The one in use: the best, or that of RT_TORCH_SIMD, or the one that a test has set.
const SimdTarget& simd_target();
void use_simd_target_for_test(const SimdTarget& target);

/// The variant of a function for the instruction set in use. `table` is an RT_SIMD_TABLE.
template <class Function, size_t count>
Function* simd_choice(Function* const (&table)[count]) {
  size_t index = simd_target().index;
  while (!table[index]) ++index;
  return table[index];
}

}  // namespace rt::cpu

/// The variants of a function of HWY_NAMESPACE by SimdTarget::index; null where there is none.
#define RT_SIMD_TABLE(function) \
  { HWY_CHOOSE_TARGET_LIST(function), HWY_CHOOSE_FALLBACK(function) }
