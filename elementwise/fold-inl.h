// fold-inl.h -- folds over lanes; included once per instruction set.
// All sets give equal bits: the order in which elements are combined is fixed, and a multiplication
// is never fused with an addition.
#if defined(RT_FOLD_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef RT_FOLD_INL_H_
#undef RT_FOLD_INL_H_
#else
#define RT_FOLD_INL_H_
#endif

#include <bit>
#include <cstdint>
#include <limits>
#include <utility>

#include "elementwise/fold_kernels.h"
#include "elementwise/lanes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace rt::cpu::HWY_NAMESPACE {

template <class T>
HWY_INLINE T select(bool mask, T yes, T no) {
  return mask ? yes : no;
}

template <class T>
HWY_INLINE bool is_nan(T x) {
  return x != x;
}

// A folder combines an element with an accumulator. Both are numbers, or both are lanes.
struct FoldSum {
  static constexpr bool kInDouble = true;
  template <class A>
  static constexpr A start() {
    return 0;
  }
  template <class A>
  HWY_INLINE A operator()(A sum, A x, A) const {
    return sum + x;
  }
  template <class A>
  static HWY_INLINE A join(A a, A b) {
    return a + b;
  }
};
struct FoldSquares : FoldSum {
  template <class A>
  HWY_INLINE A operator()(A sum, A x, A) const {
    return sum + x * x;
  }
};
struct FoldDeviations : FoldSum {
  template <class A>
  HWY_INLINE A operator()(A sum, A x, A shift) const {
    const A distance = x - shift;
    return sum + distance * distance;
  }
};
/// The largest or the smallest; a NaN wins over all.
template <bool largest>
struct FoldMost {
  static constexpr bool kInDouble = false;
  template <class A>
  static constexpr A start() {
    using Limits = std::numeric_limits<A>;
    if constexpr (Limits::has_infinity) return largest ? -Limits::infinity() : Limits::infinity();
    else return largest ? Limits::lowest() : Limits::max();
  }
  template <class A>
  HWY_INLINE A operator()(A most, A x, A) const {
    return join(most, x);
  }
  template <class A>
  static HWY_INLINE A join(A most, A x) {
    if constexpr (largest) return select(x > most || is_nan(x), x, most);
    else return select(x < most || is_nan(x), x, most);
  }
};

template <class T>
using FoldTag = hn::CappedTag<T, kFoldLanes>;
template <class Folder, class D>
using WideOf = std::conditional_t<Folder::kInDouble, Doubles<D>, Whole<D>>;
template <class Folder, class T>
using AccumulatorOf = std::conditional_t<Folder::kInDouble, double, T>;

/// Folds all whole groups of kFoldLanes elements into `lanes`. Returns the
/// number of these elements.
template <class Folder, class T, size_t... k>
HWY_INLINE int64_t fold_groups(std::index_sequence<k...>, int64_t n, const T* x,
                               AccumulatorOf<Folder, T> shift, AccumulatorOf<Folder, T>* lanes) {
  using D = FoldTag<T>;
  using Wide = WideOf<Folder, D>;
  using A = AccumulatorOf<Folder, T>;
  constexpr size_t kStep = hn::MaxLanes(D());
  Wide folded[] = {((void)k, Wide::all(Folder::template start<A>()))...};
  const Wide shifts = Wide::all(shift);
  int64_t i = 0;
  for (; i + kFoldLanes <= n; i += kFoldLanes)
    ((folded[k] = folded[k].map(Folder(), Wide::of(load(D(), x + i + k * kStep)), shifts)), ...);
  (folded[k].store(lanes + k * kStep), ...);
  return i;
}

/// Joins lane i with lane i + width for all i < width, then halves the width, down to one lane.
template <class Folder, size_t width, class A>
HWY_INLINE void join_lanes(A* lanes) {
  if constexpr (width == 1) {
    lanes[0] = Folder::join(lanes[0], lanes[1]);
  } else {
    using D = hn::CappedTag<A, width>;
    for (size_t k = 0; k < width; k += hn::Lanes(D()))
      store(Folder::join(load(D(), lanes + k), load(D(), lanes + k + width)), lanes + k);
    join_lanes<Folder, width / 2>(lanes);
  }
}

/// Folds n contiguous elements.
template <class Folder, class T>
HWY_INLINE AccumulatorOf<Folder, T> fold_run(int64_t n, const T* x,
                                             AccumulatorOf<Folder, T> shift) {
  using A = AccumulatorOf<Folder, T>;
  constexpr size_t kVectors = kFoldLanes / hn::MaxLanes(FoldTag<T>());
  A lanes[kFoldLanes];
  int64_t i = 0;
  if (n >= kFoldLanes)
    i = fold_groups<Folder, T>(std::make_index_sequence<kVectors>(), n, x, shift, lanes);
  else
    for (A& lane : lanes) lane = Folder::template start<A>();
  for (int64_t lane = 0; i < n; ++i, ++lane)
    lanes[lane] = Folder()(lanes[lane], static_cast<A>(x[i]), shift);
  if (n >= kFoldLanes) {
    join_lanes<Folder, kFoldLanes / 2>(lanes);
    return lanes[0];
  }
  // The lanes after the end of a short run hold no elements to be joined.
  for (size_t width = std::bit_ceil(static_cast<size_t>(n)) / 2; width > 0; width /= 2)
    for (size_t lane = 0; lane < width; ++lane)
      lanes[lane] = Folder::join(lanes[lane], lanes[lane + width]);
  return lanes[0];
}

/// Folds sizeof...(k) rows of n elements into n accumulators, row by row.
template <class Folder, class T, size_t... k>
HWY_INLINE void fold_rows(std::index_sequence<k...>, int64_t stride, int64_t n, const T* x,
                          const AccumulatorOf<Folder, T>* shifts, AccumulatorOf<Folder, T>* out) {
  using D = hn::ScalableTag<T>;
  using Wide = WideOf<Folder, D>;
  using A = AccumulatorOf<Folder, T>;
  const auto step = static_cast<int64_t>(hn::Lanes(D()));
  const T* const rows[] = {x + static_cast<int64_t>(k) * stride...};
  int64_t c = 0;
  for (; c + step <= n; c += step) {
    const Wide shift = shifts ? Wide::load(shifts + c) : Wide::all(A{});
    Wide folded = Wide::load(out + c);
    ((folded = folded.map(Folder(), Wide::of(load(D(), rows[k] + c)), shift)), ...);
    folded.store(out + c);
  }
  for (; c < n; ++c)
    ((out[c] = Folder()(out[c], static_cast<A>(rows[k][c]), shifts ? shifts[c] : A{})), ...);
}

/// Folds rows of n elements, `stride` elements apart, into n accumulators, row by row.
template <class Folder, class T>
HWY_INLINE void fold_columns(int64_t rows, int64_t stride, int64_t n, const T* x,
                             const AccumulatorOf<Folder, T>* shifts,
                             AccumulatorOf<Folder, T>* out) {
  // Several rows at once, so that accumulators go to memory less often.
  constexpr std::make_index_sequence<8> kSeveral;
  constexpr auto kCount = static_cast<int64_t>(kSeveral.size());
  using A = AccumulatorOf<Folder, T>;
  for (int64_t c = 0; c < n; ++c) out[c] = Folder::template start<A>();
  int64_t r = 0;
  for (; r + kCount <= rows; r += kCount)
    fold_rows<Folder>(kSeveral, stride, n, x + r * stride, shifts, out);
  for (; r < rows; ++r)
    fold_rows<Folder>(std::index_sequence<0>(), stride, n, x + r * stride, shifts, out);
}

}  // namespace rt::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
