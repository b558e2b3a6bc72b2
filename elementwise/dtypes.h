// dtypes.h -- the C++ types behind DType, conversion between any two, and dispatch over them.
#pragma once
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>
#include <utility>

#include "graph/error.h"
#include "graph/types.h"

namespace rt::cpu {

/// 16-bit floats are only stored and converted. Kernels get f32 instead.
struct Half {
  uint16_t bits;
};
struct BFloat16 {
  uint16_t bits;
};

inline float to_float(Half half) {
  const uint32_t sign = uint32_t{half.bits & 0x8000u} << 16, rest = half.bits & 0x7fffu;
  if (rest >= 0x7c00) return std::bit_cast<float>(sign | 0x7f800000u | (rest & 0x3ffu) << 13);
  if (rest >= 0x0400) return std::bit_cast<float>(sign | ((rest << 13) + (112u << 23)));
  const float tiny = static_cast<float>(rest) * 0x1p-24f;
  return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(tiny));
}

inline float to_float(BFloat16 value) { return std::bit_cast<float>(uint32_t{value.bits} << 16); }

inline Half to_half(float value) {
  uint32_t bits = std::bit_cast<uint32_t>(value);
  const uint32_t sign = bits >> 16 & 0x8000u;
  bits &= 0x7fffffffu;
  if (bits > 0x7f800000u) {
    bits = 0x7e00;
  } else if (bits >= 143u << 23) {
    bits = 0x7c00;
  } else if (bits < 113u << 23) {
    // The sum's last bit has the value of the smallest half, so that the addition rounds.
    bits = std::bit_cast<uint32_t>(std::bit_cast<float>(bits) + 0.5f) - (126u << 23);
  } else {
    bits = (bits + 0xfffu + (bits >> 13 & 1u) - (112u << 23)) >> 13;
  }
  return {static_cast<uint16_t>(sign | bits)};
}

inline BFloat16 to_bfloat16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return {0x7fc0};
  return {static_cast<uint16_t>((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16)};
}

/// Converts a value. Floats are truncated towards zero; NaN and floats that do not fit become the
/// smallest integer, as on x86. Integers wrap. Anything but zero is true.
template <class To, class From>
inline To convert(From value) {
  if constexpr (std::is_same_v<To, From>) {
    return value;
  } else if constexpr (std::is_same_v<From, Half> || std::is_same_v<From, BFloat16>) {
    return convert<To>(to_float(value));
  } else if constexpr (std::is_same_v<To, Half>) {
    return to_half(static_cast<float>(value));
  } else if constexpr (std::is_same_v<To, BFloat16>) {
    return to_bfloat16(static_cast<float>(value));
  } else if constexpr (std::is_same_v<To, bool>) {
    return value != From{0};
  } else if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To>) {
    constexpr From kLimit = -static_cast<From>(std::numeric_limits<To>::min());
    return value >= -kLimit && value < kLimit ? static_cast<To>(value)
                                              : std::numeric_limits<To>::min();
  } else {
    return static_cast<To>(value);
  }
}

template <class T>
struct Type {
  using type = T;
};
template <class T>
inline constexpr DType kDTypeOf = std::is_same_v<T, float>     ? DType::F32
                                  : std::is_same_v<T, double>  ? DType::F64
                                  : std::is_same_v<T, int32_t> ? DType::I32
                                  : std::is_same_v<T, int64_t> ? DType::I64
                                  : std::is_same_v<T, bool>    ? DType::Bool
                                  : std::is_same_v<T, Half>    ? DType::F16
                                                               : DType::BF16;

/// Calls f(Type<T>{}) for the type that stores `dtype`.
template <class F>
decltype(auto) visit_stored(DType dtype, F&& f) {
  switch (dtype) {
    case DType::F32: return f(Type<float>{});
    case DType::F64: return f(Type<double>{});
    case DType::I32: return f(Type<int32_t>{});
    case DType::I64: return f(Type<int64_t>{});
    case DType::Bool: return f(Type<bool>{});
    case DType::F16: return f(Type<Half>{});
    case DType::BF16: return f(Type<BFloat16>{});
  }
  fail("unknown dtype");
}

[[noreturn]] inline void refuse(std::string_view what, DType dtype) {
  fail(what, " is not implemented for ", name(dtype), " on the reference backend");
}

/// Each calls f(Type<T>{}) for the dtypes that `what` is computed in: visit_computed takes
/// f32, f64, i32, i64 and bool, visit_number all of these but bool, visit_float f32 and f64.
/// Throws Error for others.
template <class F>
decltype(auto) visit_computed(std::string_view what, DType dtype, F&& f) {
  switch (dtype) {
    case DType::F32: return f(Type<float>{});
    case DType::F64: return f(Type<double>{});
    case DType::I32: return f(Type<int32_t>{});
    case DType::I64: return f(Type<int64_t>{});
    case DType::Bool: return f(Type<bool>{});
    default: refuse(what, dtype);
  }
}
template <class F>
decltype(auto) visit_number(std::string_view what, DType dtype, F&& f) {
  switch (dtype) {
    case DType::F32: return f(Type<float>{});
    case DType::F64: return f(Type<double>{});
    case DType::I32: return f(Type<int32_t>{});
    case DType::I64: return f(Type<int64_t>{});
    default: refuse(what, dtype);
  }
}
template <class F>
decltype(auto) visit_float(std::string_view what, DType dtype, F&& f) {
  switch (dtype) {
    case DType::F32: return f(Type<float>{});
    case DType::F64: return f(Type<double>{});
    default: refuse(what, dtype);
  }
}

/// Calls f(Type<T>{}) for an unsigned integer as wide as `dtype`, for code that
/// only moves elements.
template <class F>
decltype(auto) visit_width(DType dtype, F&& f) {
  switch (item_size(dtype)) {
    case 1: return f(Type<uint8_t>{});
    case 2: return f(Type<uint16_t>{});
    case 4: return f(Type<uint32_t>{});
    default: return f(Type<uint64_t>{});
  }
}

}  // namespace rt::cpu
