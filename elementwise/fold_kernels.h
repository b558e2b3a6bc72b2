// fold_kernels.h -- the inner loops of reductions, in an order that neither the processor nor the
// number of threads changes.
#pragma once
#include <cstdint>

#include "graph/types.h"

namespace rt::cpu {

enum class Fold : uint8_t { Sum, Squares, Deviations, Largest, Smallest };

/// Element i of a run goes to lane i mod this, and in the end lanes are joined by halves.
inline constexpr int kFoldLanes = 32;

/// Elements of a full reduction that are folded in one go: the results of such runs are joined in
/// their order.
inline constexpr int64_t kFoldRun = 8192;

/// Accumulators are double for sums of floats and uint64_t for sums of integers; the extremes have
/// the type of the elements. Deviations are squares of the distance from a shift, which the other
/// folds leave alone.
struct FoldKernels {
  /// Folds n elements that lie one after the other into one accumulator.
  void (*run)(int64_t n, const void* in, double shift, void* out) = nullptr;
  /// Folds `rows` rows of n elements, which lie `stride` elements apart, into n accumulators, row
  /// by row. `shifts` has one for each, or is null.
  void (*columns)(int64_t rows, int64_t stride, int64_t n, const void* in, const double* shifts,
                  void* out) = nullptr;
};

/// Squares and deviations are there for f32 and f64; the others for i32, i64 and bool as well.
FoldKernels fold_kernels(Fold fold, DType dtype);

/// Where values are found again; a NaN is found by any NaN. Each is in its place.
struct FindKernels {
  /// The first of n elements that equals *value.
  int64_t (*run)(int64_t n, const void* in, const void* value) = nullptr;
  /// The first of `rows` rows in which the column's element equals its value, for n columns.
  void (*columns)(int64_t rows, int64_t stride, int64_t n, const void* in, const void* values,
                  int64_t* out) = nullptr;
};
FindKernels find_kernels(DType dtype);

}  // namespace rt::cpu
