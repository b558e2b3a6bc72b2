// simd_math-inl.h -- exp, log and related functions over lanes, per instruction set.
// The result of a lane depends on this lane alone. Where lanes outside the usual range need another
// way, lanes inside it get equal bits there.
#if defined(RT_SIMD_MATH_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef RT_SIMD_MATH_INL_H_
#undef RT_SIMD_MATH_INL_H_
#else
#define RT_SIMD_MATH_INL_H_
#endif

#include <bit>
#include <cmath>
#include <limits>
#include <numbers>

#include "elementwise/lanes-inl.h"
#include "elementwise/polynomials.h"

HWY_BEFORE_NAMESPACE();
namespace rt::cpu::HWY_NAMESPACE {

/// Constants of a floating type. Adding kShift to a number and subtracting it again rounds to whole
/// numbers, and in between the lowest bits hold the whole number. The first part of ln 2 is so
/// short that its products with exponents are exact.
template <class T>
struct FloatTraits;
template <>
struct FloatTraits<float> {
  static constexpr int kMantissa = 23, kBias = 127;
  static constexpr float kShift = 0x1.8p23f;
  static constexpr float kLn2High = 0x1.62ep-1f, kLn2Low = 0x1.0bfbe8p-15f;
  /// exp(x) is a normal number for |x| <= kExpUsual, infinite from kExpMost on, and
  /// zero below kExpLeast.
  static constexpr float kExpUsual = 87, kExpMost = 89, kExpLeast = -104;
  static constexpr float kTanhOne = 9.1f, kErfOne = 4;  ///< tanh and erf are 1 from there on
  static constexpr float kTiny = 0x1p25f;               ///< makes subnormal numbers normal
};
template <>
struct FloatTraits<double> {
  static constexpr int kMantissa = 52, kBias = 1023;
  static constexpr double kShift = 0x1.8p52;
  static constexpr double kLn2High = 0x1.62e42fefap-1, kLn2Low = 0x1.cf79abc9e3b3ap-40;
  static constexpr double kExpUsual = 708, kExpMost = 710, kExpLeast = -746;
  static constexpr double kTanhOne = 19.1, kErfOne = 6;
  static constexpr double kTiny = 0x1p54;
};
template <class D>
using TraitsOf = FloatTraits<hn::TFromD<D>>;
template <class D>
using PolynomialsOf = Polynomials<hn::TFromD<D>>;

/// True where all lanes are in the usual range, which the compiler is to expect.
template <class D>
HWY_INLINE bool usually(Mask<D> mask) {
  return HWY_LIKELY(all(mask));
}

template <class D>
HWY_INLINE Lanes<D> sign_of(Lanes<D> x) {
  return hn::And(x.vector, hn::SignBit(D()));
}

/// The terms [first, first + count) of a polynomial, divided by x^first. `powers` are x, x^2, x^4,
/// and so on. Computed by halves (Estrin), because Horner's rule waits for each multiplication.
template <size_t first, size_t count, class D, size_t terms, size_t known>
HWY_INLINE Lanes<D> terms_of(const hn::TFromD<D> (&coefficients)[terms],
                             const Lanes<D> (&powers)[known]) {
  if constexpr (count == 1) {
    return coefficients[first];
  } else {
    constexpr size_t kHalf = std::bit_ceil(count) / 2;
    return mul_add(terms_of<first + kHalf, count - kHalf>(coefficients, powers),
                   powers[std::bit_width(kHalf) - 1], terms_of<first, kHalf>(coefficients, powers));
  }
}

/// The polynomial at x.
template <class D, size_t count>
HWY_INLINE Lanes<D> polynomial(const hn::TFromD<D> (&coefficients)[count], Lanes<D> x) {
  static_assert(count > 2 && count <= 32);
  const Lanes<D> x2 = x * x, x4 = x2 * x2, x8 = x4 * x4;
  const Lanes<D> powers[] = {x, x2, x4, x8, x8 * x8};
  return terms_of<0, count>(coefficients, powers);
}

/// exp(x) = 2^n (1 + rest). `shifted` is n + kShift.
template <class D>
struct ExpParts {
  Lanes<D> shifted, n, rest;
};
/// `bounded` is x, limited where n would leave its range.
template <class D>
HWY_INLINE ExpParts<D> exp_parts(Lanes<D> x, Lanes<D> bounded) {
  using T = hn::TFromD<D>;
  using Traits = TraitsOf<D>;
  const Lanes<D> shifted = mul_add(bounded, std::numbers::log2e_v<T>, Traits::kShift);
  const Lanes<D> n = shifted - Traits::kShift;
  const Lanes<D> r = neg_mul_add(neg_mul_add(x, n, Traits::kLn2High), n, Traits::kLn2Low);
  return {shifted, n, mul_add(r * r, polynomial(PolynomialsOf<D>::kExp, r), r)};
}

/// 2^n, where `shifted` is n + kShift and n the exponent of a normal number.
template <class D>
HWY_INLINE Lanes<D> power_of_two(Lanes<D> shifted) {
  constexpr int kMantissa = TraitsOf<D>::kMantissa;
  const Unsigned<D> exponent = hn::ShiftLeft<kMantissa>(bits(shifted).vector);
  return from_bits(D(), exponent + bits(Lanes<D>(1)));
}

/// exp(x), |x| <= kExpUsual or x NaN.
template <class D>
HWY_INLINE Lanes<D> exp_usual(Lanes<D> x) {
  const ExpParts<D> parts = exp_parts(x, x);
  return (1 + parts.rest) * power_of_two(parts.shifted);
}

template <class D>
HWY_INLINE Lanes<D> exp(Lanes<D> x) {
  using Traits = TraitsOf<D>;
  if (usually(abs(x) <= Traits::kExpUsual)) return exp_usual(x);
  if (all(x < Traits::kExpLeast)) return 0;  // as where a mask hides elements from a softmax
  // Infinities and subnormal numbers need 2^n in two factors. NaN stays in the rest.
  const Lanes<D> bounded = select(x > Traits::kExpMost, Traits::kExpMost, x);
  const ExpParts<D> parts = exp_parts(x, bounded);
  const Lanes<D> half = mul_add(parts.n, 0.5, Traits::kShift);
  const Lanes<D> other = parts.n - (half - Traits::kShift) + Traits::kShift;
  const Lanes<D> result = (1 + parts.rest) * power_of_two(half) * power_of_two(other);
  return select(x < Traits::kExpLeast, 0, result);
}

/// 2^x. Whole numbers give exact powers, because their rest is 0.
template <class D>
HWY_INLINE Lanes<D> exp2(Lanes<D> x) {
  using T = hn::TFromD<D>;
  using Traits = TraitsOf<D>;
  constexpr T kMost = Traits::kBias + 2, kLeast = -(Traits::kBias + Traits::kMantissa + 2);
  const Lanes<D> low = select(x < kLeast, kLeast, x), bounded = select(low > kMost, kMost, low);
  const Lanes<D> shifted = bounded + Traits::kShift, n = shifted - Traits::kShift;
  const Lanes<D> r = (bounded - n) * std::numbers::ln2_v<T>;
  const Lanes<D> rest = mul_add(r * r, polynomial(PolynomialsOf<D>::kExp, r), r);
  if (usually(abs(x) < T(Traits::kBias - 1))) return (1 + rest) * power_of_two(shifted);
  const Lanes<D> half = mul_add(n, 0.5, Traits::kShift);
  const Lanes<D> other = n - (half - Traits::kShift) + Traits::kShift;
  return (1 + rest) * power_of_two(half) * power_of_two(other);
}

/// exp(x) - 1, without the loss of digits near 0.
template <class D>
HWY_INLINE Lanes<D> expm1(Lanes<D> x) {
  const Mask<D> usual = abs(x) <= TraitsOf<D>::kExpUsual;
  const ExpParts<D> parts = exp_parts(x, x);
  const Lanes<D> power = power_of_two(parts.shifted);
  const Lanes<D> near = mul_add(power, parts.rest, power - 1) | sign_of(x);  // -0 stays -0
  if (usually(usual)) return near;
  return select(usual, near, exp(x) - 1);
}

/// log(2^more_exponent x) of a positive normal x = 2^n m with m around 1: log(m) = 2 atanh(s),
/// s = (m - 1) / (m + 1), combined as in fdlibm's e_log.c.
template <class D>
HWY_INLINE Lanes<D> log_usual(Lanes<D> x, Lanes<D> more_exponent) {
  using T = hn::TFromD<D>;
  using Traits = TraitsOf<D>;
  using Bits = Unsigned<D>;
  constexpr int kMantissa = Traits::kMantissa;
  const Bits one = bits(Lanes<D>(1)), root = bits(Lanes<D>(std::numbers::sqrt2_v<T> / 2));
  const Bits raised = bits(x) + (one - root);
  const Bits mantissa = raised & Bits((hn::TFromD<typename Bits::Tag>{1} << kMantissa) - 1);
  const Lanes<D> m = from_bits(D(), mantissa + root);
  // The biased exponent, in the lowest bits of a big number.
  constexpr T kBig = T(uint64_t{1} << kMantissa);
  const Bits exponent = hn::ShiftRight<kMantissa>(raised.vector);
  const Lanes<D> n =
      from_bits(D(), exponent | bits(Lanes<D>(kBig))) - (kBig + T(Traits::kBias)) + more_exponent;
  const Lanes<D> f = m - 1, s = f / (f + 2), z = s * s, half_square = f * f * T(0.5);
  const Lanes<D> r = z * polynomial(PolynomialsOf<D>::kLog, z);
  const Lanes<D> low = mul_add(s, half_square + r, n * Traits::kLn2Low);
  return mul_add(n, Traits::kLn2High, f - (half_square - low));
}

template <class D>
HWY_INLINE Lanes<D> log(Lanes<D> x) {
  using T = hn::TFromD<D>;
  using Limits = std::numeric_limits<T>;
  const Mask<D> finite = x < Limits::infinity(), normal = x >= Limits::min();
  if (usually(normal && finite)) return log_usual(x, Lanes<D>(0));
  constexpr T kScale = TraitsOf<D>::kTiny;
  constexpr T kExponent = std::is_same_v<T, float> ? 25 : 54;
  const Lanes<D> result = log_usual(select(normal, x, x * kScale), select(normal, 0, -kExponent));
  const Lanes<D> rest = select(x == 0, -Limits::infinity(), select(x < 0, Limits::quiet_NaN(), x));
  return select(x > 0 && finite, result, rest);
}

/// The rounding of 1 + x is corrected by the derivative, as in Kahan's log1p.
template <class D>
HWY_INLINE Lanes<D> log1p(Lanes<D> x) {
  using Limits = std::numeric_limits<hn::TFromD<D>>;
  const Lanes<D> sum = x + 1;
  const Lanes<D> lost = (x - (sum - 1)) / sum;
  const Lanes<D> result = log(sum) + select(sum > 0 && sum < Limits::infinity(), lost, 0);
  return select(sum == 1, x, result);
}

template <class D>
HWY_INLINE Lanes<D> tanh(Lanes<D> x) {
  using Traits = TraitsOf<D>;
  const Lanes<D> bounded = select(abs(x) > Traits::kTanhOne, Traits::kTanhOne, abs(x));
  const Lanes<D> twice = bounded + bounded;
  const ExpParts<D> parts = exp_parts(twice, twice);
  const Lanes<D> power = power_of_two(parts.shifted);
  const Lanes<D> less_one = mul_add(power, parts.rest, power - 1);  // exp(2 |x|) - 1
  return less_one / (less_one + 2) | sign_of(x);
}

/// 1 / (1 + exp(-x)), by the exponential that does not overflow.
template <class D>
HWY_INLINE Lanes<D> sigmoid(Lanes<D> x) {
  const Lanes<D> power = exp(-abs(x));
  return select(x < 0, power, 1) / (1 + power);
}

/// The gradient of x * sigmoid(x), times `grad`.
template <class D>
HWY_INLINE Lanes<D> silu_gradient(Lanes<D> grad, Lanes<D> x) {
  const Lanes<D> s = sigmoid(x);
  return grad * (s * (1 + x * (1 - s)));
}

template <class D>
HWY_INLINE Lanes<D> erf(Lanes<D> x) {
  using Traits = TraitsOf<D>;
  const Lanes<D> size = abs(x);
  const Lanes<D> near = mul_add(x, polynomial(PolynomialsOf<D>::kErfNear, x * x), x);
  const Lanes<D> bounded = select(size > Traits::kErfOne, Traits::kErfOne, size);
  const Lanes<D> far = 1 - exp_usual(-polynomial(PolynomialsOf<D>::kErfFar, bounded - 1));
  return select(size < 1, near, far | sign_of(x));
}

/// The normal distribution function, (1 + erf(x / sqrt 2)) / 2. Floats need one exponential, which
/// is more exact where erf is near -1.
template <class D>
HWY_INLINE Lanes<D> normal_below(Lanes<D> x) {
  using T = hn::TFromD<D>;
  if constexpr (std::is_same_v<T, float>) {
    constexpr float kFar = 6;  // beyond, 1 - tail rounds to 1
    const Lanes<D> size = abs(x);
    const Lanes<D> log_tail = polynomial(Polynomials<float>::kHalfErfc, size);
    const Lanes<D> tail = select(size > kFar, 0, exp_usual(log_tail));
    return select(x < 0, tail, 1 - tail);
  } else {
    return (1 + erf(x * (std::numbers::sqrt2 / 2))) * 0.5;
  }
}

template <class D>
HWY_INLINE Lanes<D> gelu(Lanes<D> x) {
  return x * normal_below(x);
}

/// The derivative of gelu.
template <class D>
HWY_INLINE Lanes<D> gelu_slope(Lanes<D> x) {
  using T = hn::TFromD<D>;
  constexpr T kMost = std::numbers::inv_sqrtpi_v<T> / std::numbers::sqrt2_v<T>;
  return mul_add(x * kMost, exp(x * x * T(-0.5)), normal_below(x));
}

/// Calls Function::apply for every lane.
template <class Function, class D, class... More>
HWY_INLINE Lanes<D> one_by_one(Lanes<D> x, More... more) {
  using T = hn::TFromD<D>;
  constexpr size_t kLanes = hn::MaxLanes(D());
  HWY_ALIGN T numbers[kLanes];
  store(x, numbers);
  for (T& number : numbers) number = Function::apply(number, more...);
  return load(D(), numbers);
}

struct ScalarPower {
  template <class T>
  static T apply(T x, T exponent) {
    return std::pow(x, exponent);
  }
};

struct PowerOfSizes {  ///< |x|^exponent in double, for floats
  double exponent;
  template <class D>
  HWY_INLINE Lanes<D> operator()(Lanes<D> x) const {
    return exp(log(abs(x)) * exponent);
  }
};

/// x to a power that all lanes share. Floats are computed in double, so that the logarithm's error
/// is rounded away. Doubles have no wider type, and the C library computes them.
template <class D>
HWY_INLINE Lanes<D> power(Lanes<D> x, hn::TFromD<D> exponent) {
  using T = hn::TFromD<D>;
  if constexpr (std::is_same_v<T, double>) {
    return one_by_one<ScalarPower>(x, exponent);
  } else {
    if (!std::isfinite(exponent)) return one_by_one<ScalarPower>(x, exponent);
    const Lanes<D> size = Doubles<D>::of(x).map(PowerOfSizes{exponent}).narrow();
    const bool whole = exponent == std::trunc(exponent);
    if (whole) return std::fmod(exponent, T{2}) == 0 ? size : size | sign_of(x);
    const Mask<D> real = x >= 0 || x == -std::numeric_limits<T>::infinity();
    return select(real, size, std::numeric_limits<T>::quiet_NaN());
  }
}

}  // namespace rt::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
