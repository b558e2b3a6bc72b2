// gemm_test.cpp -- the matrix product on each instruction set, against sums taken one by one.
#include "fallback_cpu/gemm.h"

#include <array>

#include "tests/executor/simd_rig.h"

namespace rt::cpu {
namespace {

struct Case {
  int64_t m, n, k;
  bool a_turned, b_turned, add;
  int64_t gap;  ///< elements between rows of the result
};

/// A matrix whose columns are contiguous where it is turned.
template <class T>
Matrix matrix_over(const std::vector<T>& data, int64_t rows, int64_t columns, bool turned) {
  return {reinterpret_cast<const char*>(data.data()), rows, columns, turned ? 1 : columns,
          turned ? rows : 1};
}

template <class T>
T element(const Matrix& matrix, int64_t row, int64_t column) {
  return reinterpret_cast<const T*>(
      matrix.data)[row * matrix.row_stride + column * matrix.column_stride];
}

/// Small whole numbers, so that every order of a sum gives the same bits.
template <class T>
std::vector<T> whole_numbers(int64_t count, uint64_t seed) {
  std::mt19937_64 draw(seed);
  std::vector<T> numbers(static_cast<size_t>(count));
  for (T& number : numbers) number = static_cast<T>(static_cast<int>(draw() % 9) - 4);
  return numbers;
}

template <class T>
void check(DType dtype, const Case& one) {
  const auto [m, n, k, a_turned, b_turned, add, gap] = one;
  SCOPED_TRACE(testing::Message() << name(dtype) << ' ' << m << 'x' << n << 'x' << k << " turned "
                                  << a_turned << b_turned << " add " << add << " gap " << gap);
  const std::vector<T> left = whole_numbers<T>(m * k, 1), right = whole_numbers<T>(k * n, 2);
  const Matrix a = matrix_over(left, m, k, a_turned), b = matrix_over(right, k, n, b_turned);
  const int64_t stride = n + gap;
  const std::vector<T> before = whole_numbers<T>(m * stride, 3);
  std::vector<T> wanted = before;
  for (int64_t i = 0; i < m; ++i)
    for (int64_t j = 0; j < n; ++j) {
      T sum = add ? before[static_cast<size_t>(i * stride + j)] : T{0};
      for (int64_t p = 0; p < k; ++p) sum += element<T>(a, i, p) * element<T>(b, p, j);
      wanted[static_cast<size_t>(i * stride + j)] = sum;
    }
  for_targets([&] {
    std::vector<T> out = before;
    gemm(dtype, a, b, reinterpret_cast<char*>(out.data()), gap == 0 ? 0 : stride, add);
    EXPECT_EQ(out, wanted);
  });
}

void check_all_types(const Case& one) {
  check<float>(DType::F32, one);
  check<double>(DType::F64, one);
  check<int32_t>(DType::I32, one);
  check<int64_t>(DType::I64, one);
}

TEST(Gemm, ComputesEachShapeAndLayout) {
  // Sizes on both sides of a vector, a sliver, a tile, a block and of the terms in registers.
  constexpr std::array<std::array<int64_t, 3>, 16> kSizes{{{1, 1, 1},
                                                           {1, 70, 5},
                                                           {2, 67, 3},
                                                           {3, 5, 17},
                                                           {4, 3, 33},
                                                           {7, 16, 8},
                                                           {9, 1, 40},
                                                           {13, 4, 31},
                                                           {25, 17, 9},
                                                           {12, 33, 4},
                                                           {49, 257, 6},
                                                           {50, 300, 259},
                                                           {241, 9, 5},
                                                           {245, 40, 258},
                                                           {6, 32, 256},
                                                           {61, 256, 200}}};
  for (const auto& [m, n, k] : kSizes)
    for (int way = 0; way < 16; ++way)
      check_all_types({m, n, k, (way & 1) != 0, (way & 2) != 0, (way & 4) != 0, way & 8 ? 3 : 0});
}

TEST(Gemm, StripsHaveTheBitsOfTheWholeProduct) {
  constexpr int64_t kExtent = 3 * kLeastStrip + 5, kTerms = 300;
  constexpr auto kItem = int64_t{sizeof(float)};
  std::mt19937_64 draw(5);
  std::uniform_real_distribution<float> real(-1, 1);
  std::vector<float> left(kExtent * kTerms), right(kTerms * kExtent);
  for (float& number : left) number = real(draw);
  for (float& number : right) number = real(draw);
  for_targets([&] {
    for (const bool turned : {false, true}) {
      const Matrix a = matrix_over(left, kExtent, kTerms, false);
      const Matrix b = matrix_over(right, kTerms, kExtent, turned);
      std::vector<float> whole(kExtent * kExtent), of_rows = whole, of_columns = whole;
      gemm(DType::F32, a, b, reinterpret_cast<char*>(whole.data()), 0, false);
      for (const int64_t first : {int64_t{0}, kLeastStrip}) {
        const int64_t extent = first == 0 ? kLeastStrip : kExtent - kLeastStrip;
        Matrix rows = a, columns = b;
        rows.data += first * a.row_stride * kItem;
        rows.rows = extent;
        gemm(DType::F32, rows, b, reinterpret_cast<char*>(of_rows.data() + first * kExtent), 0,
             false);
        columns.data += first * b.column_stride * kItem;
        columns.columns = extent;
        gemm(DType::F32, a, columns, reinterpret_cast<char*>(of_columns.data() + first), kExtent,
             false);
      }
      EXPECT_EQ(of_rows, whole);
      EXPECT_EQ(of_columns, whole);
    }
  });
}

}  // namespace
}  // namespace rt::cpu
