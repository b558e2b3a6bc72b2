// simd.h -- which of the vector instruction sets is used; included before anything of Highway.
#pragma once

// A source with vector code is compiled once per instruction set: foreach_target.h includes it
// again and again, and Highway's functions differ each time. Left out are sets that bring
// nothing beyond the next one, and those whose vectors cannot be members of a class.
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

/// An instruction set, by its place in Highway's tables of functions: a smaller one is better.
struct SimdTarget {
  size_t index;
  std::string_view name;
};

/// The instruction sets that were compiled and that this processor has, the best one first.
std::span<const SimdTarget> simd_targets();

/// The one in use: the best or the one that RT_TORCH_SIMD names, until a test says otherwise.
const SimdTarget& simd_target();
void use_simd_target_for_test(const SimdTarget& target);

/// The variant of a function for the instruction set in use. `table` is RT_SIMD_TABLE's.
template <class Function, size_t count>
Function* simd_choice(Function* const (&table)[count]) {
  size_t index = simd_target().index;
  while (!table[index]) ++index;
  return table[index];
}

}  // namespace rt::cpu

/// The variants of a function of HWY_NAMESPACE by place, null where there is none.
#define RT_SIMD_TABLE(function) \
  { HWY_CHOOSE_TARGET_LIST(function), HWY_CHOOSE_FALLBACK(function) }
