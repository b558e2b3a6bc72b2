// simd.cpp -- finds the instruction sets of this processor, and chooses one.
#include "elementwise/simd.h"

#include <hwy/highway.h>

#include <array>
#include <atomic>
#include <cstdlib>

namespace rt::cpu {
namespace {

/// The index of an instruction set in Highway's tables, which have the order of its bits.
/// The baseline is last.
constexpr size_t place_of(int64_t bit) {
  size_t number = 0;
  while (bit >> number != 1) ++number;
  return number + HWY_MAX_DYNAMIC_TARGETS - 1 - HWY_HIGHEST_TARGET_BIT;
}
constexpr SimdTarget kBaseline{HWY_MAX_DYNAMIC_TARGETS, "baseline"};

struct Found {
  std::array<SimdTarget, 4> targets;
  size_t count = 0;
  void add(SimdTarget target) { targets[count++] = target; }
};

Found find_targets() {
  Found found;
#if HWY_ARCH_X86_64
  __builtin_cpu_init();
  const auto has = [](auto... answers) { return (... && (answers != 0)); };
  const bool sse4 = has(__builtin_cpu_supports("sse4.1"), __builtin_cpu_supports("sse4.2"));
  // Every processor with these has f16c, which some compilers cannot ask for.
  const bool avx2 = sse4 && has(__builtin_cpu_supports("avx2"), __builtin_cpu_supports("fma"),
                                __builtin_cpu_supports("bmi"), __builtin_cpu_supports("bmi2"));
  const bool avx3 =
      avx2 && has(__builtin_cpu_supports("avx512f"), __builtin_cpu_supports("avx512vl"),
                  __builtin_cpu_supports("avx512dq"), __builtin_cpu_supports("avx512bw"));
  if (avx3 && (HWY_TARGETS & HWY_AVX3)) found.add({place_of(HWY_AVX3), "avx512"});
  if (avx2 && (HWY_TARGETS & HWY_AVX2)) found.add({place_of(HWY_AVX2), "avx2"});
  if (sse4 && (HWY_TARGETS & HWY_SSE4)) found.add({place_of(HWY_SSE4), "sse4"});
#endif
  found.add(kBaseline);
  return found;
}

const Found& found() {
  static const Found found = find_targets();
  return found;
}

/// The best one, unless RT_TORCH_SIMD names another. read_config refuses unknown names.
const SimdTarget& preferred() {
  static const SimdTarget& target = []() -> const SimdTarget& {
    const char* name = std::getenv("RT_TORCH_SIMD");
    for (const SimdTarget& one : simd_targets())
      if (name && one.name == name) return one;
    return simd_targets().front();
  }();
  return target;
}

std::atomic<const SimdTarget*> in_use{nullptr};

}  // namespace

std::span<const SimdTarget> simd_targets() { return {found().targets.data(), found().count}; }

const SimdTarget& simd_target() {
  const SimdTarget* target = in_use.load(std::memory_order_relaxed);
  return target ? *target : preferred();
}

void use_simd_target_for_test(const SimdTarget& target) {
  for (const SimdTarget& one : simd_targets())
    if (one.index == target.index) in_use.store(&one, std::memory_order_relaxed);
}

}  // namespace rt::cpu
