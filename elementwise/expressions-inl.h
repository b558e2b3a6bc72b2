// expressions-inl.h -- the rows of elementwise.def as formulas, once per instruction set.
#if defined(RT_EXPRESSIONS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef RT_EXPRESSIONS_INL_H_
#undef RT_EXPRESSIONS_INL_H_
#else
#define RT_EXPRESSIONS_INL_H_
#endif

#include "elementwise/simd_angles-inl.h"
#include "elementwise/simd_math-inl.h"
#include "elementwise/simd_wide-inl.h"

HWY_BEFORE_NAMESPACE();
namespace rt::cpu::HWY_NAMESPACE {

template <class D>
HWY_INLINE Lanes<D> cross_entropy_term(Lanes<D> p, Lanes<D> target) {
  const Lanes<D> log_not = max(log1p(-p), -100), log_p = max(log(p), -100);
  return (target - 1) * log_not - target * log_p;
}

/// The gradient of cross_entropy_term with respect to p.
template <class D>
HWY_INLINE Lanes<D> cross_entropy_slope(Lanes<D> p, Lanes<D> target) {
  // PyTorch's bound is a float for doubles too.
  return (p - target) / max((1 - p) * p, hn::TFromD<D>(1e-12f));
}

enum Takes { Floats = 2, Numbers = 4, All = 5 };  ///< the number of DTypes, from the first on
enum Work { Short, Long };

#define RT_FORMULA(Id, takes, work, operands, choice, first, second, third, expression) \
  struct Id {                                                                           \
    static constexpr Takes kTakes = takes;                                              \
    static constexpr Work kWork = work;                                                 \
    static constexpr int kOperands = operands;                                          \
    static constexpr bool kChoice = choice;                                             \
    template <class D>                                                                  \
    static HWY_INLINE auto apply(                                                       \
        [[maybe_unused]] std::conditional_t<choice, Mask<D>, Lanes<D>> first,           \
        [[maybe_unused]] Lanes<D> second, [[maybe_unused]] Lanes<D> third,              \
        [[maybe_unused]] Lanes<D> s) {                                                  \
      using T [[maybe_unused]] = hn::TFromD<D>;                                         \
      return expression;                                                                \
    }                                                                                   \
  };
#define RT_UNARY(Id, takes, work, expression) \
  RT_FORMULA(Id, takes, work, 1, false, a, b, c, expression)
#define RT_BINARY(Id, takes, work, expression) \
  RT_FORMULA(Id, takes, work, 2, false, a, b, c, expression)
#define RT_TERNARY(Id, takes, work, expression) \
  RT_FORMULA(Id, takes, work, 3, false, a, b, c, expression)
#define RT_CHOICE(Id, takes, work, expression) \
  RT_FORMULA(Id, takes, work, 3, true, mask, a, b, expression)
#define RT_LOOP(Id, function)

/// The powers that PyTorch computes exactly rather than by logarithm.
namespace powers {
RT_UNARY(Square, Floats, Short, (a * a))
RT_UNARY(Same, Floats, Short, a)
RT_UNARY(One, Floats, Short, Lanes<D>(1))
RT_UNARY(Cube, Floats, Short, (a * a * a))
RT_UNARY(Root, Floats, Short, sqrt(a))
RT_UNARY(OneByRoot, Floats, Short, 1 / sqrt(a))
RT_UNARY(OneBy, Floats, Short, 1 / a)
RT_UNARY(OneBySquare, Floats, Short, 1 / (a * a))
RT_UNARY(Any, Floats, Long, power(a, hn::GetLane(s.vector)))
}  // namespace powers

namespace expressions {
#include "elementwise/elementwise.def"
}
#undef RT_FORMULA

}  // namespace rt::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
