// block_kernels.cpp -- elementwise.def as loops over vectors, per op, dtype and instruction set.
#include "elementwise/block_kernels.h"

#include <algorithm>
#include <array>

#include "elementwise/dtypes.h"
#include "elementwise/simd.h"
#include "graph/ops/rules.h"

#define HWY_TARGET_INCLUDE "elementwise/block_kernels.cpp"
#include <hwy/foreach_target.h>

#include "elementwise/expressions-inl.h"

HWY_BEFORE_NAMESPACE();
namespace rt::cpu::HWY_NAMESPACE {
namespace {

/// One operand. With `mask` it is bools, the condition of a choice.
template <class D, bool mask, bool repeats>
struct Stream {
  using T = std::conditional_t<mask, int8_t, hn::TFromD<D>>;
  const T* from;
  int64_t along;  ///< mask of the index: 0 where one element repeats, else -1
  HWY_INLINE explicit Stream(const BlockOperand& operand)
      : from(static_cast<const T*>(operand.data)), along(int64_t{operand.same} - 1) {}
  HWY_INLINE auto at(int64_t i) const {
    const T* const at = from + (repeats ? i & along : i);
    if constexpr (mask) return load_mask(D(), at);
    else return load(D(), at);
  }
  HWY_INLINE auto first(int64_t n) const {
    if constexpr (mask) return load_first_mask(D(), from, n);
    else return load_first(D(), from, n);
  }
};
/// Stands for an operand that the op lacks.
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

/// out[i] = Expression(a[i], b[i], c[i], s). The rest after the last whole vector is computed by a
/// vector that ends with it, so that some elements are computed twice.
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
  constexpr bool kAnswers = std::is_same_v<Result, Mask<D>>;
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

struct KernelRow {
  uint32_t operands = 0;
  BlockKernel kernels[5] = {};  ///< by DType; nullptr where the op does not compute in it

  template <class Expression, class T>
  constexpr void put() {
    if constexpr (static_cast<int>(kDTypeOf<T>) < Expression::kTakes)
      kernels[static_cast<size_t>(kDTypeOf<T>)] = run<Expression, T>;
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
#include "graph/ops/ops.def"
    ;
constexpr std::array<KernelRow, kOpCount> kernel_rows() {
  std::array<KernelRow, kOpCount> rows{};
#define RT_UNARY(Id, ...) rows[static_cast<size_t>(Op::Id)] = kernel_row<expressions::Id>();
#define RT_BINARY RT_UNARY
#define RT_TERNARY RT_UNARY
#define RT_CHOICE RT_UNARY
#define RT_LOOP(Id, function) \
  rows[static_cast<size_t>(Op::Id)] = {1, {function<float>, function<double>}};
#include "elementwise/elementwise.def"
  return rows;
}
constexpr std::array<KernelRow, kOpCount> kKernels = kernel_rows();

// An elementwise row of the op table without a row in elementwise.def does not compile.
#define RT_CHECK(Id, ...)                                                 \
  static_assert((Rules{__VA_ARGS__}.kernel == Kernel::Elementwise) ==     \
                    (kKernels[static_cast<size_t>(Op::Id)].operands > 0), \
                #Id ": ops.def and elementwise.def disagree");
#define RT_OP(Id, symbol, result, params, doc, ...) RT_CHECK(Id, __VA_ARGS__)
#define RT_INTERNAL(Id, params, doc, ...) RT_CHECK(Id, __VA_ARGS__)
#include "graph/ops/ops.def"
#undef RT_CHECK

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
