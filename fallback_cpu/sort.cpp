// sort.cpp -- order along a dimension: sort, the k-th element, median, mode, quantile.
#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>
#include <vector>

#include "elementwise/dtypes.h"
#include "fallback_cpu/lines.h"
#include "fallback_cpu/parallel.h"

namespace rt::cpu {
namespace {

template <class T>
bool not_a_number(T value) {
  if constexpr (std::is_floating_point_v<T>) return std::isnan(value);
  else return false;
}

/// Ascending order; a NaN is larger than any number.
template <class T>
bool before(T a, T b) {
  return a < b || (!not_a_number(a) && not_a_number(b));
}

/// A line along the dimension, and the indices of its elements in order. Equal elements keep
/// their order.
template <class T>
struct Line {
  std::span<const T> elements;
  std::span<int64_t> order;

  /// Puts the first `k` indices in order.
  void arrange(int64_t k, bool descending) {
    std::iota(order.begin(), order.end(), int64_t{0});
    const auto comes_first = [&](int64_t a, int64_t b) {
      const T x = element(a), y = element(b);
      if (descending ? before(y, x) : before(x, y)) return true;
      if (descending ? before(x, y) : before(y, x)) return false;
      return a < b;
    };
    if (k < std::ssize(order))
      std::partial_sort(order.begin(), order.begin() + k, order.end(), comes_first);
    else std::sort(order.begin(), order.end(), comes_first);
  }
  T element(int64_t i) const { return elements[static_cast<size_t>(i)]; }
  int64_t place(int64_t i) const { return order[static_cast<size_t>(i)]; }

  /// The index of the first NaN; -1 where there is none.
  int64_t first_nan() const {
    const auto found = std::ranges::find_if(elements, not_a_number<T>);
    return found == elements.end() ? -1 : found - elements.begin();
  }

  /// The index of the element that the row gives at place `i`.
  int64_t picked(const KernelCall& call, int64_t i) const {
    switch (call.row.op) {
      case Op::MedianDim:
      case Op::MedianDimIndices: {
        const int64_t nan = first_nan();
        return nan >= 0 ? nan : place((std::ssize(order) - 1) / 2);
      }
      case Op::Kthvalue:
      case Op::KthvalueIndices: return place(integer_named(call, "k") - 1);
      case Op::Mode:
      case Op::ModeIndices: return most_frequent();
      default: return place(i);
    }
  }

  /// Of the longest run of equal elements the last one.
  int64_t most_frequent() const {
    int64_t best = 0, longest = 0, run = 0;
    for (int64_t i = 0; i < std::ssize(order); ++i) {
      ++run;
      if (i + 1 < std::ssize(order) && element(place(i)) == element(place(i + 1))) continue;
      if (run > longest) {
        longest = run;
        best = place(i);
      }
      run = 0;
    }
    return best;
  }

  T quantile(double q) const {
    if (const int64_t nan = first_nan(); nan >= 0) return element(nan);
    const T at = static_cast<T>(q) * static_cast<T>(std::ssize(order) - 1), below = std::floor(at);
    const T weight = at - below;
    const T low = element(place(static_cast<int64_t>(below)));
    const T high = element(place(static_cast<int64_t>(std::ceil(at))));
    return weight < T(0.5) ? low + weight * (high - low) : high - (high - low) * (1 - weight);
  }
};

/// How many elements of a line the row needs in order.
int64_t needed(const KernelCall& call, int64_t count) {
  switch (call.row.op) {
    case Op::Topk:
    case Op::TopkIndices:
    case Op::Kthvalue:
    case Op::KthvalueIndices: return integer_named(call, "k");
    case Op::MedianDim:
    case Op::MedianDimIndices: return (count + 1) / 2;
    default: return count;
  }
}

bool is_descending(const KernelCall& call) {
  switch (call.row.op) {
    case Op::Sort:
    case Op::SortIndices:
    case Op::Argsort: return integer_named(call, "descending") != 0;
    case Op::Topk:
    case Op::TopkIndices: return integer_named(call, "largest") != 0;
    default: return false;
  }
}

}  // namespace

BufferRef sort(const KernelCall& call) {
  const int64_t dim = integer_named(call, "dim");
  const BufferRef input = moved_last(call, call.operand(0), Shape{dim});
  BufferRef result = call.result();
  if (result->numel() == 0) return result;
  const Extent extent(call.operand(0)->sizes(), dim);
  const int64_t lines = extent.outer * extent.inner, results = result->numel() / lines;
  const int64_t count = extent.count, inner = extent.inner, arranged = needed(call, count);
  const bool descending = is_descending(call);
  const bool gives_indices = call.row.rules.result == 1 || call.row.op == Op::Argsort;
  std::vector<int64_t> orders(static_cast<size_t>(lines * count));
  visit_computed(call.row.name, input->dtype(), [&]<class T>(Type<T>) {
    const T* const in = reinterpret_cast<const T*>(input->data());
    T* const values = reinterpret_cast<T*>(result->data());
    int64_t* const indices = reinterpret_cast<int64_t*>(result->data());
    for_ranges(lines, count, call.machine.team, [&](int64_t begin, int64_t end) {
      for (int64_t at = begin; at < end; ++at) {
        const auto length = static_cast<size_t>(count);
        Line<T> line{{in + at * count, length}, {orders.data() + at * count, length}};
        line.arrange(arranged, descending);
        const int64_t to = at / inner * results * inner + at % inner;
        if constexpr (std::is_floating_point_v<T>)
          if (call.row.op == Op::Quantile) {
            values[to] = line.quantile(call.number(0));
            continue;
          }
        for (int64_t i = 0; i < results; ++i) {
          const int64_t index = line.picked(call, i);
          if (gives_indices) indices[to + i * inner] = index;
          else values[to + i * inner] = line.element(index);
        }
      }
    });
  });
  return result;
}

}  // namespace rt::cpu
