// fold_kernels.cpp -- the inner loops of reductions by dtype, once per instruction set.
#include "elementwise/fold_kernels.h"

#include "elementwise/dtypes.h"
#include "elementwise/simd.h"

#define HWY_TARGET_INCLUDE "elementwise/fold_kernels.cpp"
#include <hwy/foreach_target.h>

#include "elementwise/fold-inl.h"

HWY_BEFORE_NAMESPACE();
namespace rt::cpu::HWY_NAMESPACE {
namespace {

template <class Folder, class T>
void run(int64_t n, const void* in, [[maybe_unused]] double shift, void* out) {
  using A = AccumulatorOf<Folder, T>;
  A by{};
  if constexpr (Folder::kInDouble) by = shift;
  *static_cast<A*>(out) = fold_run<Folder>(n, static_cast<const T*>(in), by);
}

template <class Folder, class T>
void columns(int64_t rows, int64_t stride, int64_t n, const void* in,
             [[maybe_unused]] const double* shifts, void* out) {
  using A = AccumulatorOf<Folder, T>;
  const A* by = nullptr;
  if constexpr (Folder::kInDouble) by = shifts;
  fold_columns<Folder>(rows, stride, n, static_cast<const T*>(in), by, static_cast<A*>(out));
}

// Integers wrap, so that the order of their sum does not matter and is left to the compiler.
template <class T>
void sum_run(int64_t n, const void* in, double, void* out) {
  const T* const x = static_cast<const T*>(in);
  uint64_t sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += static_cast<uint64_t>(x[i]);
  *static_cast<uint64_t*>(out) = sum;
}

template <class T>
void sum_columns(int64_t rows, int64_t stride, int64_t n, const void* in, const double*,
                 void* out) {
  const T* x = static_cast<const T*>(in);
  uint64_t* HWY_RESTRICT sums = static_cast<uint64_t*>(out);
  for (int64_t c = 0; c < n; ++c) sums[c] = 0;
  for (int64_t r = 0; r < rows; ++r, x += stride)
    for (int64_t c = 0; c < n; ++c) sums[c] += static_cast<uint64_t>(x[c]);
}

template <class Folder, class T>
constexpr FoldKernels folding() {
  return {run<Folder, T>, columns<Folder, T>};
}

template <class T>
FoldKernels kernels_of_type(Fold fold) {
  switch (fold) {
    case Fold::Largest: return folding<FoldMost<true>, T>();
    case Fold::Smallest: return folding<FoldMost<false>, T>();
    default: break;
  }
  if constexpr (std::is_floating_point_v<T>) {
    switch (fold) {
      case Fold::Sum: return folding<FoldSum, T>();
      case Fold::Squares: return folding<FoldSquares, T>();
      case Fold::Deviations: return folding<FoldDeviations, T>();
      default: break;
    }
  } else if (fold == Fold::Sum) {
    return {sum_run<T>, sum_columns<T>};
  }
  return {};
}

template <class T>
int64_t find(int64_t n, const void* in, const void* value) {
  using D = hn::ScalableTag<T>;
  const T* const x = static_cast<const T*>(in);
  const T wanted = *static_cast<const T*>(value);
  const bool nan = wanted != wanted;
  const auto step = static_cast<int64_t>(hn::Lanes(D()));
  int64_t i = 0;
  for (; i + step <= n; i += step) {
    const Lanes<D> here = load(D(), x + i);
    const Mask<D> found = nan ? is_nan(here) : here == wanted;
    const intptr_t at = hn::FindFirstTrue(D(), found.mask);
    if (at >= 0) return i + at;
  }
  for (; i < n; ++i)
    if (x[i] == wanted || (nan && x[i] != x[i])) return i;
  return 0;
}

/// Goes from the last row to the first, so that the first match stays.
template <class T>
void find_columns(int64_t rows, int64_t stride, int64_t n, const void* in, const void* values,
                  int64_t* HWY_RESTRICT out) {
  const T* const wanted = static_cast<const T*>(values);
  for (int64_t r = rows; r-- > 0;) {
    const T* const x = static_cast<const T*>(in) + r * stride;
    for (int64_t c = 0; c < n; ++c) {
      const bool found = (x[c] == wanted[c]) | ((x[c] != x[c]) & (wanted[c] != wanted[c]));
      out[c] = found ? r : out[c];
    }
  }
}

template <class T>
FindKernels finds_of_type() {
  return {find<T>, find_columns<T>};
}

FoldKernels folds_of(Fold fold, DType dtype) {
  switch (dtype) {
    case DType::F32: return kernels_of_type<float>(fold);
    case DType::F64: return kernels_of_type<double>(fold);
    case DType::I32: return kernels_of_type<int32_t>(fold);
    case DType::I64: return kernels_of_type<int64_t>(fold);
    case DType::Bool: return kernels_of_type<StoredLane<bool>>(fold);
    default: return {};
  }
}

FindKernels finds_of(DType dtype) {
  switch (dtype) {
    case DType::F32: return finds_of_type<float>();
    case DType::F64: return finds_of_type<double>();
    case DType::I32: return finds_of_type<int32_t>();
    case DType::I64: return finds_of_type<int64_t>();
    case DType::Bool: return finds_of_type<StoredLane<bool>>();
    default: return {};
  }
}

}  // namespace
}  // namespace rt::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace rt::cpu {

FoldKernels fold_kernels(Fold fold, DType dtype) {
  static constexpr decltype(&HWY_STATIC_DISPATCH(folds_of)) kTable[] = RT_SIMD_TABLE(folds_of);
  return simd_choice(kTable)(fold, dtype);
}

FindKernels find_kernels(DType dtype) {
  static constexpr decltype(&HWY_STATIC_DISPATCH(finds_of)) kTable[] = RT_SIMD_TABLE(finds_of);
  return simd_choice(kTable)(dtype);
}

}  // namespace rt::cpu
#endif
