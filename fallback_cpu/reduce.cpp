// reduce.cpp -- reductions, in an order that the shape fixes: by runs, joined in order.
#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <vector>

#include "elementwise/dtypes.h"
#include "elementwise/fold_kernels.h"
#include "fallback_cpu/kernels.h"
#include "fallback_cpu/parallel.h"

namespace rt::cpu {
namespace {

constexpr const char* kNothing = "an empty tensor has no largest or smallest element";
constexpr int64_t kColumns = 512;  ///< columns folded side by side

/// The type of a fold's accumulators over elements of type T; see FoldKernels.
template <Fold fold, class T>
using Accumulator =
    std::conditional_t<fold == Fold::Largest || fold == Fold::Smallest, T,
                       std::conditional_t<std::is_floating_point_v<T>, double, uint64_t>>;

template <Fold fold, class A>
A join(A a, A b) {
  if constexpr (fold == Fold::Largest) return b > a || b != b ? b : a;
  else if constexpr (fold == Fold::Smallest) return b < a || b != b ? b : a;
  else return a + b;
}

/// Folds the elements of each output and calls store(output, accumulator). `shifts` has one
/// number for each output, or is null.
template <Fold kind, class T>
class Folding {
 public:
  Folding(const T* in, const Extent& extent, const Team& team, const double* shifts = nullptr)
      : in_(in), extent_(extent), team_(team), shifts_(shifts) {}

  template <class Store>
  void into(const Store& store) const {
    if (extent_.outer * extent_.inner == 0) return;
    if (extent_.inner == 1) rows(store);
    else columns(store);
  }

 private:
  using A = Accumulator<kind, T>;

  A run(int64_t row, int64_t at, int64_t n) const {
    A sum;
    kernels_.run(n, in_ + row * extent_.count + at, shifts_ ? shifts_[row] : 0.0, &sum);
    return sum;
  }

  template <class Store>
  void rows(const Store& store) const {
    const int64_t count = extent_.count,
                  runs = std::max<int64_t>(1, (count + kFoldRun - 1) / kFoldRun);
    if (runs == 1) {
      for_ranges(extent_.outer, count, team_, [&](int64_t begin, int64_t end) {
        for (int64_t row = begin; row < end; ++row) store(row, run(row, 0, count));
      });
      return;
    }
    const auto partial = std::make_unique<A[]>(static_cast<size_t>(extent_.outer * runs));
    for_ranges(extent_.outer * runs, kFoldRun, team_, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t at = i % runs * kFoldRun;
        partial[static_cast<size_t>(i)] = run(i / runs, at, std::min(kFoldRun, count - at));
      }
    });
    for (int64_t row = 0; row < extent_.outer; ++row) {
      const A* part = partial.get() + row * runs;
      A all = part[0];
      for (int64_t i = 1; i < runs; ++i) all = join<kind>(all, part[i]);
      store(row, all);
    }
  }

  template <class Store>
  void columns(const Store& store) const {
    const int64_t count = extent_.count, inner = extent_.inner;
    const int64_t strips = (inner + kColumns - 1) / kColumns;
    const int64_t cost = count * std::min(inner, kColumns);
    for_ranges(extent_.outer * strips, cost, team_, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t outer = i / strips, first = i % strips * kColumns;
        const int64_t width = std::min(kColumns, inner - first), to = outer * inner + first;
        A sums[kColumns];
        kernels_.columns(count, inner, width, in_ + outer * count * inner + first,
                         shifts_ ? shifts_ + to : nullptr, sums);
        for (int64_t c = 0; c < width; ++c) store(to + c, sums[c]);
      }
    });
  }

  const T* in_;
  const Extent& extent_;
  const Team& team_;
  const double* shifts_;
  FoldKernels kernels_ = fold_kernels(kind, kDTypeOf<T>);
};

template <class T>
void sum(const KernelCall& call, const T* in, const Extent& extent, Buffer& result) {
  using Out = std::conditional_t<std::is_floating_point_v<T>, T, int64_t>;
  Out* const out = reinterpret_cast<Out*>(result.data());
  Folding<Fold::Sum, T>(in, extent, call.machine.team).into([out](int64_t i, auto sum) {
    out[i] = static_cast<Out>(sum);
  });
}

/// Sums over several dimensions: neighbours at once, one such group after the other.
BufferRef sum_dims(const KernelCall& call) {
  if (call.attributes.list(0).empty()) return call.copied(*call.operand(0));  // 0-d
  BufferRef sums = call.contiguous(call.operand(0));
  Shape sizes(sums->sizes());
  std::vector<bool> summed(sizes.size(), false);
  for (const int64_t dim : call.attributes.list(0)) summed[static_cast<size_t>(dim)] = true;
  for (uint32_t end = sizes.size(); end > 0; --end) {
    if (!summed[end - 1]) continue;
    uint32_t begin = end - 1;
    while (begin > 0 && summed[begin - 1]) --begin;
    const auto product = [&](uint32_t from, uint32_t to) {
      return numel(Sizes(sizes).subspan(from, to - from));
    };
    const int64_t around[] = {product(0, begin), product(begin, end), product(end, sizes.size())};
    for (uint32_t d = begin; d < end; ++d) sizes[d] = 1;
    const BufferRef input = sums;
    sums = allocate(call.dtype, sizes, call.machine.memory);
    visit_computed(call.row.name, input->dtype(), [&]<class T>(Type<T>) {
      sum<T>(call, reinterpret_cast<const T*>(input->data()), Extent(around, 1), *sums);
    });
    end = begin + 1;
  }
  return BufferRef(new Buffer(sums->storage(), call.dtype,
                              {Shape(call.sizes), contiguous_strides(call.sizes), 0}));
}

template <class T, Fold kind>
void most(const KernelCall& call, const T* in, const Extent& extent, Buffer& result) {
  if (extent.count == 0 && result.numel() > 0) fail(kNothing);
  T* const out = reinterpret_cast<T*>(result.data());
  Folding<kind, T>(in, extent, call.machine.team).into([out](int64_t i, T most) { out[i] = most; });
}

/// Two passes: the mean in double, then the squares of the distances from it.
template <class T>
void deviation(const KernelCall& call, const T* in, const Extent& extent, T* out) {
  std::vector<double> means(static_cast<size_t>(extent.outer * extent.inner));
  const auto count = static_cast<double>(extent.count);
  const Team& team = call.machine.team;
  Folding<Fold::Sum, T>(in, extent, team).into([&](int64_t i, double sum) {
    means[static_cast<size_t>(i)] = sum / count;
  });
  const double free = std::max(0.0, count - 1);
  const bool root = call.row.op == Op::Std;
  const Folding<Fold::Deviations, T> deviations(in, extent, team, means.data());
  deviations.into([&](int64_t i, double squares) {
    out[i] = static_cast<T>(root ? std::sqrt(squares / free) : squares / free);
  });
}

template <class T>
void float_reduce(const KernelCall& call, const T* in, const Extent& extent, T* out) {
  const auto count = static_cast<double>(extent.count);
  const Team& team = call.machine.team;
  switch (call.row.op) {
    case Op::Mean:
    case Op::MeanDim:
      return Folding<Fold::Sum, T>(in, extent, team).into([&](int64_t i, double sum) {
        out[i] = static_cast<T>(sum / count);
      });
    case Op::Norm:
      return Folding<Fold::Squares, T>(in, extent, team).into([&](int64_t i, double squares) {
        out[i] = static_cast<T>(std::sqrt(squares));
      });
    case Op::Std:
    case Op::Var: return deviation(call, in, extent, out);
    default: fail("no reduction for ", call.row.name);
  }
}

/// The index of the extreme: finds the value, then the first element that
/// equals it. A NaN counts as the extreme.
template <class T, Fold kind>
void arg_most(const KernelCall& call, const T* in, const Extent& extent, int64_t* out) {
  const FoldKernels fold = fold_kernels(kind, kDTypeOf<T>);
  const FindKernels find = find_kernels(kDTypeOf<T>);
  const int64_t count = extent.count, inner = extent.inner;
  if (inner == 1) {
    for_ranges(extent.outer, count, call.machine.team, [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) {
        T most;
        fold.run(count, in + row * count, 0, &most);
        out[row] = find.run(count, in + row * count, &most);
      }
    });
    return;
  }
  const int64_t strips = (inner + kColumns - 1) / kColumns;
  const int64_t cost = count * std::min(inner, kColumns);
  for_ranges(extent.outer * strips, cost, call.machine.team, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t outer = i / strips, first = i % strips * kColumns;
      const int64_t width = std::min(kColumns, inner - first);
      const T* const from = in + outer * count * inner + first;
      T most[kColumns];
      fold.columns(count, inner, width, from, nullptr, most);
      find.columns(count, inner, width, from, most, out + outer * inner + first);
    }
  });
}

}  // namespace

BufferRef reduce(const KernelCall& call) {
  if (call.row.op == Op::SumDims) return sum_dims(call);
  const BufferRef input = call.contiguous(call.operand(0));
  BufferRef result = call.result();
  const Extent extent(input->sizes(), call.row.integers > 0 ? call.attributes.integer(0) : -1);
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
          most<T, Fold::Largest>(call, in, extent, *result);
        else most<T, Fold::Smallest>(call, in, extent, *result);
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

BufferRef arg_reduce(const KernelCall& call) {
  const BufferRef input = call.contiguous(call.operand(0));
  BufferRef result = call.result();
  if (result->numel() == 0) return result;
  const Extent extent(input->sizes(), call.attributes.integer(0));
  if (extent.count == 0) fail(kNothing);
  int64_t* const out = reinterpret_cast<int64_t*>(result->data());
  visit_computed(call.row.name, input->dtype(), [&]<class T>(Type<T>) {
    const T* const in = reinterpret_cast<const T*>(input->data());
    if (call.row.op == Op::Argmax) arg_most<T, Fold::Largest>(call, in, extent, out);
    else arg_most<T, Fold::Smallest>(call, in, extent, out);
  });
  return result;
}

}  // namespace rt::cpu
