// block_kernels.cpp -- elementwise.def as loops: one per op, dtype and kind of operands.
#include "fallback_cpu/block_kernels.h"

#include <algorithm>
#include <array>
#include <numbers>

#include "fallback_cpu/dtypes.h"
#include "graph/decompose.h"
#include "graph/infer.h"
#include "graph/views.h"

namespace rt::cpu {
namespace {

// Integers wrap: they are computed unsigned, where that is no overflow. Bool adds as or.
template <class T>
T wrapped(auto unsigned_result) {
  return static_cast<T>(unsigned_result);
}
template <class T>
T add(T a, T b) {
  if constexpr (std::is_same_v<T, bool>) return a | b;
  else if constexpr (std::is_integral_v<T>)
    return wrapped<T>(std::make_unsigned_t<T>(a) + std::make_unsigned_t<T>(b));
  else return a + b;
}
template <class T>
T subtract(T a, T b) {
  if constexpr (std::is_integral_v<T>)
    return wrapped<T>(std::make_unsigned_t<T>(a) - std::make_unsigned_t<T>(b));
  else return a - b;
}
template <class T>
T multiply(T a, T b) {
  if constexpr (std::is_same_v<T, bool>) return a & b;
  else if constexpr (std::is_integral_v<T>)
    return wrapped<T>(std::make_unsigned_t<T>(a) * std::make_unsigned_t<T>(b));
  else return a * b;
}
template <class T>
T negate(T a) {
  if constexpr (std::is_integral_v<T>) return subtract(T{0}, a);
  else return -a;
}
template <class T>
T absolute(T a) {
  if constexpr (std::is_integral_v<T>) return a < 0 ? negate(a) : a;
  else return std::abs(a);
}
template <class T>
T cross_entropy_term(T p, T target) {
  const T log_not = std::max(std::log1p(-p), T{-100}), log_p = std::max(std::log(p), T{-100});
  return (target - T{1}) * log_not - target * log_p;
}

/// The cases that PyTorch computes exactly rather than through pow.
template <class T>
void power(int64_t n, void* out, const void* in, const void*, int64_t scalar) {
  T* __restrict to = static_cast<T*>(out);
  const T* __restrict from = static_cast<const T*>(in);
  const T exponent = convert<T>(std::bit_cast<double>(scalar));
  const auto run = [&](auto expression) {
    for (int64_t i = 0; i < n; ++i) to[i] = expression(from[i]);
  };
  if (exponent == T{2}) run([](T a) { return a * a; });
  else if (exponent == T{1}) run([](T a) { return a; });
  else if (exponent == T{0}) run([](T) { return T{1}; });
  else if (exponent == T{3}) run([](T a) { return a * a * a; });
  else if (exponent == T(0.5)) run([](T a) { return std::sqrt(a); });
  else if (exponent == T(-0.5)) run([](T a) { return T{1} / std::sqrt(a); });
  else if (exponent == T{-1}) run([](T a) { return T{1} / a; });
  else if (exponent == T{-2}) run([](T a) { return T{1} / (a * a); });
  else run([exponent](T a) { return std::pow(a, exponent); });
}

template <class Expression, class T, int uniform>
void loop(int64_t n, void* out, const void* first, const void* second,
          [[maybe_unused]] int64_t scalar) {
  T* __restrict to = static_cast<T*>(out);
  const T* __restrict a = static_cast<const T*>(first);
  T s{};
  if constexpr (std::is_floating_point_v<T>) s = static_cast<T>(std::bit_cast<double>(scalar));
  if constexpr (Expression::kOperands == 1) {
    (void)second;
    for (int64_t i = 0; i < n; ++i) to[i] = Expression::apply(a[i], T{}, s);
  } else {
    const T* __restrict b = static_cast<const T*>(second);
    if constexpr (uniform == kFirst) {
      const T same = *a;
      for (int64_t i = 0; i < n; ++i) to[i] = Expression::apply(same, b[i], s);
    } else if constexpr (uniform == kSecond) {
      const T same = *b;
      for (int64_t i = 0; i < n; ++i) to[i] = Expression::apply(a[i], same, s);
    } else {
      for (int64_t i = 0; i < n; ++i) to[i] = Expression::apply(a[i], b[i], s);
    }
  }
}

enum Takes { Floats = 2, Numbers = 4, All = 5 };  ///< how many of the first DTypes

#define RT_UNARY(Id, takes, expression) RT_EXPRESSION(Id, takes, 1, expression)
#define RT_BINARY(Id, takes, expression) RT_EXPRESSION(Id, takes, 2, expression)
#define RT_EXPRESSION(Id, takes, operands, expression)                                 \
  struct Id {                                                                          \
    static constexpr Takes kTakes = takes;                                             \
    static constexpr int kOperands = operands;                                         \
    template <class T>                                                                 \
    static T apply([[maybe_unused]] T a, [[maybe_unused]] T b, [[maybe_unused]] T s) { \
      return expression;                                                               \
    }                                                                                  \
    template <class T, int uniform>                                                    \
    static constexpr BlockKernel kernel = loop<Id, T, uniform>;                        \
  };
#define RT_LOOP(Id, takes, function)                   \
  struct Id {                                          \
    static constexpr Takes kTakes = takes;             \
    static constexpr int kOperands = 1;                \
    template <class T, int uniform>                    \
    static constexpr BlockKernel kernel = function<T>; \
  };
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
constexpr auto kKernels = [] {
  std::array<KernelRow, kOpCount> rows{};
#define RT_UNARY(Id, ...) rows[static_cast<size_t>(Op::Id)] = kernel_row<expressions::Id>();
#define RT_BINARY RT_UNARY
#define RT_LOOP RT_UNARY
#include "fallback_cpu/elementwise.def"
  return rows;
}();

// An elementwise row of the op table without a row in elementwise.def does not build.
#define RT_CHECK(Id, ...)                                                 \
  static_assert((Rules{__VA_ARGS__}.kernel == Kernel::Elementwise) ==     \
                    (kKernels[static_cast<size_t>(Op::Id)].operands > 0), \
                #Id ": ops.def and elementwise.def disagree");
#define RT_OP(Id, symbol, result, params, doc, ...) RT_CHECK(Id, __VA_ARGS__)
#define RT_INTERNAL(Id, params, doc, ...) RT_CHECK(Id, __VA_ARGS__)
#include "graph/ops.def"

}  // namespace

const BlockKernel* block_kernels(Op op, DType dtype) {
  if (static_cast<size_t>(dtype) >= std::size(kKernels[0].kernels)) return nullptr;
  const auto& kernels = kKernels[static_cast<size_t>(op)].kernels[static_cast<size_t>(dtype)];
  return kernels[kNeither] ? kernels : nullptr;
}

}  // namespace rt::cpu
