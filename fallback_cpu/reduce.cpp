// reduce.cpp -- reductions. Their order is fixed by the shape: runs of fixed length, joined in
// order.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include "fallback_cpu/dtypes.h"
#include "fallback_cpu/kernels.h"
#include "fallback_cpu/parallel.h"

namespace rt::cpu {
namespace {

// A reducer says how elements of type T are folded into an Accumulator. `shift` is the output's own
// number, which only the variance uses. Floats are summed in double.
template <class T>
struct Sum {
  using Accumulator = std::conditional_t<std::is_floating_point_v<T>, double, uint64_t>;
  static Accumulator start() { return 0; }
  static Accumulator step(Accumulator sum, T x, double) {
    return sum + static_cast<Accumulator>(x);
  }
  static Accumulator join(Accumulator a, Accumulator b) { return a + b; }
};

template <class T>
struct SumOfSquares : Sum<T> {
  static double step(double sum, T x, double) {
    return sum + static_cast<double>(x) * static_cast<double>(x);
  }
};

template <class T>
struct SumOfDeviations : Sum<T> {
  static double step(double sum, T x, double mean) {
    const double deviation = static_cast<double>(x) - mean;
    return sum + deviation * deviation;
  }
};

/// The largest or smallest; a NaN wins over all.
template <class T, bool largest>
struct Most {
  using Accumulator = T;
  static T start() {
    using Limits = std::numeric_limits<T>;
    if constexpr (Limits::has_infinity) return largest ? -Limits::infinity() : Limits::infinity();
    else return largest ? Limits::lowest() : Limits::max();
  }
  static T step(T most, T x, double) { return join(most, x); }
  static T join(T most, T x) {
    // Bits, not branches: this way compilers vectorise it.
    const bool wins = (largest ? x > most : x < most) | (x != x);
    return wins ? x : most;
  }
};

constexpr const char* kNothing = "an empty tensor has no largest or smallest element";
constexpr int64_t kRun = 8192;     ///< elements folded in one go
constexpr int64_t kColumns = 512;  ///< columns folded side by side

/// Folds a run in 8 lanes, which the compiler keeps in vector registers.
template <class R, class T>
typename R::Accumulator fold_run(const T* __restrict x, int64_t n, double shift) {
  constexpr int kLanes = 8;
  typename R::Accumulator lanes[kLanes];
  for (auto& lane : lanes) lane = R::start();
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes)
    for (int lane = 0; lane < kLanes; ++lane)
      lanes[lane] = R::step(lanes[lane], x[i + lane], shift);
  for (; i < n; ++i) lanes[0] = R::step(lanes[0], x[i], shift);
  for (int width = kLanes / 2; width > 0; width /= 2)
    for (int lane = 0; lane < width; ++lane)
      lanes[lane] = R::join(lanes[lane], lanes[lane + width]);
  return lanes[0];
}

template <class R, class T, class Store>
void fold_rows(const T* in, const Extent& extent, const double* shifts, int threads,
               const Store& store) {
  using Accumulator = typename R::Accumulator;
  const int64_t runs = std::max<int64_t>(1, (extent.count + kRun - 1) / kRun);
  const auto shift = [&](int64_t row) { return shifts ? shifts[row] : 0.0; };
  if (runs == 1) {
    for_ranges(extent.outer, extent.count, threads, [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row)
        store(row, fold_run<R>(in + row * extent.count, extent.count, shift(row)));
    });
    return;
  }
  const auto partial = std::make_unique<Accumulator[]>(static_cast<size_t>(extent.outer * runs));
  for_ranges(extent.outer * runs, kRun, threads, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t row = i / runs, at = i % runs * kRun;
      partial[static_cast<size_t>(i)] =
          fold_run<R>(in + row * extent.count + at, std::min(kRun, extent.count - at), shift(row));
    }
  });
  for (int64_t row = 0; row < extent.outer; ++row) {
    const Accumulator* part = partial.get() + row * runs;
    Accumulator all = part[0];
    for (int64_t i = 1; i < runs; ++i) all = R::join(all, part[i]);
    store(row, all);
  }
}

template <class R, class T, class Store>
void fold_columns(const T* in, const Extent& extent, const double* shifts, int threads,
                  const Store& store) {
  const int64_t strips = (extent.inner + kColumns - 1) / kColumns;
  const int64_t cost = extent.count * std::min(extent.inner, kColumns);
  for_ranges(extent.outer * strips, cost, threads, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t outer = i / strips, first = i % strips * kColumns;
      const int64_t width = std::min(kColumns, extent.inner - first);
      typename R::Accumulator sums[kColumns];
      double shift[kColumns] = {};
      for (int64_t c = 0; c < width; ++c) {
        sums[c] = R::start();
        if (shifts) shift[c] = shifts[outer * extent.inner + first + c];
      }
      const T* row = in + outer * extent.count * extent.inner + first;
      for (int64_t r = 0; r < extent.count; ++r, row += extent.inner)
        for (int64_t c = 0; c < width; ++c) sums[c] = R::step(sums[c], row[c], shift[c]);
      for (int64_t c = 0; c < width; ++c) store(outer * extent.inner + first + c, sums[c]);
    }
  });
}

/// Folds every output's elements and hands the result to store(output, accumulator).
template <class R, class T, class Store>
void fold(const T* in, const Extent& extent, const double* shifts, int threads,
          const Store& store) {
  if (extent.outer * extent.inner == 0) return;
  if (extent.inner == 1) fold_rows<R>(in, extent, shifts, threads, store);
  else fold_columns<R>(in, extent, shifts, threads, store);
}

template <class T>
void sum(const Call& call, const T* in, const Extent& extent, Buffer& result) {
  if constexpr (std::is_floating_point_v<T>) {
    T* const out = reinterpret_cast<T*>(result.data());
    fold<Sum<T>>(in, extent, nullptr, call.machine.threads,
                 [out](int64_t i, double sum) { out[i] = static_cast<T>(sum); });
  } else {
    int64_t* const out = reinterpret_cast<int64_t*>(result.data());
    fold<Sum<T>>(in, extent, nullptr, call.machine.threads,
                 [out](int64_t i, uint64_t sum) { out[i] = static_cast<int64_t>(sum); });
  }
}

template <class T, bool largest>
void most(const Call& call, const T* in, const Extent& extent, Buffer& result) {
  if (extent.count == 0 && result.numel() > 0) fail(kNothing);
  T* const out = reinterpret_cast<T*>(result.data());
  fold<Most<T, largest>>(in, extent, nullptr, call.machine.threads,
                         [out](int64_t i, T most) { out[i] = most; });
}

/// Two passes: the mean in double, then the squares of the distances from it.
template <class T>
void deviation(const Call& call, const T* in, const Extent& extent, T* out) {
  std::vector<double> means(static_cast<size_t>(extent.outer * extent.inner));
  const auto count = static_cast<double>(extent.count);
  const int threads = call.machine.threads;
  fold<Sum<T>>(in, extent, nullptr, threads,
               [&](int64_t i, double sum) { means[static_cast<size_t>(i)] = sum / count; });
  const double free = std::max(0.0, count - 1);
  const bool root = call.row.op == Op::Std;
  fold<SumOfDeviations<T>>(in, extent, means.data(), threads, [&](int64_t i, double squares) {
    out[i] = static_cast<T>(root ? std::sqrt(squares / free) : squares / free);
  });
}

template <class T>
void float_reduce(const Call& call, const T* in, const Extent& extent, T* out) {
  const auto count = static_cast<double>(extent.count);
  switch (call.row.op) {
    case Op::Mean:
    case Op::MeanDim:
      return fold<Sum<T>>(in, extent, nullptr, call.machine.threads,
                          [&](int64_t i, double sum) { out[i] = static_cast<T>(sum / count); });
    case Op::Norm:
      return fold<SumOfSquares<T>>(
          in, extent, nullptr, call.machine.threads,
          [&](int64_t i, double squares) { out[i] = static_cast<T>(std::sqrt(squares)); });
    case Op::Std:
    case Op::Var: return deviation(call, in, extent, out);
    default: fail("no reduction for ", call.row.name);
  }
}

/// Whether a candidate takes the place of the best so far: the first of equals stays, a NaN wins.
template <class T, bool largest>
bool better(T candidate, T best) {
  return (largest ? candidate > best : candidate < best) ||
         (candidate != candidate && best == best);
}

template <class T, bool largest>
void arg_most(const Call& call, const T* in, const Extent& extent, int64_t* out) {
  for_ranges(extent.outer * extent.inner, extent.count, call.machine.threads,
             [&](int64_t begin, int64_t end) {
               for (int64_t i = begin; i < end; ++i) {
                 const T* const x =
                     in + i / extent.inner * extent.count * extent.inner + i % extent.inner;
                 int64_t best = 0;
                 for (int64_t k = 1; k < extent.count; ++k)
                   if (better<T, largest>(x[k * extent.inner], x[best * extent.inner])) best = k;
                 out[i] = best;
               }
             });
}

}  // namespace

BufferRef reduce(const Call& call) {
  const BufferRef input = call.contiguous(call.operand(0));
  BufferRef result = call.result();
  const Extent extent(input->sizes(), call.row.integers > 0 ? call.words.integer(0) : -1);
  switch (call.row.op) {
    case Op::Sum:
    case Op::SumDim:
    case Op::Max:
    case Op::MaxDim:
    case Op::Min:
    case Op::MinDim:
      visit_computed(call.row.name, input->dtype(), [&]<class T>(Type<T>) {
        const T* const in = reinterpret_cast<const T*>(input->data());
        if (call.row.op == Op::Sum || call.row.op == Op::SumDim) sum<T>(call, in, extent, *result);
        else if (call.row.op == Op::Max || call.row.op == Op::MaxDim)
          most<T, true>(call, in, extent, *result);
        else most<T, false>(call, in, extent, *result);
      });
      break;
    default:
      visit_float(call.row.name, input->dtype(), [&]<class T>(Type<T>) {
        float_reduce<T>(call, reinterpret_cast<const T*>(input->data()), extent,
                        reinterpret_cast<T*>(result->data()));
      });
  }
  return result;
}

BufferRef arg_reduce(const Call& call) {
  const BufferRef input = call.contiguous(call.operand(0));
  BufferRef result = call.result();
  if (result->numel() == 0) return result;
  const Extent extent(input->sizes(), call.words.integer(0));
  if (extent.count == 0) fail(kNothing);
  int64_t* const out = reinterpret_cast<int64_t*>(result->data());
  visit_computed(call.row.name, input->dtype(), [&]<class T>(Type<T>) {
    const T* const in = reinterpret_cast<const T*>(input->data());
    if (call.row.op == Op::Argmax) arg_most<T, true>(call, in, extent, out);
    else arg_most<T, false>(call, in, extent, out);
  });
  return result;
}

}  // namespace rt::cpu
