// chain_kernels.cpp -- the short rows of elementwise.def as links of chains, per op, floating
// dtype, operands that are the running value, and instruction set.
#include "elementwise/chain_kernels.h"

#include <array>
#include <bit>
#include <utility>

#include "elementwise/dtypes.h"
#include "elementwise/simd.h"

#define HWY_TARGET_INCLUDE "elementwise/chain_kernels.cpp"
#include <hwy/foreach_target.h>

#include "elementwise/expressions-inl.h"

HWY_BEFORE_NAMESPACE();
namespace rt::cpu::HWY_NAMESPACE {
namespace {

/// Vectors of a tile: as many as all calling conventions in use pass in registers.
constexpr size_t kVectors = 8;

template <class T>
using Tag = hn::ScalableTag<T>;
template <class T>
constexpr int64_t kTile = static_cast<int64_t>(kVectors* hn::MaxLanes(Tag<T>()));
static_assert(kTile<float> <= kRepeats);

/// Clears the upper halves of the vector registers. With these in use, instructions of older sets
/// would be many times slower, and the compiler does not see where a chain ends.
HWY_INLINE void leave() {
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX2
  _mm256_zeroupper();
#endif
}

template <class T, size_t>
using VectorOf = hn::Vec<Tag<T>>;
template <class T, class Vectors = std::make_index_sequence<kVectors>>
struct Links;

/// `kernel(link, memory, i, running value...)` computes elements [i, i + kTile) of a chain.
template <class T, size_t... k>
struct Links<T, std::index_sequence<k...>> {
  using D = Tag<T>;
  using Kernel = void (*)(const ChainLink*, const ChainMemory*, int64_t, VectorOf<T, k>...);
  static constexpr int64_t kLanes = hn::MaxLanes(D());

  /// Must be the last call of a link, so that the compiler makes it a jump.
  static HWY_INLINE void next(const ChainLink* link, const ChainMemory* memory, int64_t i,
                              VectorOf<T, k>... running) {
    reinterpret_cast<Kernel>(link[1].kernel)(link + 1, memory, i, running...);
  }
  template <class Element>
  static HWY_INLINE const Element* address(const ChainLink* link, const ChainMemory* memory, int n,
                                           int64_t i) {
    const BlockOperand& operand = memory->registers[link->registers[n]];
    return static_cast<const Element*>(operand.data) + (i & (int64_t{operand.same} - 1));
  }
  static HWY_INLINE T* target(const ChainLink* link, const ChainMemory* memory, int64_t i) {
    return reinterpret_cast<T*>(memory->targets[link->registers[0]]) + i;
  }

  static void load(const ChainLink* link, const ChainMemory* memory, int64_t i, VectorOf<T, k>...) {
    const T* const from = address<T>(link, memory, 0, i);
    next(link, memory, i, hn::LoadU(D(), from + k * kLanes)...);
  }
  static void store(const ChainLink* link, const ChainMemory* memory, int64_t i,
                    VectorOf<T, k>... running) {
    T* const to = target(link, memory, i);
    (hn::StoreU(running, D(), to + k * kLanes), ...);
    next(link, memory, i, running...);
  }
  static void end(const ChainLink* link, const ChainMemory* memory, int64_t i,
                  VectorOf<T, k>... running) {
    T* const to = target(link, memory, i);
    (hn::StoreU(running, D(), to + k * kLanes), ...);
  }

  /// An operand of an op: the running value, or elements in memory.
  template <class Expression, Running running, int number>
  struct Operand {
    static constexpr bool kIs = number < Expression::kOperands;
    static constexpr bool kRuns =
        running == Running::FirstAndSecond ? number < 2 : number == static_cast<int>(running);
    static constexpr bool kTruths = Expression::kChoice && number == 0;
    using Element = std::conditional_t<kTruths, int8_t, T>;
    const Element* from = nullptr;

    HWY_INLINE Operand(const ChainLink* link, const ChainMemory* memory, int64_t i) {
      constexpr int kBefore = running == Running::FirstAndSecond   ? 2
                              : number > static_cast<int>(running) ? 1
                                                                   : 0;
      if constexpr (kIs && !kRuns) from = address<Element>(link, memory, number - kBefore, i);
    }
    HWY_INLINE auto at(size_t vector, hn::Vec<D> of_running) const {
      if constexpr (kTruths) return load_mask(D(), from + vector * kLanes);
      else if constexpr (!kIs) return Lanes<D>(T{});
      else if constexpr (kRuns) return Lanes<D>(of_running);
      else return rt::cpu::HWY_NAMESPACE::load(D(), from + vector * kLanes);
    }
  };

  template <class Expression, Running running>
  static void compute(const ChainLink* link, const ChainMemory* memory, int64_t i,
                      VectorOf<T, k>... value) {
    const Operand<Expression, running, 0> a(link, memory, i);
    const Operand<Expression, running, 1> b(link, memory, i);
    const Operand<Expression, running, 2> c(link, memory, i);
    const Lanes<D> s(static_cast<T>(std::bit_cast<double>(memory->scalars[link->scalar])));
    next(link, memory, i,
         Expression::apply(a.at(k, value), b.at(k, value), c.at(k, value), s).vector...);
  }

  static void run(const ChainLink* chain, const ChainMemory& memory, int64_t n) {
    const auto nothing = hn::Zero(D());
    const auto tile = [&](int64_t i) {
      reinterpret_cast<Kernel>(chain->kernel)(chain, &memory, i, (void(k), nothing)...);
    };
    int64_t i = 0;
    for (; i + kTile<T> <= n; i += kTile<T>) tile(i);
    if (i < n) tile(n - kTile<T>);
    leave();
  }

  static ChainKernels all() {
    const auto kernel = [](Kernel link) { return reinterpret_cast<ChainKernel>(link); };
    return {kTile<T>, kernel(load), kernel(store), kernel(end), run};
  }
};

template <class Expression, class T, Running running>
ChainKernel kernel_for() {
  constexpr auto kNumber = static_cast<int>(running);
  if constexpr (running == Running::FirstAndSecond) {
    if constexpr (Expression::kOperands != 2) return nullptr;
    else return reinterpret_cast<ChainKernel>(Links<T>::template compute<Expression, running>);
  } else if constexpr (kNumber >= Expression::kOperands || (Expression::kChoice && kNumber == 0)) {
    return nullptr;
  } else {
    return reinterpret_cast<ChainKernel>(Links<T>::template compute<Expression, running>);
  }
}

template <class Expression, class T>
ChainKernel kernel_for(Running running) {
  using D = Tag<T>;
  using First = std::conditional_t<Expression::kChoice, Mask<D>, Lanes<D>>;
  using Result = decltype(Expression::apply(std::declval<First>(), std::declval<Lanes<D>>(),
                                            std::declval<Lanes<D>>(), std::declval<Lanes<D>>()));
  if constexpr (Expression::kWork == Short && std::is_same_v<Result, Lanes<D>>) {
    switch (running) {
      case Running::First: return kernel_for<Expression, T, Running::First>();
      case Running::Second: return kernel_for<Expression, T, Running::Second>();
      case Running::Third: return kernel_for<Expression, T, Running::Third>();
      case Running::FirstAndSecond: return kernel_for<Expression, T, Running::FirstAndSecond>();
    }
  }
  return nullptr;
}

template <class Expression>
ChainKernel kernel_for(DType dtype, Running running) {
  if (dtype == DType::F32) return kernel_for<Expression, float>(running);
  if (dtype == DType::F64) return kernel_for<Expression, double>(running);
  return nullptr;
}

ChainKernel link_for(Op op, DType dtype, Running running) {
  switch (op) {
#define RT_UNARY(Id, ...) \
  case Op::Id:            \
    return kernel_for<expressions::Id>(dtype, running);
#define RT_BINARY RT_UNARY
#define RT_TERNARY RT_UNARY
#define RT_CHOICE RT_UNARY
#define RT_LOOP(Id, ...)
#include "elementwise/elementwise.def"
    default: return nullptr;
  }
}

ChainKernels links_of(DType dtype) {
  if (dtype == DType::F32) return Links<float>::all();
  if (dtype == DType::F64) return Links<double>::all();
  return {};
}

}  // namespace
}  // namespace rt::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace rt::cpu {

ChainKernels chain_kernels(DType dtype) {
  static constexpr decltype(&HWY_STATIC_DISPATCH(links_of)) kTable[] = RT_SIMD_TABLE(links_of);
  return simd_choice(kTable)(dtype);
}

ChainKernel chain_kernel(Op op, DType dtype, Running running) {
  static constexpr decltype(&HWY_STATIC_DISPATCH(link_for)) kTable[] = RT_SIMD_TABLE(link_for);
  return simd_choice(kTable)(op, dtype, running);
}

}  // namespace rt::cpu
#endif
