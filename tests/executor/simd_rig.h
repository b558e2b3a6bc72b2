// simd_rig.h -- shared by the tests of vector code: instruction sets, numbers, bits.
#pragma once
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "elementwise/dtypes.h"
#include "elementwise/simd.h"
#include "graph/ops/infer.h"

namespace rt::cpu {

/// Calls body() with each instruction set of this processor.
template <class Body>
void for_targets(const Body& body) {
  for (const SimdTarget& target : simd_targets()) {
    use_simd_target_for_test(target);
    SCOPED_TRACE(target.name);
    body();
  }
  use_simd_target_for_test(simd_targets().front());
}

/// Random and special numbers of a dtype, as bytes.
inline std::vector<char> numbers(DType dtype, int64_t count, uint64_t seed) {
  std::mt19937_64 draw(seed);
  const auto item = static_cast<size_t>(item_size(dtype));
  std::vector<char> bytes(static_cast<size_t>(count) * item);
  const double special[] = {0.,    -0.,      1.,        -1., 1e-42, 1e30,
                            -1e30, INFINITY, -INFINITY, NAN, 90,    -90};
  for (size_t i = 0; i < static_cast<size_t>(count); ++i)
    visit_stored(dtype, [&]<class T>(Type<T>) {
      T value;
      if constexpr (std::is_same_v<T, bool>) value = draw() % 2 == 0;
      else if constexpr (std::is_integral_v<T>) value = static_cast<T>(draw());
      else
        value = convert<T>(draw() % 7 == 0 ? special[draw() % std::size(special)]
                                           : static_cast<double>(draw() % 20000) / 1000 - 10);
      std::memcpy(bytes.data() + i * item, &value, item);
    });
  return bytes;
}

/// The elements' bits; all NaNs are equal, because their bits depend on the processor.
inline std::vector<uint64_t> bits_of(const std::vector<char>& bytes, DType dtype) {
  std::vector<uint64_t> bits;
  const auto item = static_cast<size_t>(item_size(dtype));
  for (size_t at = 0; at < bytes.size(); at += item)
    visit_stored(dtype, [&]<class T>(Type<T>) {
      T value;
      std::memcpy(&value, bytes.data() + at, item);
      uint64_t attr = 0;
      std::memcpy(&attr, &value, item);
      if constexpr (std::is_floating_point_v<T>)
        if (value != value) attr = ~uint64_t{0};
      bits.push_back(attr);
    });
  return bits;
}

/// True for comparisons, which compute in their operands' dtype.
inline bool gives_bools(Op op) { return info(op).rules.type == type::boolean; }

inline constexpr DType kComputed[] = {DType::F32, DType::F64, DType::I32, DType::I64, DType::Bool};

}  // namespace rt::cpu
