// lanes-inl.h -- vectors that are written like numbers; included once per instruction set.
// The include guard flips, because foreach_target.h includes the file once per instruction set.
#if defined(RT_LANES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef RT_LANES_INL_H_
#undef RT_LANES_INL_H_
#else
#define RT_LANES_INL_H_
#endif

#include <hwy/highway.h>

#include <algorithm>
#include <iterator>
#include <type_traits>

HWY_BEFORE_NAMESPACE();
namespace rt::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

template <class D>
struct Lanes;

/// The results of a comparison, lane by lane.
template <class D>
struct Mask {
  hn::Mask<D> mask;
  friend HWY_INLINE Mask operator||(Mask a, Mask b) { return {hn::Or(a.mask, b.mask)}; }
  friend HWY_INLINE Mask operator&&(Mask a, Mask b) { return {hn::And(a.mask, b.mask)}; }
  friend HWY_INLINE Mask operator!(Mask a) { return {hn::Not(a.mask)}; }
  friend HWY_INLINE bool all(Mask a) { return hn::AllTrue(D(), a.mask); }
  friend HWY_INLINE Lanes<D> select(Mask mask, Lanes<D> yes, Lanes<D> no) {
    return hn::IfThenElse(mask.mask, yes.vector, no.vector);
  }
  /// Zero where the mask is set, else `a`.
  friend HWY_INLINE Lanes<D> clear(Mask mask, Lanes<D> a) {
    return hn::IfThenZeroElse(mask.mask, a.vector);
  }
};

/// The numbers of a vector of Highway's tag D. A single number converts to a vector that repeats
/// it. Integers wrap. Lanes of int8_t are bools, 0 and 1: their sum is or, their product is and.
template <class D>
struct Lanes {
  using Tag = D;
  using T = hn::TFromD<D>;
  using Vector = hn::Vec<D>;
  static constexpr bool kBool = sizeof(T) == 1;
  Vector vector;

  HWY_INLINE Lanes(Vector vector) : vector(vector) {}
  HWY_INLINE Lanes(T number) : vector(hn::Set(D(), number)) {}

  friend HWY_INLINE Lanes operator+(Lanes a, Lanes b) {
    if constexpr (kBool) return hn::Or(a.vector, b.vector);
    else return hn::Add(a.vector, b.vector);
  }
  friend HWY_INLINE Lanes operator-(Lanes a, Lanes b) { return hn::Sub(a.vector, b.vector); }
  friend HWY_INLINE Lanes operator*(Lanes a, Lanes b) {
    if constexpr (kBool) return hn::And(a.vector, b.vector);
    else return hn::Mul(a.vector, b.vector);
  }
  friend HWY_INLINE Lanes operator/(Lanes a, Lanes b) { return hn::Div(a.vector, b.vector); }
  friend HWY_INLINE Lanes operator-(Lanes a) { return hn::Neg(a.vector); }
  friend HWY_INLINE Lanes operator&(Lanes a, Lanes b) { return hn::And(a.vector, b.vector); }
  friend HWY_INLINE Lanes operator|(Lanes a, Lanes b) { return hn::Or(a.vector, b.vector); }
  friend HWY_INLINE Lanes operator^(Lanes a, Lanes b) { return hn::Xor(a.vector, b.vector); }

  friend HWY_INLINE Mask<D> operator<(Lanes a, Lanes b) { return {hn::Lt(a.vector, b.vector)}; }
  friend HWY_INLINE Mask<D> operator>(Lanes a, Lanes b) { return {hn::Gt(a.vector, b.vector)}; }
  // Highway's Le and Ge take floats alone on some instruction sets.
  friend HWY_INLINE Mask<D> operator<=(Lanes a, Lanes b) {
    if constexpr (std::is_floating_point_v<T>) return {hn::Le(a.vector, b.vector)};
    else return !(a > b);
  }
  friend HWY_INLINE Mask<D> operator>=(Lanes a, Lanes b) { return b <= a; }
  friend HWY_INLINE Mask<D> operator==(Lanes a, Lanes b) { return {hn::Eq(a.vector, b.vector)}; }
  // Highway's Ne gives different results for NaN on different instruction sets.
  friend HWY_INLINE Mask<D> operator!=(Lanes a, Lanes b) { return !(a == b); }
  friend HWY_INLINE Mask<D> is_nan(Lanes a) {
    if constexpr (std::is_floating_point_v<T>) return {hn::IsNaN(a.vector)};
    else return a < a;
  }

  /// a * b + c, rounded once where the processor does that.
  friend HWY_INLINE Lanes mul_add(Lanes a, Lanes b, Lanes c) {
    return hn::MulAdd(a.vector, b.vector, c.vector);
  }
  /// c - a * b, rounded as in mul_add.
  friend HWY_INLINE Lanes neg_mul_add(Lanes c, Lanes a, Lanes b) {
    return hn::NegMulAdd(a.vector, b.vector, c.vector);
  }
  friend HWY_INLINE Lanes abs(Lanes a) {
    if constexpr (std::is_floating_point_v<T>) return hn::Abs(a.vector);
    else return select(a < 0, -a, a);
  }
  friend HWY_INLINE Lanes sqrt(Lanes a) { return hn::Sqrt(a.vector); }
  friend HWY_INLINE Mask<D> is_infinite(Lanes a) {
    if constexpr (std::is_floating_point_v<T>) return {hn::IsInf(a.vector)};
    else return a < a;
  }

  // Rounding to whole numbers, which integers are already. round takes halves to the even one.
  friend HWY_INLINE Lanes floor(Lanes a) {
    if constexpr (std::is_floating_point_v<T>) return hn::Floor(a.vector);
    else return a;
  }
  friend HWY_INLINE Lanes ceil(Lanes a) {
    if constexpr (std::is_floating_point_v<T>) return hn::Ceil(a.vector);
    else return a;
  }
  friend HWY_INLINE Lanes round(Lanes a) {
    if constexpr (std::is_floating_point_v<T>) return hn::Round(a.vector);
    else return a;
  }
  friend HWY_INLINE Lanes trunc(Lanes a) {
    if constexpr (std::is_floating_point_v<T>) return hn::Trunc(a.vector);
    else return a;
  }
  /// The larger one; b where one of them is NaN.
  friend HWY_INLINE Lanes max(Lanes a, Lanes b) { return select(a > b, a, b); }
};

/// The lane type in which T is stored.
template <class T>
using StoredLane = std::conditional_t<std::is_same_v<T, bool>, int8_t, T>;

/// The bits of floats.
template <class D>
using Unsigned = Lanes<hn::RebindToUnsigned<D>>;
template <class D>
HWY_INLINE Unsigned<D> bits(Lanes<D> a) {
  return hn::BitCast(hn::RebindToUnsigned<D>(), a.vector);
}
template <class D>
HWY_INLINE Lanes<D> from_bits(D d, Unsigned<D> a) {
  return hn::BitCast(d, a.vector);
}

template <class D>
HWY_INLINE Lanes<D> load(D d, const hn::TFromD<D>* from) {
  return hn::LoadU(d, from);
}
template <class D>
HWY_INLINE void store(Lanes<D> a, hn::TFromD<D>* to) {
  hn::StoreU(a.vector, D(), to);
}

/// Loads the first n numbers, fewer than a vector has. The other lanes repeat the first number.
template <class D>
HWY_INLINE Lanes<D> load_first(D d, const hn::TFromD<D>* from, int64_t n) {
  using T = hn::TFromD<D>;
  constexpr size_t kLanes = hn::MaxLanes(D());
  HWY_ALIGN T padded[kLanes];
  for (size_t i = 0; i < kLanes; ++i) padded[i] = from[static_cast<int64_t>(i) < n ? i : 0];
  return load(d, padded);
}
template <class D>
HWY_INLINE void store_first(Lanes<D> a, hn::TFromD<D>* to, int64_t n) {
  using T = hn::TFromD<D>;
  constexpr size_t kLanes = hn::MaxLanes(D());
  HWY_ALIGN T padded[kLanes];
  store(a, padded);
  for (size_t i = 0; i < kLanes; ++i)
    if (static_cast<int64_t>(i) < n) to[i] = padded[i];
}

/// Loads bools as a mask for as many numbers.
template <class D>
HWY_INLINE Mask<D> load_mask(D d, const int8_t* from) {
  const auto bytes = hn::LoadU(hn::Rebind<int8_t, D>(), from);
  const auto answers = [d](auto wide, auto numbers) -> Mask<D> {
    return {hn::RebindMask(d, hn::Ne(numbers, hn::Zero(wide)))};
  };
  if constexpr (sizeof(hn::TFromD<D>) == 1) {
    return answers(d, bytes);
  } else {
    const hn::Rebind<int32_t, D> half;
    const auto widened = hn::PromoteTo(half, bytes);
    if constexpr (sizeof(hn::TFromD<D>) == 4) return answers(half, widened);
    else return answers(hn::Rebind<int64_t, D>(), hn::PromoteTo(hn::Rebind<int64_t, D>(), widened));
  }
}
template <class D>
HWY_INLINE void store(Mask<D> a, int8_t* to) {
  const hn::RebindToUnsigned<D> wide;
  const hn::Rebind<uint8_t, D> bytes;
  const auto all_bits = hn::VecFromMask(wide, hn::RebindMask(wide, a.mask));
  const auto narrow = [&] {
    if constexpr (sizeof(hn::TFromD<D>) == 1) return all_bits;
    else return hn::TruncateTo(bytes, all_bits);
  };
  hn::StoreU(hn::And(narrow(), hn::Set(bytes, 1)), bytes, reinterpret_cast<uint8_t*>(to));
}
template <class D>
HWY_INLINE Mask<D> load_first_mask(D d, const int8_t* from, int64_t n) {
  int8_t padded[hn::MaxLanes(D())];
  for (size_t i = 0; i < std::size(padded); ++i)
    padded[i] = from[static_cast<int64_t>(i) < n ? i : 0];
  return load_mask(d, padded);
}
template <class D>
HWY_INLINE void store_first(Mask<D> a, int8_t* to, int64_t n) {
  int8_t padded[hn::MaxLanes(D())];
  store(a, padded);
  std::copy_n(padded, n, to);
}

/// Lanes without conversion, with the interface of DoublesOfFloats.
template <class D>
struct Whole {
  using Tag = D;
  Lanes<Tag> low;
  static HWY_INLINE Whole of(Lanes<D> a) { return {a}; }
  static HWY_INLINE Whole all(hn::TFromD<D> number) { return {Lanes<D>(number)}; }
  static HWY_INLINE Whole load(const hn::TFromD<D>* from) {
    return {Lanes<D>(hn::LoadU(D(), from))};
  }
  HWY_INLINE void store(hn::TFromD<D>* to) const { hn::StoreU(low.vector, D(), to); }
  template <class Function, class... More>
  HWY_INLINE Whole map(const Function& function, More... more) const {
    return {function(low, more.low...)};
  }
};

#if HWY_TARGET == HWY_SCALAR
/// Lanes of floats as doubles. The vectors of HWY_SCALAR have one lane and so no halves.
template <class D>
struct DoublesOfFloats {
  using Tag = hn::Rebind<double, D>;
  Lanes<Tag> low;
  static HWY_INLINE DoublesOfFloats of(Lanes<D> a) {
    return {Lanes<Tag>(hn::PromoteTo(Tag(), a.vector))};
  }
  static HWY_INLINE DoublesOfFloats all(double number) { return {Lanes<Tag>(number)}; }
  static HWY_INLINE DoublesOfFloats load(const double* from) {
    return {Lanes<Tag>(hn::LoadU(Tag(), from))};
  }
  HWY_INLINE void store(double* to) const { hn::StoreU(low.vector, Tag(), to); }
  /// Without DemoteTo, which makes infinities and numbers out of range the largest float.
  HWY_INLINE Lanes<D> narrow() const {
    return Lanes<D>(static_cast<float>(hn::GetLane(low.vector)));
  }
  template <class Function, class... More>
  HWY_INLINE DoublesOfFloats map(const Function& function, More... more) const {
    return {function(low, more.low...)};
  }
};
#else
/// Lanes of floats as doubles: the lower half of them and the upper.
template <class D>
struct DoublesOfFloats {
  using Tag = hn::Repartition<double, D>;
  using Half = hn::Half<D>;
  Lanes<Tag> low, high;
  static HWY_INLINE DoublesOfFloats of(Lanes<D> a) {
    return {Lanes<Tag>(hn::PromoteTo(Tag(), hn::LowerHalf(Half(), a.vector))),
            Lanes<Tag>(hn::PromoteTo(Tag(), hn::UpperHalf(Half(), a.vector)))};
  }
  static HWY_INLINE DoublesOfFloats all(double number) {
    return {Lanes<Tag>(number), Lanes<Tag>(number)};
  }
  static HWY_INLINE DoublesOfFloats load(const double* from) {
    return {Lanes<Tag>(hn::LoadU(Tag(), from)),
            Lanes<Tag>(hn::LoadU(Tag(), from + hn::Lanes(Tag())))};
  }
  HWY_INLINE void store(double* to) const {
    hn::StoreU(low.vector, Tag(), to);
    hn::StoreU(high.vector, Tag(), to + hn::Lanes(Tag()));
  }
  HWY_INLINE Lanes<D> narrow() const {
#if HWY_TARGET == HWY_EMU128  // DemoteTo as on HWY_SCALAR
    double wide[hn::MaxLanes(D())];
    float narrowed[hn::MaxLanes(D())];
    store(wide);
    for (size_t i = 0; i < hn::MaxLanes(D()); ++i) narrowed[i] = static_cast<float>(wide[i]);
    return Lanes<D>(hn::LoadU(D(), narrowed));
#else
    return hn::Combine(D(), hn::DemoteTo(Half(), high.vector), hn::DemoteTo(Half(), low.vector));
#endif
  }
  template <class Function, class... More>
  HWY_INLINE DoublesOfFloats map(const Function& function, More... more) const {
    return {function(low, more.low...), function(high, more.high...)};
  }
};
#endif

/// Lanes of floats or doubles, as doubles.
template <class D>
using Doubles =
    std::conditional_t<std::is_same_v<hn::TFromD<D>, float>, DoublesOfFloats<D>, Whole<D>>;

}  // namespace rt::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
