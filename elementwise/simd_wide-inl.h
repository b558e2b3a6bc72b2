// simd_wide-inl.h -- functions that floats compute in double, per instruction set.
#if defined(RT_SIMD_WIDE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef RT_SIMD_WIDE_INL_H_
#undef RT_SIMD_WIDE_INL_H_
#else
#define RT_SIMD_WIDE_INL_H_
#endif

#include "elementwise/simd_math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace rt::cpu::HWY_NAMESPACE {

/// Function for every lane. Floats are computed in double, so that a plain formula is exact enough.
/// Doubles have no wider type, and the C library computes them.
template <class Function, class D>
HWY_INLINE Lanes<D> wide(Lanes<D> x) {
  if constexpr (std::is_same_v<hn::TFromD<D>, double>) return one_by_one<Function>(x);
  else return Doubles<D>::of(x).map(Function()).narrow();
}

struct WideLog2 {
  static double apply(double x) { return std::log2(x); }
  template <class D>
  HWY_INLINE Lanes<D> operator()(Lanes<D> x) const {
    return log(x) * std::numbers::log2e;
  }
};

struct WideLog10 {
  static double apply(double x) { return std::log10(x); }
  template <class D>
  HWY_INLINE Lanes<D> operator()(Lanes<D> x) const {
    return log(x) * std::numbers::log10e;
  }
};

struct WideSinh {
  static double apply(double x) { return std::sinh(x); }
  template <class D>
  HWY_INLINE Lanes<D> operator()(Lanes<D> x) const {
    const Lanes<D> size = abs(x), power = exp(size);
    const Lanes<D> near = mul_add(size * size * size, 1.0 / 6, size);
    return select(size < 1e-4, near, (power - 1 / power) * 0.5) | sign_of(x);
  }
};

struct WideCosh {
  static double apply(double x) { return std::cosh(x); }
  template <class D>
  HWY_INLINE Lanes<D> operator()(Lanes<D> x) const {
    const Lanes<D> power = exp(abs(x));
    return (power + 1 / power) * 0.5;
  }
};

struct WideAsinh {  ///< log(|x| + sqrt(x^2 + 1)), without the loss of digits near 0
  static double apply(double x) { return std::asinh(x); }
  template <class D>
  HWY_INLINE Lanes<D> operator()(Lanes<D> x) const {
    const Lanes<D> size = abs(x), square = size * size;
    const Lanes<D> result = log1p(size + square / (1 + sqrt(1 + square)));
    return select(is_infinite(size), size, result) | sign_of(x);
  }
};

struct WideAcosh {  ///< log(x + sqrt(x^2 - 1)), without the loss of digits near 1
  static double apply(double x) { return std::acosh(x); }
  template <class D>
  HWY_INLINE Lanes<D> operator()(Lanes<D> x) const {
    const Lanes<D> more = x - 1;
    return log1p(more + sqrt(more * (more + 2)));
  }
};

struct WideAtanh {  ///< log((1 + x) / (1 - x)) / 2, without the loss of digits near 0
  static double apply(double x) { return std::atanh(x); }
  template <class D>
  HWY_INLINE Lanes<D> operator()(Lanes<D> x) const {
    const Lanes<D> size = abs(x);
    return log1p(2 * size / (1 - size)) * 0.5 | sign_of(x);
  }
};

}  // namespace rt::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
