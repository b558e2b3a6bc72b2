// fold_kernels.h -- the inner loops of reductions, in an order that neither the processor nor the
// number of threads changes.
#pragma once
#include <cstdint>

#include "graph/types.h"

namespace rt::cpu {

enum class Fold : uint8_t { Sum, Squares, Deviations, Largest, Smallest };

/// Element i of a run is folded into lane i % kFoldLanes. In the end, lanes are joined by halves.
inline constexpr int kFoldLanes = 32;

/// Elements of a full reduction that are folded at once. The results of such runs
/// are joined in order.
inline constexpr int64_t kFoldRun = 8192;

/// Accumulators are double for sums of floats and uint64_t for sums of integers; extremes have the
/// type of the elements. Deviations are squared distances from a shift, which other folds ignore.
struct FoldKernels {
  /// Folds n elements that lie one after the other into one accumulator.
  void (*run)(int64_t n, const void* in, double shift, void* out) = nullptr;
  /// Folds `rows` rows of n elements, which lie `stride` elements apart, into n accumulators, row
  /// by row. `shifts` has one for each accumulator, or is null.
  void (*columns)(int64_t rows, int64_t stride, int64_t n, const void* in, const double* shifts,
                  void* out) = nullptr;
};

/// Squares and Deviations exist for f32 and f64, the others for i32, i64 and bool as well. For
/// anything else both pointers are null.
FoldKernels fold_kernels(Fold fold, DType dtype);

/// Finds values that the elements are known to contain. A NaN matches any NaN.
struct FindKernels {
  /// The index of the first of n elements that equals *value.
  int64_t (*run)(int64_t n, const void* in, const void* value) = nullptr;
  /// The first of `rows` rows in which the column's element equals its value, for n columns.
  void (*columns)(int64_t rows, int64_t stride, int64_t n, const void* in, const void* values,
                  int64_t* out) = nullptr;
};
FindKernels find_kernels(DType dtype);

}  // namespace rt::cpu
