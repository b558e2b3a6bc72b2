// simd_angles-inl.h -- trigonometric functions and inverses over lanes, per instruction set.
#if defined(RT_SIMD_ANGLES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef RT_SIMD_ANGLES_INL_H_
#undef RT_SIMD_ANGLES_INL_H_
#else
#define RT_SIMD_ANGLES_INL_H_
#endif

#include "elementwise/simd_math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace rt::cpu::HWY_NAMESPACE {

// Angles are reduced to a quarter turn by subtracting n pi/2, by Cody and Waite's method: in pieces
// of 33 bits, whose products with n below 2^20 are exact in double. Floats are reduced in double,
// where two pieces suffice.
constexpr double kHalfPi1 = 0x1.921fb544p+0, kHalfPi2 = 0x1.0b4611a6p-34;
constexpr double kHalfPi3 = 0x1.3198a2ep-69, kHalfPi4 = 0x1.b839a252049c1p-104;
constexpr double kHalfPi2Rest = 0x1.0b4611a626331p-34;
constexpr double kMaxAngle = 8e5;  ///< above, the C library is used, which reduces exactly

struct QuartersIn {
  template <class D>
  HWY_INLINE Lanes<D> operator()(Lanes<D> x) const {
    constexpr double kShift = FloatTraits<double>::kShift;
    return mul_add(x, 2 * std::numbers::inv_pi, kShift) - kShift;
  }
};
struct WithoutQuarters {
  template <class D>
  HWY_INLINE Lanes<D> operator()(Lanes<D> x, Lanes<D> n) const {
    return neg_mul_add(neg_mul_add(x, n, kHalfPi1), n, kHalfPi2Rest);
  }
};

/// x = quarters * pi/2 + rest, 0 <= x, the rest within pi/4 of 0.
template <class D>
struct Angle {
  Lanes<D> rest;
  Unsigned<D> quarters;  ///< only the lowest two bits are used
};
template <class D>
HWY_INLINE Angle<D> angle(Lanes<D> x) {
  constexpr auto kShift = TraitsOf<D>::kShift;
  if constexpr (std::is_same_v<hn::TFromD<D>, float>) {
    const auto wide = Doubles<D>::of(x), n = wide.map(QuartersIn());
    return {wide.map(WithoutQuarters(), n).narrow(), bits(n.narrow() + kShift)};
  } else {
    const Lanes<D> n = QuartersIn()(x);
    const Lanes<D> coarse = neg_mul_add(neg_mul_add(x, n, kHalfPi1), n, kHalfPi2);
    return {neg_mul_add(neg_mul_add(coarse, n, kHalfPi3), n, kHalfPi4), bits(n + kShift)};
  }
}

template <class D>
struct SineAndCosine {
  Lanes<D> sine, cosine;
};
template <class D>
HWY_INLINE SineAndCosine<D> sine_and_cosine(Lanes<D> rest) {
  const Lanes<D> square = rest * rest;
  const Lanes<D> half = neg_mul_add(Lanes<D>(1), square, 0.5);
  return {mul_add(rest * square, polynomial(PolynomialsOf<D>::kSin, square), rest),
          mul_add(square * square, polynomial(PolynomialsOf<D>::kCos, square), half)};
}

template <class D>
HWY_INLINE Mask<D> odd(Unsigned<D> number) {
  const typename Unsigned<D>::Tag d;
  return {hn::RebindMask(D(), hn::Eq(hn::And(number.vector, hn::Set(d, 1)), hn::Set(d, 1)))};
}
/// The sign of a function that changes it every second quarter.
template <class D>
HWY_INLINE Lanes<D> sign_in(Unsigned<D> quarters) {
  constexpr int kToTop = sizeof(hn::TFromD<D>) * 8 - 2;
  return sign_of(from_bits(D(), Unsigned<D>(hn::ShiftLeft<kToTop>(quarters.vector))));
}

struct ScalarSine {
  template <class T>
  static T apply(T x) {
    return std::sin(x);
  }
};
struct ScalarCosine {
  template <class T>
  static T apply(T x) {
    return std::cos(x);
  }
};
struct ScalarTangent {
  template <class T>
  static T apply(T x) {
    return std::tan(x);
  }
};

/// The lanes of `result` where the angle is of usual size, and the C library's results elsewhere.
template <class Function, class D>
HWY_INLINE Lanes<D> with_big_angles(Lanes<D> x, Lanes<D> result) {
  const Mask<D> usual = abs(x) <= kMaxAngle;
  if (usually(usual)) return result;
  return select(usual, result, one_by_one<Function>(select(usual, 0, x)));
}

template <class D>
HWY_INLINE Lanes<D> sin(Lanes<D> x) {
  const Angle<D> reduced = angle(abs(x));
  const SineAndCosine<D> of = sine_and_cosine(reduced.rest);
  const Lanes<D> size = select(odd<D>(reduced.quarters), of.cosine, of.sine);
  return with_big_angles<ScalarSine>(x, size ^ sign_in<D>(reduced.quarters) ^ sign_of(x));
}

template <class D>
HWY_INLINE Lanes<D> cos(Lanes<D> x) {
  const Angle<D> reduced = angle(abs(x));
  const SineAndCosine<D> of = sine_and_cosine(reduced.rest);
  const Lanes<D> size = select(odd<D>(reduced.quarters), of.sine, of.cosine);
  return with_big_angles<ScalarCosine>(x, size ^ sign_in<D>(reduced.quarters + 1));
}

template <class D>
HWY_INLINE Lanes<D> tan(Lanes<D> x) {
  const Angle<D> reduced = angle(abs(x));
  const SineAndCosine<D> of = sine_and_cosine(reduced.rest);
  const Mask<D> turned = odd<D>(reduced.quarters);
  const Lanes<D> size = select(turned, -of.cosine, of.sine) / select(turned, of.sine, of.cosine);
  return with_big_angles<ScalarTangent>(x, size ^ sign_of(x));
}

/// A multiple of pi as a number, and the part that its rounding lost.
template <class T>
struct Constant {
  T number, lost;
};
template <class T>
constexpr Constant<T> pi_times(T factor) {
  if constexpr (std::is_same_v<T, float>)
    return {0x1.921fb6p+1f * factor, -0x1.777a5cp-24f * factor};
  else return {0x1.921fb54442d18p+1 * factor, 0x1.1a62633145c07p-53 * factor};
}
/// constant - x.
template <class D>
HWY_INLINE Lanes<D> less(Constant<hn::TFromD<D>> constant, Lanes<D> x) {
  return constant.number - (x - constant.lost);
}

/// asin(x), |x| <= 1/2.
template <class D>
HWY_INLINE Lanes<D> asin_near(Lanes<D> x, Lanes<D> square) {
  return mul_add(x * square, polynomial(PolynomialsOf<D>::kAsin, square), x);
}

// Beyond 1/2, acos(x) = 2 asin(sqrt((1 - x) / 2)).
template <class D>
HWY_INLINE Lanes<D> asin(Lanes<D> x) {
  using T = hn::TFromD<D>;
  const Lanes<D> size = abs(x);
  const Mask<D> near = size <= T(0.5);
  const Lanes<D> square = select(near, x * x, (1 - size) * T(0.5));
  const Lanes<D> part = asin_near(select(near, size, sqrt(square)), square);
  return select(near, part, less<D>(pi_times(T(0.5)), part + part)) | sign_of(x);
}

template <class D>
HWY_INLINE Lanes<D> acos(Lanes<D> x) {
  using T = hn::TFromD<D>;
  const Lanes<D> size = abs(x);
  const Mask<D> near = size <= T(0.5);
  const Lanes<D> square = select(near, x * x, (1 - size) * T(0.5));
  const Lanes<D> part = asin_near(select(near, x, sqrt(square)), square);
  const Lanes<D> twice = part + part;
  const Lanes<D> far = select(x < 0, less<D>(pi_times(T(1)), twice), twice);
  return select(near, less<D>(pi_times(T(0.5)), part), far);
}

/// atan(x), x >= 0. Beyond tan(pi/8), atan(x) = pi/4 + atan((x - 1) / (x + 1)), and beyond
/// tan(3 pi/8), pi/2 - atan(1 / x).
template <class D>
HWY_INLINE Lanes<D> atan_of_size(Lanes<D> x) {
  using T = hn::TFromD<D>;
  constexpr T kEighth = T(0.41421356237309505), kThreeEighths = T(2.414213562373095);
  const Mask<D> middle = x > kEighth, far = x > kThreeEighths;
  const Lanes<D> above = select(far, -1, select(middle, x - 1, x));
  const Lanes<D> below = select(far, x, select(middle, x + 1, 1));
  const Lanes<D> ratio = above / below, square = ratio * ratio;
  const Lanes<D> part = mul_add(ratio * square, polynomial(PolynomialsOf<D>::kAtan, square), ratio);
  constexpr Constant<T> kQuarter = pi_times(T(0.25)), kHalf = pi_times(T(0.5));
  const Lanes<D> lost = select(far, kHalf.lost, select(middle, kQuarter.lost, 0));
  return select(far, kHalf.number, select(middle, kQuarter.number, 0)) + (part + lost);
}

template <class D>
HWY_INLINE Lanes<D> atan(Lanes<D> x) {
  return atan_of_size(abs(x)) | sign_of(x);
}

/// The angle of the point (x, y).
template <class D>
HWY_INLINE Lanes<D> atan2(Lanes<D> y, Lanes<D> x) {
  using T = hn::TFromD<D>;
  const Lanes<D> high = abs(y), wide = abs(x);
  const Mask<D> steep = high > wide;
  const Lanes<D> small = select(steep, wide, high), big = select(steep, high, wide);
  // 0 / 0 counts as 0 here, and infinity / infinity as 1.
  const Lanes<D> ratio = select(small == big, select(big == 0, 0, 1), small / big);
  const Lanes<D> flat = atan_of_size(ratio);
  const Lanes<D> right = select(steep, less<D>(pi_times(T(0.5)), flat), flat);
  const Mask<D> to_the_left = (sign_of(x) | 1) < 0;
  const Lanes<D> size = select(to_the_left, less<D>(pi_times(T(1)), right), right);
  return select(is_nan(y) || is_nan(x), x + y, size | sign_of(y));
}

}  // namespace rt::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
