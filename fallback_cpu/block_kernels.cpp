// block_kernels.cpp -- elementwise.def as loops over vectors: one per op, dtype and kind of
// operands, and all of them once per instruction set.
#include "fallback_cpu/block_kernels.h"

#include <algorithm>
#include <array>
#include <numbers>

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

/// Phi(x) + x * Phi'(x), Phi the normal distribution function.
template <class D>
HWY_INLINE Lanes<D> gelu_slope(Lanes<D> x) {
  constexpr double kRootHalf = 0.5 * std::numbers::sqrt2;
  constexpr double kDensityAt0 = 0.5 * std::numbers::inv_sqrtpi * std::numbers::sqrt2;
  return (erf(x * kRootHalf) + 1) * 0.5 + x * exp(x * x * -0.5) * kDensityAt0;
}

/// Where one operand's elements come from: memory, or one element for all.
template <class D, bool uniform>
struct Stream {
  using T = hn::TFromD<D>;
  const T* from;
  Lanes<D> same;
  HWY_INLINE explicit Stream(const void* data)
      : from(static_cast<const T*>(data)), same(uniform ? *from : T{}) {}
  HWY_INLINE Lanes<D> at(int64_t i) const {
    if constexpr (uniform) return same;
    else return load(D(), from + i);
  }
  HWY_INLINE Lanes<D> first(int64_t n) const {
    if constexpr (uniform) return same;
    else return load_first(D(), from, n);
  }
};

/// out[i] = Expression(a[i], b[i], s). What is left behind the last whole vector is computed by a
/// vector that ends with it, and reaches back over elements that are computed twice.
template <class Expression, class Type, int uniform>
void run(int64_t n, void* out, const void* first, const void* second,
         [[maybe_unused]] int64_t scalar) {
  using T = StoredLane<Type>;
  using D = hn::ScalableTag<T>;
  constexpr bool kBinary = Expression::kOperands == 2;
  const auto step = static_cast<int64_t>(hn::Lanes(D()));
  T* HWY_RESTRICT to = static_cast<T*>(out);
  const Stream<D, uniform == kFirst> a(first);
  const Stream<D, !kBinary || uniform == kSecond> b(kBinary ? second : first);
  Lanes<D> s(T{});
  if constexpr (std::is_floating_point_v<T>)
    s = Lanes<D>(static_cast<T>(std::bit_cast<double>(scalar)));
  int64_t i = 0;
  for (; i + step <= n; i += step) store(Expression::apply(a.at(i), b.at(i), s), to + i);
  if (i == n) return;
  if (n >= step) {
    i = n - step;
    store(Expression::apply(a.at(i), b.at(i), s), to + i);
  } else {
    store_first(Expression::apply(a.first(n), b.first(n), s), to, n);
  }
}

enum Takes { Floats = 2, Numbers = 4, All = 5 };  ///< how many of the first DTypes

#define RT_FORMULA(Id, operands, expression)                                                   \
  struct Id {                                                                                  \
    static constexpr int kOperands = operands;                                                 \
    template <class D>                                                                         \
    static HWY_INLINE Lanes<D> apply([[maybe_unused]] Lanes<D> a, [[maybe_unused]] Lanes<D> b, \
                                     [[maybe_unused]] Lanes<D> s) {                            \
      using T [[maybe_unused]] = hn::TFromD<D>;                                                \
      return expression;                                                                       \
    }                                                                                          \
  };
#define RT_UNARY(Id, takes, expression) RT_EXPRESSION(Id, takes, 1, expression)
#define RT_BINARY(Id, takes, expression) RT_EXPRESSION(Id, takes, 2, expression)
#define RT_EXPRESSION(Id, takes, operands, expression)         \
  RT_FORMULA(FormulaOf##Id, operands, expression)              \
  struct Id : FormulaOf##Id {                                  \
    static constexpr Takes kTakes = takes;                     \
    template <class T, int uniform>                            \
    static constexpr BlockKernel kernel = run<Id, T, uniform>; \
  };
#define RT_LOOP(Id, takes, function)                   \
  struct Id {                                          \
    static constexpr Takes kTakes = takes;             \
    static constexpr int kOperands = 1;                \
    template <class T, int uniform>                    \
    static constexpr BlockKernel kernel = function<T>; \
  };

/// The powers that PyTorch computes exactly rather than by logarithm.
namespace powers {
RT_FORMULA(Square, 1, (a * a))
RT_FORMULA(Same, 1, a)
RT_FORMULA(One, 1, T{1})
RT_FORMULA(Cube, 1, (a * a * a))
RT_FORMULA(Root, 1, sqrt(a))
RT_FORMULA(OneByRoot, 1, 1 / sqrt(a))
RT_FORMULA(OneBy, 1, 1 / a)
RT_FORMULA(OneBySquare, 1, 1 / (a * a))
RT_FORMULA(Any, 1, power(a, hn::GetLane(s.vector)))
}  // namespace powers

template <class T>
void run_power(int64_t n, void* out, const void* in, const void*, int64_t scalar) {
  const T exponent = convert<T>(std::bit_cast<double>(scalar));
  BlockKernel kernel = run<powers::Any, T, kNeither>;
  if (exponent == T{2}) kernel = run<powers::Square, T, kNeither>;
  else if (exponent == T{1}) kernel = run<powers::Same, T, kNeither>;
  else if (exponent == T{0}) kernel = run<powers::One, T, kNeither>;
  else if (exponent == T{3}) kernel = run<powers::Cube, T, kNeither>;
  else if (exponent == T(0.5)) kernel = run<powers::Root, T, kNeither>;
  else if (exponent == T(-0.5)) kernel = run<powers::OneByRoot, T, kNeither>;
  else if (exponent == T{-1}) kernel = run<powers::OneBy, T, kNeither>;
  else if (exponent == T{-2}) kernel = run<powers::OneBySquare, T, kNeither>;
  kernel(n, out, in, nullptr, scalar);
}

namespace expressions {
#include "fallback_cpu/elementwise.def"
}

struct KernelRow {
  int operands = 0;
  BlockKernel kernels[5][3] = {};  ///< by DType and Uniform; nullptr where it is not computed

  template <class Expression, class T>
  constexpr void put() {
    if constexpr (static_cast<int>(kDTypeOf<T>) < Expression::kTakes) {
      auto& row = kernels[static_cast<size_t>(kDTypeOf<T>)];
      row[kNeither] = Expression::template kernel<T, kNeither>;
      if constexpr (Expression::kOperands == 2) {
        row[kFirst] = Expression::template kernel<T, kFirst>;
        row[kSecond] = Expression::template kernel<T, kSecond>;
      }
    }
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

const BlockKernel* kernels_of(Op op, DType dtype) {
  if (static_cast<size_t>(dtype) >= std::size(kKernels[0].kernels)) return nullptr;
  const auto& kernels = kKernels[static_cast<size_t>(op)].kernels[static_cast<size_t>(dtype)];
  return kernels[kNeither] ? kernels : nullptr;
}

}  // namespace
}  // namespace rt::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace rt::cpu {

const BlockKernel* block_kernels(Op op, DType dtype) {
  static constexpr decltype(&HWY_STATIC_DISPATCH(kernels_of)) kTable[] = RT_SIMD_TABLE(kernels_of);
  return simd_choice(kTable)(op, dtype);
}

}  // namespace rt::cpu
#endif
