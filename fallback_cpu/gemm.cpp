// gemm.cpp -- the product of two matrices, compiled once per instruction set.
// A tile of the result stays in registers while its sums grow. The order in which a sum is taken
// depends on the number of its terms, and not on the position of its tile.
#include "fallback_cpu/gemm.h"

#include <algorithm>
#include <type_traits>
#include <utility>

#include "elementwise/dtypes.h"
#include "elementwise/simd.h"
#include "graph/memory/host_memory.h"

#define HWY_TARGET_INCLUDE "fallback_cpu/gemm.cpp"
#include <hwy/foreach_target.h>

#include "elementwise/lanes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace rt::cpu::HWY_NAMESPACE {
namespace {

/// Terms that are added up in registers, so that a sliver of b stays in the first cache.
constexpr int64_t kDepth = 256;
/// Rows of a block, whose part of `a` stays in the second cache while slivers of b pass.
constexpr int64_t kBlock = 240;
/// Most rows of a tile: with two vectors of columns, the sums of floats fill the registers.
template <class T>
constexpr size_t kTileRows = !std::is_floating_point_v<T>                 ? 2
                             : HWY_TARGET == HWY_AVX3 || HWY_ARCH_ARM_A64 ? 12
                                                                          : 6;
/// Most rows of a tile with kWideVectors vectors of columns.
constexpr size_t kWideRows = 2, kWideVectors = 4;
/// Rows of `a`, and columns of b, up to which contiguous rows are multiplied by contiguous columns,
/// because turning b would take longer.
constexpr int64_t kFewRows = 8, kFewColumns = 4;
static_assert(kFewRows < kLeastStrip && kFewColumns < kLeastStrip);
/// A part of an operand that is spread over more than the first cache is copied where that pays:
/// a sliver of b for a block of kManyRows rows, a block of `a` for b's rows of kLongRow elements.
constexpr int64_t kFirstCache = 32768;  ///< bytes
constexpr int64_t kManyRows = 48, kLongRow = 256;

template <class T>
using Tag = hn::ScalableTag<T>;
template <class T>
constexpr int64_t kLanes = hn::MaxLanes(Tag<T>());
template <class T>
constexpr int64_t kSliver = 2 * kLanes<T>;  ///< columns of a sliver of b

/// Elements by row and column, each with a stride.
template <class T>
struct View {
  T* data;
  int64_t row_stride, column_stride;
  T* at(int64_t row, int64_t column) const {
    return data + row * row_stride + column * column_stride;
  }
};

template <class D>
HWY_INLINE Lanes<D> add_product(Lanes<D> sum, Lanes<D> x, Lanes<D> y) {
  if constexpr (std::is_floating_point_v<hn::TFromD<D>>) return mul_add(x, y, sum);
  else return sum + x * y;
}

/// Vectors of a tile, a row of it.
template <class T, size_t count>
struct Vectors {
  Lanes<Tag<T>> at[count];
};

template <class T, size_t... c>
HWY_INLINE Vectors<T, sizeof...(c)> zeros(std::index_sequence<c...>) {
  return {{((void)c, Lanes<Tag<T>>(T{0}))...}};
}

/// A tile of sizeof...(r) rows and sizeof...(c) vectors: out = a * b, or out += a * b, over `depth`
/// terms. Columns of b and of out are contiguous.
template <class T, size_t... r, size_t... c>
HWY_INLINE void multiply_tile(std::index_sequence<r...>, std::index_sequence<c...> columns,
                              int64_t depth, View<const T> a, View<const T> b, View<T> out,
                              bool add) {
  const Tag<T> d;
  using L = Lanes<Tag<T>>;
  Vectors<T, sizeof...(c)> sums[] = {((void)r, zeros<T>(columns))...};
  const T* rows[] = {a.at(r, 0)...};
  const T* from = b.data;
  for (int64_t p = 0; p < depth; ++p, from += b.row_stride) {
    const L factors[] = {load(d, from + c * kLanes<T>)...};
    const auto multiply = [&](auto& sum, const T*& row) {
      const L factor(*row);
      row += a.column_stride;
      ((sum.at[c] = add_product(sum.at[c], factor, factors[c])), ...);
    };
    (multiply(sums[r], rows[r]), ...);
  }
  const auto finish = [&](auto& sum, T* to) {
    if (add) ((sum.at[c] = load(d, to + c * kLanes<T>) + sum.at[c]), ...);
    (store(sum.at[c], to + c * kLanes<T>), ...);
  };
  (finish(sums[r], out.at(r, 0)), ...);
}

/// Tiles one below the other: `count` times so many rows of `a`, and `width` columns of b and out.
template <class T>
struct Column {
  int64_t count, width, depth;
  View<const T> a;
  int64_t a_step;  ///< from one tile to the next, in elements
  View<const T> b;
  View<T> out;
  bool add;
};

/// b has `vectors` whole vectors; out has `width` columns.
template <class T, size_t rows, size_t vectors>
void multiply_column(const Column<T>& column) {
  constexpr std::make_index_sequence<rows> kRows;
  constexpr std::make_index_sequence<vectors> kVectors;
  constexpr int64_t kWidth = vectors * kLanes<T>;
  Column<T> at = column;
  for (; at.count > 0; --at.count) {
    if (at.width == kWidth) {
      multiply_tile<T>(kRows, kVectors, at.depth, at.a, at.b, at.out, at.add);
    } else {
      HWY_ALIGN T whole[rows * kWidth];
      multiply_tile<T>(kRows, kVectors, at.depth, at.a, at.b, {whole, kWidth, 1}, false);
      for (int64_t row = 0; row < int64_t{rows}; ++row)
        for (int64_t c = 0; c < at.width; ++c) {
          T& to = *at.out.at(row, c);
          to = at.add ? to + whole[row * kWidth + c] : whole[row * kWidth + c];
        }
    }
    at.a.data += at.a_step;
    at.out.data = at.out.at(rows, 0);
  }
}

/// multiply_column for tiles of 1 to sizeof...(r) rows.
template <class T, size_t vectors, size_t... r>
auto* column_of(int64_t rows, std::index_sequence<r...>) {
  static constexpr decltype(&multiply_column<T, 1, vectors>) kColumns[] = {
      multiply_column<T, r + 1, vectors>...};
  return kColumns[rows - 1];
}

#if HWY_TARGET == HWY_SCALAR
template <class T>
constexpr int64_t kSquare = 1;  // no vector holds two numbers
template <class T>
void turn_square(View<const T>, T*, int64_t) {}
#else
/// Rows of a square that is turned in registers of 16 bytes.
template <class T>
constexpr int64_t kSquare = 16 / sizeof(T);

/// Copies a square of contiguous columns to contiguous rows, which lie `stride` elements apart.
template <class T>
HWY_INLINE void turn_square(View<const T> b, T* to, int64_t stride) {
  using D = hn::CappedTag<T, kSquare<T>>;
  const D d;
  const auto column = [&](int64_t c) { return hn::LoadU(d, b.at(0, c)); };
  const auto put = [&](int64_t row, hn::Vec<D> vector) {
    hn::StoreU(vector, d, to + row * stride);
  };
  if constexpr (kSquare<T> == 2) {
    const auto x = column(0), y = column(1);
    put(0, hn::InterleaveLower(d, x, y));
    put(1, hn::InterleaveUpper(d, x, y));
  } else {
    const hn::RepartitionToWide<D> pairs;
    const auto x = column(0), y = column(1), z = column(2), w = column(3);
    const auto low_xy = hn::BitCast(pairs, hn::InterleaveLower(d, x, y));
    const auto low_zw = hn::BitCast(pairs, hn::InterleaveLower(d, z, w));
    const auto high_xy = hn::BitCast(pairs, hn::InterleaveUpper(d, x, y));
    const auto high_zw = hn::BitCast(pairs, hn::InterleaveUpper(d, z, w));
    put(0, hn::BitCast(d, hn::InterleaveLower(pairs, low_xy, low_zw)));
    put(1, hn::BitCast(d, hn::InterleaveUpper(pairs, low_xy, low_zw)));
    put(2, hn::BitCast(d, hn::InterleaveLower(pairs, high_xy, high_zw)));
    put(3, hn::BitCast(d, hn::InterleaveUpper(pairs, high_xy, high_zw)));
  }
}
#endif

/// Copies `depth` rows of `width` columns to rows that lie `stride` elements apart.
template <class T>
void copy_rows(int64_t depth, int64_t width, View<const T> from, T* to, int64_t stride) {
  const Tag<T> d;
  int64_t c = 0;
  if (from.column_stride == 1) {
    for (; c + kLanes<T> <= width; c += kLanes<T>)
      for (int64_t p = 0; p < depth; ++p) store(load(d, from.at(p, c)), to + p * stride + c);
  } else if (kSquare<T> > 1) {
    for (; c + kSquare<T> <= width; c += kSquare<T>) {
      int64_t p = 0;
      for (; p + kSquare<T> <= depth; p += kSquare<T>)
        turn_square<T>({from.at(p, c), from.row_stride, from.column_stride}, to + p * stride + c,
                       stride);
      for (; p < depth; ++p)
        for (int64_t i = c; i < c + kSquare<T>; ++i) to[p * stride + i] = *from.at(p, i);
    }
  }
  for (int64_t p = 0; p < depth && c < width; ++p)
    for (int64_t i = c; i < width; ++i) to[p * stride + i] = *from.at(p, i);
}

/// Rows of a block in tiles of about equal height, because low ones do not fill the registers.
struct Tiles {
  int64_t count, low, higher;
  Tiles(int64_t rows, int64_t most)
      : count((rows + most - 1) / most), low(rows / count), higher(rows % count) {}
  int64_t rows(int64_t tile) const { return tile < higher ? low + 1 : low; }
};

/// The rows of a block, as they are or copied tile by tile.
template <class T>
struct Block {
  int64_t rows;
  View<const T> a;
  const T* copied;  ///< null: none
};

/// All rows of a block and `width` columns, for which b has `vectors` whole vectors.
template <class T, size_t vectors>
void multiply_block(const Block<T>& block, int64_t width, int64_t depth, View<const T> b,
                    View<T> out, bool add) {
  constexpr std::make_index_sequence<vectors <= 2 ? kTileRows<T> : kWideRows> kMost;
  const Tiles tiles(block.rows, kMost.size());
  const auto run = [&](int64_t first, int64_t count, int64_t rows) {
    View<const T> left{block.a.at(first, 0), block.a.row_stride, block.a.column_stride};
    int64_t step = rows * left.row_stride;
    if (block.copied) {
      left = {block.copied + first * depth, 1, rows};
      step = rows * depth;
    }
    const View<T> to{out.at(first, 0), out.row_stride, 1};
    column_of<T, vectors>(rows, kMost)({count, width, depth, left, step, b, to, add});
  };
  if (tiles.higher > 0) run(0, tiles.higher, tiles.low + 1);
  if (tiles.low > 0) run(tiles.higher * (tiles.low + 1), tiles.count - tiles.higher, tiles.low);
}

/// Memory for a copy of a block; null where there is none.
template <class T>
class Copy {
 public:
  explicit Copy(int64_t elements)
      : bytes_(elements * int64_t{sizeof(T)}),
        data_(elements == 0 ? nullptr : static_cast<T*>(take_block(bytes_))) {}
  Copy(const Copy&) = delete;
  Copy& operator=(const Copy&) = delete;
  ~Copy() {
    if (data_) give_block(data_, bytes_);
  }
  T* data() const { return data_; }

 private:
  int64_t bytes_;
  T* data_;
};

/// By tiles: any product.
template <class T>
void multiply_tiles(int64_t m, int64_t n, int64_t k, View<const T> a, View<const T> b, View<T> out,
                    bool add) {
  constexpr int64_t kWide = kWideVectors * kLanes<T>;
  HWY_ALIGN T sliver[kDepth * kSliver<T>];
  const int64_t most = std::min(kBlock, m) * std::min(kDepth, k);
  const Copy<T> copy(most * int64_t{sizeof(T)} > kFirstCache && n >= kLongRow ? most : 0);
  for (int64_t i = 0; i < m; i += kBlock)
    for (int64_t p = 0; p < k; p += kDepth) {
      const int64_t rows = std::min(kBlock, m - i), depth = std::min(kDepth, k - p);
      const bool grows = add || p > 0;
      const int64_t spread = depth * b.row_stride * int64_t{sizeof(T)};
      const bool copies = b.column_stride != 1 || (rows >= kManyRows && spread > kFirstCache);
      const Block<T> block{rows, {a.at(i, p), a.row_stride, a.column_stride}, copy.data()};
      if (T* to = copy.data()) {
        const Tiles tiles(rows, kTileRows<T>);
        View<const T> turned{block.a.data, a.column_stride, a.row_stride};
        for (int64_t t = 0; t < tiles.count; ++t) {
          const int64_t width = tiles.rows(t);
          copy_rows<T>(depth, width, turned, to, width);
          to += width * depth;
          turned.data = turned.at(0, width);
        }
      }
      for (int64_t j = 0, width; j < n; j += width) {
        const View<const T> right{b.at(p, j), b.row_stride, b.column_stride};
        const View<T> to{out.at(i, j), out.row_stride, 1};
        width = std::min(kSliver<T>, n - j);
        if (!copies && rows <= int64_t{kWideRows} && n - j >= kWide) {
          width = kWide;
          multiply_block<T, kWideVectors>(block, width, depth, right, to, grows);
        } else if (!copies && width == kSliver<T>) {
          multiply_block<T, 2>(block, width, depth, right, to, grows);
        } else {
          copy_rows<T>(depth, width, right, sliver, kSliver<T>);
          // The other columns repeat the first, and nothing depends on them.
          for (int64_t q = 0; q < depth && width < kSliver<T>; ++q)
            std::fill_n(sliver + q * kSliver<T> + width, kSliver<T> - width,
                        sliver[q * kSliver<T>]);
          const View<const T> copied{sliver, kSliver<T>, 1};
          if (width <= kLanes<T>) multiply_block<T, 1>(block, width, depth, copied, to, grows);
          else multiply_block<T, 2>(block, width, depth, copied, to, grows);
        }
      }
    }
}

/// Adds the halves of a vector until 16 bytes are left.
template <class D>
HWY_INLINE auto folded(D d, hn::Vec<D> v) {
#if HWY_TARGET != HWY_SCALAR
  if constexpr (hn::MaxLanes(D()) * sizeof(hn::TFromD<D>) > 16) {
    const hn::Half<D> half;
    return folded(half, hn::Add(hn::LowerHalf(half, v), hn::UpperHalf(half, v)));
  } else
#endif
  {
    (void)d;
    return v;
  }
}

/// The sum of all lanes: of 16 bytes that are left, (x0 + x2) + (x1 + x3), or x0 + x1.
template <class T>
HWY_INLINE T lane_sum(hn::Vec<Tag<T>> v) {
  constexpr size_t kLeft = std::min<size_t>(hn::MaxLanes(Tag<T>()), 16 / sizeof(T));
  HWY_ALIGN T x[kLeft];
  hn::Store(folded(Tag<T>(), v), hn::CappedTag<T, kLeft>(), x);
  if constexpr (kLeft == 4) return (x[0] + x[2]) + (x[1] + x[3]);
  else if constexpr (kLeft == 2) return x[0] + x[1];
  else return x[0];
}

#if HWY_TARGET != HWY_SCALAR
/// lane_sum of four vectors of numbers of four bytes.
template <class T>
HWY_INLINE auto four_lane_sums(const Vectors<T, 4>& sums) {
  using D = hn::CappedTag<T, 4>;
  const D d;
  const hn::RepartitionToWide<D> pairs;
  const auto left = [](const Lanes<Tag<T>>& sum) { return folded(Tag<T>(), sum.vector); };
  const auto two = [&](auto x, auto y) {  // x0 + x2, y0 + y2, x1 + x3, y1 + y3
    return hn::BitCast(pairs, hn::Add(hn::InterleaveLower(d, x, y), hn::InterleaveUpper(d, x, y)));
  };
  const auto xy = two(left(sums.at[0]), left(sums.at[1]));
  const auto zw = two(left(sums.at[2]), left(sums.at[3]));
  return hn::Add(hn::BitCast(d, hn::InterleaveLower(pairs, xy, zw)),
                 hn::BitCast(d, hn::InterleaveUpper(pairs, xy, zw)));
}
#endif

/// True where the terms after the last whole vector are loaded as a vector with zeros behind them.
constexpr bool kMasks = HWY_TARGET == HWY_AVX3;

/// The products of sizeof...(r) rows of `a` and sizeof...(c) columns of b, both contiguous.
template <class T, size_t... r, size_t... c>
HWY_INLINE void multiply_runs(std::index_sequence<r...>, std::index_sequence<c...> columns,
                              int64_t k, View<const T> a, View<const T> b, View<T> out, bool add) {
  const Tag<T> d;
  using L = Lanes<Tag<T>>;
  Vectors<T, sizeof...(c)> sums[] = {((void)r, zeros<T>(columns))...};
  int64_t p = 0;
  const auto add_terms = [&](const auto& loaded) {
    const L factors[] = {loaded(b.at(p, c))...};
    const auto multiply = [&](auto& sum, const T* row) {
      const L factor = loaded(row);
      ((sum.at[c] = add_product(sum.at[c], factor, factors[c])), ...);
    };
    (multiply(sums[r], a.at(r, p)), ...);
  };
  for (; p + kLanes<T> <= k; p += kLanes<T>)
    add_terms([d](const T* from) { return load(d, from); });
  if (kMasks && p < k) {
    const auto rest = hn::FirstN(d, static_cast<size_t>(k - p));
    add_terms([d, rest](const T* from) { return L(hn::MaskedLoad(rest, d, from)); });
    p = k;
  }
  const auto finish = [&](L sum, size_t row, size_t column) {
    T whole = lane_sum<T>(sum.vector);
    for (int64_t q = p; q < k; ++q) whole += *a.at(row, q) * *b.at(q, column);
    T& to = *out.at(row, column);
    to = add ? to + whole : whole;
  };
  const auto finish_row = [&](auto& sum, size_t row) {
#if HWY_TARGET != HWY_SCALAR
    if constexpr (sizeof...(c) == 4 && sizeof(T) == 4) {
      if (p == k) {
        const hn::CappedTag<T, 4> four;
        const auto whole = four_lane_sums<T>(sum);
        T* const to = out.at(row, 0);
        hn::StoreU(add ? hn::Add(hn::LoadU(four, to), whole) : whole, four, to);
        return;
      }
    }
#endif
    (finish(sum.at[c], row, c), ...);
  };
  (finish_row(sums[r], r), ...);
}

template <class T, size_t... r>
void multiply_few(std::index_sequence<r...> rows, int64_t n, int64_t k, View<const T> a,
                  View<const T> b, View<T> out, bool add) {
  constexpr bool kManyRegisters = HWY_TARGET == HWY_AVX3 || HWY_ARCH_ARM_A64;
  constexpr size_t kColumns = sizeof...(r) == 4 && !kManyRegisters ? 3 : 4;
  int64_t j = 0;
  const auto at = [](auto view, int64_t column) {
    view.data = view.at(0, column);
    return view;
  };
  for (; j + int64_t{kColumns} <= n; j += kColumns)
    multiply_runs<T>(rows, std::make_index_sequence<kColumns>(), k, a, at(b, j), at(out, j), add);
  for (; j < n; ++j)
    multiply_runs<T>(rows, std::index_sequence<0>(), k, a, at(b, j), at(out, j), add);
}

template <class T>
void multiply(int64_t m, int64_t n, int64_t k, View<const T> a, View<const T> b, View<T> out,
              bool add) {
  const bool few = m <= kFewRows || n <= kFewColumns;
  if (!few || a.column_stride != 1 || b.row_stride != 1)
    return multiply_tiles<T>(m, n, k, a, b, out, add);
  for (int64_t i = 0; i < m; i += 4) {
    const View<const T> left{a.at(i, 0), a.row_stride, 1};
    const View<T> to{out.at(i, 0), out.row_stride, 1};
    switch (m - i) {
      case 1: multiply_few<T>(std::make_index_sequence<1>(), n, k, left, b, to, add); break;
      case 2: multiply_few<T>(std::make_index_sequence<2>(), n, k, left, b, to, add); break;
      case 3: multiply_few<T>(std::make_index_sequence<3>(), n, k, left, b, to, add); break;
      default: multiply_few<T>(std::make_index_sequence<4>(), n, k, left, b, to, add);
    }
  }
}

void run_gemm(DType dtype, const Matrix& a, const Matrix& b, char* out, int64_t out_stride,
              bool add) {
  const auto run = [&]<class T>(T) {
    const auto view = [](const Matrix& matrix) {
      return View<const T>{reinterpret_cast<const T*>(matrix.data), matrix.row_stride,
                           matrix.column_stride};
    };
    const View<T> to{reinterpret_cast<T*>(out), out_stride == 0 ? b.columns : out_stride, 1};
    multiply<T>(a.rows, b.columns, a.columns, view(a), view(b), to, add);
  };
  switch (dtype) {
    case DType::F32: return run(float{});
    case DType::F64: return run(double{});
    case DType::I32: return run(uint32_t{});  // unsigned, because sums wrap
    default: return run(uint64_t{});
  }
}

}  // namespace
}  // namespace rt::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace rt::cpu {

void gemm(DType dtype, const Matrix& a, const Matrix& b, char* out, int64_t out_stride, bool add) {
  static constexpr decltype(&HWY_STATIC_DISPATCH(run_gemm)) kVariants[] = RT_SIMD_TABLE(run_gemm);
  simd_choice(kVariants)(dtype, a, b, out, out_stride, add);
}

}  // namespace rt::cpu
#endif
