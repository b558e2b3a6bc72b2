// reference_scatter_test.cpp -- additions by index, gradients of slices and expanded values,
// against PyTorch's values.
#include "tests/executor/reference_rig.h"

namespace rt::test {
namespace {

using Floats = std::vector<float>;
using Doubles = std::vector<double>;

TEST(ReferenceScatter, AddsWhereGatherWouldTakeFrom) {
  Rig rig;
  const Value x = rig.input({2, 3}, Floats{0, 1, 2, 3, 4, 5});
  const Value turned = rig.strided(Floats{0, 3, 1, 4, 2, 5}, {{2, 3}, {1, 2}, 0});
  const Value index = rig.input<int64_t>({2, 3}, {0, 2, 2, 1, 1, 0});
  const Value narrow = rig.input<int32_t>({2, 3}, {0, 2, 2, 1, 1, 0});
  const Value ones = rig.step(Op::Expand, {rig.input({}, Floats{1})}, {}, {2, 3});
  for (const Value self : {x, turned})
    for (const Value at : {index, narrow})
      rig.expect(rig.step(Op::ScatterAdd, {self, at, ones}, {1}), {2, 3}, Floats{1, 1, 4, 4, 6, 5});
  // The index is smaller than self, but longer along the dimension.
  const Value zeros = rig.input({3, 2, 2}, Doubles(12));
  const Value few = rig.input<int64_t>({4, 1, 2}, {0, 1, 2, 1, 0, 1, 0, 0});
  const Value src = rig.input({4, 1, 2}, Doubles{1, 2, 3, 4, 5, 6, 7, 8});
  rig.expect(rig.step(Op::ScatterAdd, {zeros, few, src}, {0}), {3, 2, 2},
             Doubles{13, 8, 0, 0, 0, 12, 0, 0, 3, 0, 0, 0});
}

TEST(ReferenceScatter, OfNoDimensionAndOfNothing) {
  Rig rig;
  const Value number = rig.input({}, Floats{3}), two = rig.input({}, Floats{2});
  const Value zero = rig.input<int64_t>({}, {0}), zeros = rig.input<int64_t>({3}, {0, 0, 0});
  const Value row = rig.input({3}, Floats{1, 2, 4});
  rig.expect(rig.step(Op::ScatterAdd, {number, zero, two}, {0}), {}, Floats{5});
  rig.expect(rig.step(Op::ScatterAdd, {number, zeros, row}, {-1}), {}, Floats{10});
  rig.expect(rig.step(Op::IndexAdd, {number, zero, two}, {0}), {}, Floats{5});
  const Value none = rig.input<int64_t>({0}, {}), nothing = rig.input({0}, Floats{});
  const Value matrix = rig.input({1, 2}, Floats{7, 8});
  rig.expect(rig.step(Op::ScatterAdd, {matrix, none, nothing}, {1}), {1, 2}, Floats{7, 8});
  rig.expect(rig.step(Op::IndexAdd, {matrix, none, rig.input({1, 0}, Floats{})}, {1}), {1, 2},
             Floats{7, 8});
  rig.expect(rig.step(Op::EmbeddingBackward, {rig.input({0, 2}, Floats{}), none}, {1}), {1, 2},
             Floats{0, 0});
}

TEST(ReferenceScatter, AddsSlabsWhereIndexSelectWouldTakeFrom) {
  Rig rig;
  const Value x = rig.input({2, 3}, Floats{0, 1, 2, 3, 4, 5});
  const Value twice = rig.input<int64_t>({2}, {2, 2});
  const Value rows = rig.input<int32_t>({3}, {1, 1, 0});
  rig.expect(rig.step(Op::IndexAdd, {x, twice, rig.input({2, 2}, Floats{10, 20, 30, 40})}, {1}),
             {2, 3}, Floats{0, 1, 32, 3, 4, 75});
  const Value source = rig.strided(Floats{1, 4, 7, 2, 5, 8, 3, 6, 9}, {{3, 3}, {1, 3}, 0});
  rig.expect(rig.step(Op::IndexAdd, {x, rows, source}, {0}), {2, 3}, Floats{7, 9, 11, 8, 11, 14});
  const Value middle = rig.input<int64_t>({3}, {2, 0, 2});
  const Value ramp = rig.input({2, 3, 2}, Doubles{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12});
  rig.expect(rig.step(Op::IndexAdd, {rig.input({2, 3, 2}, Doubles(12)), middle, ramp}, {1}),
             {2, 3, 2}, Doubles{3, 4, 0, 0, 6, 8, 9, 10, 0, 0, 18, 20});
}

TEST(ReferenceScatter, SumsTheRowsOfAnEmbedding) {
  Rig rig;
  const Value grad = rig.input({2, 3, 2}, Floats{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12});
  const Value indices = rig.input<int64_t>({2, 3}, {3, 0, 3, 1, 3, 0});
  rig.expect(rig.step(Op::EmbeddingBackward, {grad, indices}, {4}), {4, 2},
             Floats{14, 16, 7, 8, 0, 0, 15, 18});
}

TEST(ReferenceScatter, RefusesWhatIsOutOfRange) {
  const auto failing = [](Op op, int64_t index, const std::string& cause) {
    Rig rig;
    const Value self = rig.input({3}, Floats{1, 2, 3}), one = rig.input({1}, Floats{1});
    const Value at = rig.input<int64_t>({1}, {index});
    const Value last = op == Op::EmbeddingBackward
                           ? rig.step(op, {rig.input({1, 1}, Floats{1}), at}, {3})
                           : rig.step(op, {self, at, one}, {0});
    rig.expect_failure(last, 0, cause);
  };
  for (const Op op : {Op::ScatterAdd, Op::IndexAdd, Op::EmbeddingBackward}) {
    failing(op, 3, "index 3 is out of range for dimension 0 of size 3");
    failing(op, -1, "index -1 is out of range for dimension 0 of size 3");
  }
}

TEST(ReferenceScatter, IsTheSameForAnyNumberOfThreads) {
  constexpr int64_t kRows = 40, kColumns = 300, kMany = 900;
  const auto run = [&](int threads, Op op) {
    Rig rig(threads);
    Floats numbers(kMany * kColumns);
    std::vector<int64_t> places(op == Op::ScatterAdd ? numbers.size() : size_t{kMany});
    for (size_t i = 0; i < numbers.size(); ++i) numbers[i] = 1 / static_cast<float>(i + 1);
    for (size_t i = 0; i < places.size(); ++i) places[i] = static_cast<int64_t>(i * i % kRows);
    const Value self = rig.input({kRows, kColumns}, Floats(kRows * kColumns, 1));
    const Value source = rig.input({kMany, kColumns}, numbers);
    const Shape sizes = op == Op::ScatterAdd ? Shape{kMany, kColumns} : Shape{kMany};
    const Value index = rig.input<int64_t>(sizes, places);
    const Value sum = op == Op::EmbeddingBackward ? rig.step(op, {source, index}, {kRows})
                                                  : rig.step(op, {self, index, source}, {0});
    return rig.values<float>(*rig.run(sum));
  };
  for (const Op op : {Op::ScatterAdd, Op::IndexAdd, Op::EmbeddingBackward})
    EXPECT_EQ(run(1, op), run(3, op)) << info(op).name;
}

TEST(ReferenceSliceBackward, PutsTheSliceBackIntoZeros) {
  Rig rig;
  const Value grad = rig.input({2, 2}, Floats{1, 2, 3, 4});
  const Value turned = rig.step(Op::T, {grad});
  rig.expect(rig.step(Op::SliceBackward, {grad}, {1, 5, 1, 3}, {2, 5}), {2, 5},
             Floats{0, 1, 0, 0, 2, 0, 3, 0, 0, 4});
  rig.expect(rig.step(Op::SliceBackward, {turned}, {-2, 9, 0, 1}, {3, 2}), {3, 2},
             Floats{0, 0, 1, 3, 2, 4});
  const Value none = rig.input({0, 2}, Floats{});
  rig.expect(rig.step(Op::SliceBackward, {none}, {1, 1, 0, 1}, {1, 2}), {1, 2}, Floats{0, 0});
  const Value bits = rig.input<bool>({1}, {true});
  rig.expect(rig.step(Op::SliceBackward, {bits}, {1, 2, 0, 1}, {3}), {3},
             std::vector<bool>{false, true, false});
}

/// Every family of kernels reads an expanded value.
TEST(ReferenceExpand, RepeatsWithoutACopy) {
  Rig rig;
  const Value row = rig.input({3}, Floats{1, 2, 3}), column = rig.input({2, 1}, Floats{10, 20});
  const Value rows = rig.step(Op::Expand, {row}, {}, {2, 3});
  const Value columns = rig.step(Op::Expand, {column}, {}, {2, 3});
  const BufferRef view = rig.run(rows);
  EXPECT_EQ(view->data(), rig.inputs[0]->data());
  EXPECT_EQ(to_string(view->strides()), "[0,1]");
  rig.expect(rows, {2, 3}, Floats{1, 2, 3, 1, 2, 3});
  rig.expect(columns, {2, 3}, Floats{10, 10, 10, 20, 20, 20});
  rig.expect(rig.step(Op::Add, {rows, columns}), {2, 3}, Floats{11, 12, 13, 21, 22, 23});
  rig.expect(rig.step(Op::Neg, {rows}), {2, 3}, Floats{-1, -2, -3, -1, -2, -3});
  rig.expect(rig.step(Op::SumDim, {columns}, {1, 0}), {2}, Floats{30, 60});
  rig.expect(rig.step(Op::Contiguous, {columns}), {2, 3}, Floats{10, 10, 10, 20, 20, 20});
  rig.expect(rig.step(Op::Reshape, {columns}, {}, {3, 2}), {3, 2}, Floats{10, 10, 10, 20, 20, 20});
  rig.expect(rig.step(Op::Reshape, {rows}, {}, {6}), {6}, Floats{1, 2, 3, 1, 2, 3});
  rig.expect(rig.step(Op::T, {rows}), {3, 2}, Floats{1, 1, 2, 2, 3, 3});
  rig.expect(rig.step(Op::Slice, {columns}, {0, 3, 1, 2}), {2, 2}, Floats{10, 10, 20, 20});
  rig.expect(rig.step(Op::Cat, {rows, columns}, {0}), {4, 3},
             Floats{1, 2, 3, 1, 2, 3, 10, 10, 10, 20, 20, 20});
  rig.expect(
      rig.step(Op::Softmax, {columns}, {0}), {2, 3},
      Floats{4.5397868e-05f, 4.5397868e-05f, 4.5397868e-05f, .9999546f, .9999546f, .9999546f},
      1e-6);
  const Value cube = rig.step(Op::Expand, {rig.input({}, Floats{2})}, {}, {2, 1, 3});
  rig.expect(rig.step(Op::Reshape, {cube}, {}, {3, 2}), {3, 2}, Floats(6, 2));
  EXPECT_EQ(to_string(rig.run(rig.step(Op::Reshape, {cube}, {}, {3, 2}))->strides()), "[0,0]");
  const Value empty = rig.step(Op::Expand, {column}, {}, {0, 2, 3});
  rig.expect(rig.step(Op::Add, {empty, rows}), {0, 2, 3}, Floats{});
  const Value picks = rig.input<int64_t>({2, 2}, {2, 0, 1, 1});
  rig.expect(rig.step(Op::Gather, {rows, picks}, {1}), {2, 2}, Floats{3, 1, 2, 2});
}

TEST(ReferenceExpand, MultipliesAsItsCopyDoes) {
  for (const int64_t size : {3, 40}) {  // small and large products take different loops of Eigen
    Rig rig;
    Floats numbers(static_cast<size_t>(size * size));
    for (size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<float>(i % 7) - 3;
    const Value matrix = rig.input({size, size}, numbers);
    const Value row = rig.input({size}, Floats(numbers.begin(), numbers.begin() + size));
    const Value column = rig.step(Op::Unsqueeze, {row}, {1});
    const Value number = rig.input({}, Floats{2});
    const auto expect_same = [&](Value a, Value b) {
      const auto copy = [&](Value of) { return rig.step(Op::Clone, {of}); };
      const BufferRef wanted = rig.run(rig.step(Op::Matmul, {copy(a), copy(b)}));
      rig.expect(rig.step(Op::Matmul, {a, b}), Shape(wanted->sizes()), rig.values<float>(*wanted));
    };
    for (const Value from : {row, column, number}) {
      const Value square = rig.step(Op::Expand, {from}, {}, {size, size});
      expect_same(square, matrix);
      expect_same(matrix, square);
      const Value stack = rig.step(Op::Expand, {from}, {}, {2, size, size});
      expect_same(stack, matrix);
      expect_same(matrix, stack);
    }
    const Value vector = rig.step(Op::Expand, {number}, {}, {size});
    expect_same(vector, matrix);
    expect_same(matrix, vector);
    expect_same(vector, row);
  }
}

TEST(ReferenceExpand, ComesInWithItsStrides) {
  Rig rig;
  const Value rows = rig.strided(Floats{1, 2, 3}, {{2, 3}, {0, 1}, 0});
  const Value all = rig.strided(Floats{1, 2, 3}, {{2, 2}, {0, 0}, 1});
  rig.expect(rig.step(Op::Sum, {rows}), {}, Floats{12});
  rig.expect(rig.step(Op::MulScalar, {rows}, {2.0}), {2, 3}, Floats{2, 4, 6, 2, 4, 6});
  rig.expect(rig.step(Op::Matmul, {all, rows}), {2, 3}, Floats{4, 8, 12, 4, 8, 12});
  Doubles wide(4);
  rig.backend->to_host(*rig.inputs[1], DType::F64, wide.data());
  EXPECT_EQ(wide, (Doubles{2, 2, 2, 2}));
}

TEST(ReferenceLinalgBackward, TheCofactorsOfAnyMatrix) {
  Rig rig;
  const Value two = rig.input({}, Doubles{2});
  const auto expect = [&](Shape sizes, const Doubles& matrix, Doubles cofactors) {
    for (double& cofactor : cofactors) cofactor *= 2;
    rig.expect(rig.step(Op::DetBackward, {two, rig.input(sizes, matrix)}), sizes, cofactors, 1e-12);
  };
  expect({3, 3}, {2, 1, 0, -1, 3, 4, .5, -2, 1}, {11, 3, .5, -1, 2, 4.5, 4, -8, 7});
  // Cofactors of singular matrices, for which PyTorch gives zeros.
  expect({3, 3}, {1, 2, 3, 4, 5, 6, 7, 8, 9}, {-3, 6, -3, 6, -12, 6, -3, 6, -3});
  expect({3, 3}, {1, 2, 3, 2, 4, 6, 3, 6, 9}, Doubles(9));
  expect({2, 2}, {1, 2, 2, 4}, {4, -2, -2, 1});
  expect({1, 1}, {0}, {1});
  expect({0, 0}, {}, {});
  const Value wrong = rig.input({1, 1}, Doubles{kNaN});
  rig.expect_failure(rig.step(Op::DetBackward, {two, wrong}), 6,
                     "the matrix has elements that are infinite or not numbers");
}

TEST(ReferenceLinalgBackward, TheGradientOfEigenvalues) {
  Rig rig;
  const auto expect = [&](Shape sizes, const Doubles& grad, const Doubles& matrix,
                          const Doubles& wanted) {
    const Shape values(Sizes(sizes).first(sizes.size() - 1));
    const Value self = rig.input(sizes, matrix), g = rig.input(values, grad);
    rig.expect(rig.step(Op::EigBackward, {g, self}), sizes, wanted, 1e-12);
  };
  expect({2, 2}, {1, 3}, {0, -1, 1, 0}, {2, 0, 0, 2});  // a pair of complex eigenvalues
  expect({3, 3}, {1, 1, 1}, {2, 1, 0, -1, 3, 4, .5, -2, 1}, {1, 0, 0, 0, 1, 0, 0, 0, 1});
  expect({2, 2, 2}, {1, 2, 3, 5}, {2, 1, 0, 3, 1, -2, 3, 1}, {1, 0, 1, 2, 4, 0, 0, 4});
  expect({0, 0}, {}, {}, {});
}

}  // namespace
}  // namespace rt::test
