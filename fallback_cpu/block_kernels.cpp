// block_kernels.cpp -- elementwise.def as loops over vectors: one per op and dtype, and all of them
// once per instruction set.
#include "fallback_cpu/block_kernels.h"

#include <algorithm>
#include <array>

#include "fallback_cpu/dtypes.h"
#include "fallback_cpu/simd.h"
#include "graph/decompose.h"
#include "graph/infer.h"
#include "graph/views.h"
#include "graph/vjp.h"

#define HWY_TARGET_INCLUDE "fallback_cpu/block_kernels.cpp"
#include <hwy/foreach_target.h>

#include "fallback_cpu/simd_angles-inl.h"
#include "fallback_cpu/simd_math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace rt::cpu::HWY_NAMESPACE {
namespace {

template <class D>
HWY_INLINE Lanes<D> cross_entropy_term(Lanes<D> p, Lanes<D> target) {
  const Lanes<D> log_not = larger(log1p(-p), -100), log_p = larger(log(p), -100);
  return (target - 1) * log_not - target * log_p;
}

/// The gradient of cross_entropy_term at p.
template <class D>
HWY_INLINE Lanes<D> cross_entropy_slope(Lanes<D> p, Lanes<D> target) {
  return (p - target) / larger((1 - p) * p, hn::TFromD<D>(1e-12));
}

/// One operand: what lies in memory, or one element repeated as often as a vector is long. Of a
/// choice the first is bools.
template <class D, bool truths, bool repeats>
struct Stream {
  using T = std::conditional_t<truths, int8_t, hn::TFromD<D>>;
  HWY_ALIGN T repeated[repeats ? hn::MaxLanes(D()) : 1];
  const T* from;
  int64_t along = -1;  ///< 0 where one element is repeated
  HWY_INLINE explicit Stream(const BlockOperand& operand)
      : from(static_cast<const T*>(operand.data)) {
    if (!repeats || !operand.same) return;
    for (T& each : repeated) each = *from;
    from = repeated;
    along = 0;
  }
  HWY_INLINE auto at(int64_t i) const {
    const T* const place = from + (repeats ? i & along : i);
    if constexpr (truths) return load_truths(D(), place);
    else return load(D(), place);
  }
  HWY_INLINE auto first(int64_t n) const {
    if constexpr (truths) return load_first_truths(D(), from, n);
    else return load_first(D(), from, n);
  }
};
/// An operand that the op does not have.
template <class D>
struct NoStream {
  HWY_INLINE explicit NoStream(const BlockOperand&) {}
  HWY_INLINE Lanes<D> at(int64_t) const { return Lanes<D>(0); }
  HWY_INLINE Lanes<D> first(int64_t) const { return Lanes<D>(0); }
};
template <class Expression, class D, int number, bool repeats>
using StreamOf =
    std::conditional_t<(number < Expression::kOperands),
                       Stream<D, Expression::kChoice && number == 0, repeats>, NoStream<D>>;

/// out[i] = Expression(a[i], b[i], c[i], s). What is left behind the last whole vector is computed
/// by a vector that ends with it, and reaches back over elements that are computed twice.
template <class Expression, class T, bool repeats>
HWY_INLINE void run_streams(int64_t n, void* out, const BlockOperand* operands,
                            [[maybe_unused]] int64_t scalar) {
  using D = hn::ScalableTag<T>;
  const auto step = static_cast<int64_t>(hn::Lanes(D()));
  const StreamOf<Expression, D, 0, repeats> a(operands[0]);
  const StreamOf<Expression, D, 1, repeats> b(operands[Expression::kOperands > 1 ? 1 : 0]);
  const StreamOf<Expression, D, 2, repeats> c(operands[Expression::kOperands > 2 ? 2 : 0]);
  Lanes<D> s(T{});
  if constexpr (std::is_floating_point_v<T>)
    s = Lanes<D>(static_cast<T>(std::bit_cast<double>(scalar)));
  using Result = decltype(Expression::apply(a.at(0), b.at(0), c.at(0), s));
  constexpr bool kAnswers = std::is_same_v<Result, Truths<D>>;
  auto* HWY_RESTRICT to = static_cast<std::conditional_t<kAnswers, int8_t, T>*>(out);
  int64_t i = 0;
#pragma GCC unroll 4
  for (; i + step <= n; i += step) store(Expression::apply(a.at(i), b.at(i), c.at(i), s), to + i);
  if (i == n) return;
  if (n >= step) {
    i = n - step;
    store(Expression::apply(a.at(i), b.at(i), c.at(i), s), to + i);
  } else {
    store_first(Expression::apply(a.first(n), b.first(n), c.first(n), s), to, n);
  }
}

template <class Expression, class Type>
void run(int64_t n, void* out, const BlockOperand* operands, int64_t scalar) {
  using T = StoredLane<Type>;
  bool repeats = false;
  if constexpr (Expression::kOperands > 1)
    for (int i = 0; i < Expression::kOperands; ++i) repeats |= operands[i].same;
  if (repeats) run_streams<Expression, T, (Expression::kOperands > 1)>(n, out, operands, scalar);
  else run_streams<Expression, T, false>(n, out, operands, scalar);
}

enum Takes { Floats = 2, Numbers = 4, All = 5 };  ///< how many of the first DTypes

#define RT_FORMULA_OF(Id, operands, choice, first, second, third, expression)   \
  struct Id {                                                                   \
    static constexpr int kOperands = operands;                                  \
    static constexpr bool kChoice = choice;                                     \
    template <class D>                                                          \
    static HWY_INLINE auto apply(                                               \
        [[maybe_unused]] std::conditional_t<choice, Truths<D>, Lanes<D>> first, \
        [[maybe_unused]] Lanes<D> second, [[maybe_unused]] Lanes<D> third,      \
        [[maybe_unused]] Lanes<D> s) {                                          \
      using T [[maybe_unused]] = hn::TFromD<D>;                                 \
      return expression;                                                        \
    }                                                                           \
  };
#define RT_FORMULA(Id, operands, expression) RT_FORMULA_OF(Id, operands, false, a, b, c, expression)
#define RT_FORMULA_TO_CHOOSE(Id, operands, expression) \
  RT_FORMULA_OF(Id, operands, true, which, a, b, expression)

#define RT_UNARY(Id, takes, expression) RT_EXPRESSION(RT_FORMULA, Id, takes, 1, expression)
#define RT_BINARY(Id, takes, expression) RT_EXPRESSION(RT_FORMULA, Id, takes, 2, expression)
#define RT_TERNARY(Id, takes, expression) RT_EXPRESSION(RT_FORMULA, Id, takes, 3, expression)
#define RT_CHOICE(Id, takes, expression) \
  RT_EXPRESSION(RT_FORMULA_TO_CHOOSE, Id, takes, 3, expression)
#define RT_EXPRESSION(formula, Id, takes, operands, expression)            \
  formula(FormulaOf##Id, operands, expression) struct Id : FormulaOf##Id { \
    static constexpr Takes kTakes = takes;                                 \
    template <class T>                                                     \
    static constexpr BlockKernel kernel = run<Id, T>;                      \
  };
#define RT_LOOP(Id, takes, function)                   \
  struct Id {                                          \
    static constexpr Takes kTakes = takes;             \
    static constexpr int kOperands = 1;                \
    template <class T>                                 \
    static constexpr BlockKernel kernel = function<T>; \
  };

/// The powers that PyTorch computes exactly rather than by logarithm.
namespace powers {
RT_FORMULA(Square, 1, (a * a))
RT_FORMULA(Same, 1, a)
RT_FORMULA(One, 1, Lanes<D>(1))
RT_FORMULA(Cube, 1, (a * a * a))
RT_FORMULA(Root, 1, sqrt(a))
RT_FORMULA(OneByRoot, 1, 1 / sqrt(a))
RT_FORMULA(OneBy, 1, 1 / a)
RT_FORMULA(OneBySquare, 1, 1 / (a * a))
RT_FORMULA(Any, 1, power(a, hn::GetLane(s.vector)))
}  // namespace powers

template <class T>
void run_power(int64_t n, void* out, const BlockOperand* operands, int64_t scalar) {
  const T exponent = convert<T>(std::bit_cast<double>(scalar));
  BlockKernel kernel = run<powers::Any, T>;
  if (exponent == T{2}) kernel = run<powers::Square, T>;
  else if (exponent == T{1}) kernel = run<powers::Same, T>;
  else if (exponent == T{0}) kernel = run<powers::One, T>;
  else if (exponent == T{3}) kernel = run<powers::Cube, T>;
  else if (exponent == T(0.5)) kernel = run<powers::Root, T>;
  else if (exponent == T(-0.5)) kernel = run<powers::OneByRoot, T>;
  else if (exponent == T{-1}) kernel = run<powers::OneBy, T>;
  else if (exponent == T{-2}) kernel = run<powers::OneBySquare, T>;
  kernel(n, out, operands, scalar);
}

namespace expressions {
#include "fallback_cpu/elementwise.def"
}

struct KernelRow {
  uint32_t operands = 0;
  BlockKernel kernels[5] = {};  ///< by DType; nullptr where it is not computed

  template <class Expression, class T>
  constexpr void put() {
    if constexpr (static_cast<int>(kDTypeOf<T>) < Expression::kTakes)
      kernels[static_cast<size_t>(kDTypeOf<T>)] = Expression::template kernel<T>;
  }
};

template <class Expression>
constexpr KernelRow kernel_row() {
  KernelRow row;
  row.operands = Expression::kOperands;
  row.put<Expression, float>();
  row.put<Expression, double>();
  row.put<Expression, int32_t>();
  row.put<Expression, int64_t>();
  row.put<Expression, bool>();
  return row;
}

constexpr size_t kOpCount = 0
#define RT_OP(...) +1
#define RT_INTERNAL(...) +1
#include "graph/ops.def"
    ;
constexpr std::array<KernelRow, kOpCount> kernel_rows() {
  std::array<KernelRow, kOpCount> rows{};
#define RT_UNARY(Id, ...) rows[static_cast<size_t>(Op::Id)] = kernel_row<expressions::Id>();
#define RT_BINARY RT_UNARY
#define RT_TERNARY RT_UNARY
#define RT_CHOICE RT_UNARY
#define RT_LOOP RT_UNARY
#include "fallback_cpu/elementwise.def"
  return rows;
}
constexpr std::array<KernelRow, kOpCount> kKernels = kernel_rows();

// An elementwise row of the op table without a row in elementwise.def does not build.
#define RT_CHECK(Id, ...)                                                 \
  static_assert((Rules{__VA_ARGS__}.kernel == Kernel::Elementwise) ==     \
                    (kKernels[static_cast<size_t>(Op::Id)].operands > 0), \
                #Id ": ops.def and elementwise.def disagree");
#define RT_OP(Id, symbol, result, params, doc, ...) RT_CHECK(Id, __VA_ARGS__)
#define RT_INTERNAL(Id, params, doc, ...) RT_CHECK(Id, __VA_ARGS__)
#include "graph/ops.def"
#undef RT_CHECK
#undef RT_EXPRESSION

const KernelRow& kernels_of(Op op) { return kKernels[static_cast<size_t>(op)]; }

uint32_t operands_of(Op op) { return kernels_of(op).operands; }

BlockKernel kernel_of(Op op, DType dtype) {
  const auto& kernels = kernels_of(op).kernels;
  const auto at = static_cast<size_t>(dtype);
  return at < std::size(kernels) ? kernels[at] : nullptr;
}

}  // namespace
}  // namespace rt::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace rt::cpu {

uint32_t block_operands(Op op) { return HWY_STATIC_DISPATCH(operands_of)(op); }

BlockKernel block_kernel(Op op, DType dtype) {
  static constexpr decltype(&HWY_STATIC_DISPATCH(kernel_of)) kTable[] = RT_SIMD_TABLE(kernel_of);
  return simd_choice(kTable)(op, dtype);
}

}  // namespace rt::cpu
#endif
