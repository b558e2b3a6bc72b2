// views_test.cpp -- compares the layout rules of views with moves of single elements.
#include "graph/ops/views.h"

#include <algorithm>
#include <numeric>
#include <random>

#include "tests/graph/samples.h"

namespace rt::test {
namespace {

/// Offsets of the elements in row-major order.
std::vector<int64_t> places(const Layout& layout) {
  std::vector<int64_t> result;
  std::vector<int64_t> at(layout.sizes.size(), 0);
  for (int64_t n = numel(layout.sizes); n > 0; --n) {
    int64_t place = layout.offset;
    for (uint32_t d = 0; d < at.size(); ++d) place += at[d] * layout.strides[d];
    result.push_back(place);
    for (uint32_t d = static_cast<uint32_t>(at.size()); d-- > 0;) {
      if (++at[d] < layout.sizes[d]) break;
      at[d] = 0;
    }
  }
  return result;
}

class Random {
 public:
  int64_t below(int64_t n) { return static_cast<int64_t>(engine_() % static_cast<uint64_t>(n)); }
  /// Dimensions may be permuted, strided, expanded (stride 0) or of size 0 and 1.
  Layout layout() {
    const auto rank = static_cast<uint32_t>(below(5));
    Layout result;
    for (uint32_t d = 0; d < rank; ++d) result.sizes.push_back(below(12) == 0 ? 0 : 1 + below(4));
    std::vector<uint32_t> order(rank);
    std::iota(order.begin(), order.end(), 0u);
    if (below(2)) std::shuffle(order.begin(), order.end(), engine_);
    result.strides.resize(rank);
    int64_t step = 1;
    for (uint32_t i = rank; i-- > 0;) {
      const uint32_t d = order[i];
      if (below(5) == 0) step *= 2;
      result.strides[d] = below(10) == 0 ? 0 : step;
      step *= std::max<int64_t>(result.sizes[d], 1);
    }
    result.offset = below(3);
    return result;
  }
  /// Random sizes of as many elements.
  Shape regrouped(Sizes sizes) {
    std::vector<int64_t> parts;
    for (int64_t size : sizes) {
      if (size == 4 && below(2)) {
        parts.insert(parts.end(), {2, 2});
      } else {
        parts.push_back(size);
      }
      if (below(4) == 0) parts.push_back(1);
    }
    if (below(3) == 0) std::shuffle(parts.begin(), parts.end(), engine_);
    Shape result;
    for (int64_t part : parts) {
      if (!result.empty() && below(2)) result.back() *= part;
      else result.push_back(part);
    }
    return result;
  }

 private:
  std::mt19937 engine_{11};
};

/// True if some strides give the offsets `wanted` over these sizes.
bool strides_exist(Sizes sizes, const std::vector<int64_t>& wanted) {
  Layout guess;
  guess.sizes.assign(sizes);
  guess.offset = wanted.empty() ? 0 : wanted[0];
  if (wanted.empty()) return true;
  size_t step = 1;
  guess.strides.resize(static_cast<uint32_t>(sizes.size()));
  for (size_t d = sizes.size(); d-- > 0;) {
    if (sizes[d] > 1) guess.strides[static_cast<uint32_t>(d)] = wanted[step] - wanted[0];
    step *= static_cast<size_t>(sizes[d]);
  }
  return places(guess) == wanted;
}

TEST(Views, ResizedFindsStridesExactlyWhereThereAreSome) {
  Random random;
  int found = 0;
  for (int round = 0; round < 50000; ++round) {
    const Layout source = random.layout();
    const Shape sizes = random.regrouped(source.sizes);
    const std::vector<int64_t> wanted = places(source);
    Layout result;
    const bool possible = view::resized({info(Op::Reshape), {}}, sizes, source, result);
    ASSERT_EQ(possible, strides_exist(sizes, wanted))
        << to_string(source.sizes) << " " << to_string(source.strides) << " to "
        << to_string(sizes);
    if (!possible) continue;
    ++found;
    ASSERT_EQ(result.sizes, sizes);
    ASSERT_EQ(places(result), wanted)
        << to_string(source.sizes) << " " << to_string(source.strides) << " to " << to_string(sizes)
        << " gives " << to_string(result.strides);
  }
  EXPECT_GT(found, 1000);
}

/// Infers the sizes, then applies the row's layout rule.
Layout laid(Op op, const Layout& source, std::vector<int64_t> attributes) {
  Args args;
  args.op = op;
  args.attributes.assign(attributes);
  const TensorType type{.dtype = DType::F32, .device = {}, .sizes = source.sizes};
  infer(args, {&type, 1});
  Layout result;
  const AttributesView view{info(op), args.attributes};
  EXPECT_TRUE(info(op).rules.view(view, args.shape, source, result));
  EXPECT_EQ(result.sizes, args.shape);
  return result;
}

/// The offset of the element with these indices.
int64_t place(const Layout& layout, const std::vector<int64_t>& at) {
  int64_t result = layout.offset;
  for (uint32_t d = 0; d < at.size(); ++d) result += at[d] * layout.strides[d];
  return result;
}

/// Calls `visit` with the indices of each element.
template <class Visit>
void each(Sizes sizes, const Visit& visit) {
  std::vector<int64_t> at(sizes.size(), 0);
  for (int64_t n = numel(sizes); n > 0; --n) {
    visit(at);
    for (size_t d = at.size(); d-- > 0;) {
      if (++at[d] < sizes[d]) break;
      at[d] = 0;
    }
  }
}

TEST(Views, TransposePermuteAndSlice) {
  Random random;
  for (int round = 0; round < 5000; ++round) {
    const Layout source = random.layout();
    const auto rank = static_cast<int64_t>(source.sizes.size());
    if (rank == 0) continue;
    const int64_t a = random.below(rank), b = random.below(rank);
    const Layout turned = laid(Op::Transpose, source, {a - rank, b});
    std::vector<int64_t> dims = {rank};
    for (int64_t d = 0; d < rank; ++d) dims.push_back((d + a) % rank);
    const Layout permuted = laid(Op::Permute, source, dims);
    const int64_t start = random.below(4), end = random.below(6), step = 1 + random.below(3);
    const Layout sliced = laid(Op::Slice, source, {start, end, a, step});
    const auto ua = static_cast<size_t>(a), ub = static_cast<size_t>(b);
    each(turned.sizes, [&](std::vector<int64_t> at) {
      const int64_t got = place(turned, at);
      std::swap(at[ua], at[ub]);
      ASSERT_EQ(got, place(source, at));
    });
    each(permuted.sizes, [&](const std::vector<int64_t>& at) {
      std::vector<int64_t> from(at.size());
      for (size_t d = 0; d < at.size(); ++d) from[static_cast<size_t>(dims[d + 1])] = at[d];
      ASSERT_EQ(place(permuted, at), place(source, from));
    });
    each(sliced.sizes, [&](std::vector<int64_t> at) {
      const int64_t got = place(sliced, at);
      at[ua] = std::min(start, source.sizes[static_cast<uint32_t>(a)]) + at[ua] * step;
      ASSERT_LT(at[ua], std::min(end, source.sizes[static_cast<uint32_t>(a)]));
      ASSERT_EQ(got, place(source, at));
    });
    if (rank != 2) continue;
    EXPECT_EQ(places(laid(Op::T, source, {})), places(laid(Op::Transpose, source, {0, 1})));
  }
}

TEST(Views, ContiguousIsTheSameOrACopy) {
  Layout result;
  const AttributesView none{info(Op::Contiguous), {}};
  EXPECT_TRUE(view::contiguous(none, {}, {{2, 3}, {3, 1}, 4}, result));
  EXPECT_EQ(result.offset, 4);
  EXPECT_FALSE(view::contiguous(none, {}, {{2, 3}, {1, 2}, 0}, result));
}

}  // namespace
}  // namespace rt::test
