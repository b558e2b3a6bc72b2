// vjp_shapes_test.cpp -- gradients of products, views, indexing, joining and linear algebra, beyond
// the rows' samples.
#include "tests/graph/vjp_rig.h"

namespace rt::test {
namespace {

TEST(VjpMatmul, OperandsOfAllRanks) {
  const std::vector<std::pair<std::vector<int64_t>, std::vector<int64_t>>> sizes = {
      {{3}, {3}},
      {{2, 3}, {3}},
      {{3}, {3, 2}},
      {{2, 3}, {3, 4}},
      {{5, 2, 3}, {3}},
      {{3}, {5, 3, 2}},
      {{5, 2, 3}, {5, 3, 4}},
      {{5, 2, 3}, {3, 4}},
      {{2, 3}, {5, 3, 4}},
      {{1}, {1}},
      {{4, 1, 2, 3}, {5, 3, 2}}};
  for (const auto& [a, b] : sizes) {
    SCOPED_TRACE(to_string(a) + " x " + to_string(b));
    expect_gradients(grad_case(Op::Matmul, {{a}, {b}}));
  }
}

TEST(VjpMatmul, WithoutElements) {
  const GradCase none = grad_case(Op::Matmul, {{{2, 0}}, {{0, 3}}});
  expect_gradient(none, 0, {});
  expect_gradient(none, 1, {});
  const GradCase rows = grad_case(Op::Matmul, {{{4, 0, 3}}, {{3, 2}}});
  expect_gradient(rows, 1, std::vector<double>(6));
}

TEST(VjpViews, OfAnyOrder) {
  expect_gradients(grad_case(Op::Permute, {{{2, 3, 4}}}, {3, 1, 2, 0}));
  expect_gradients(grad_case(Op::Transpose, {{{2, 3, 4}}}, {-1, 0}));
  expect_gradients(grad_case(Op::Transpose, {{{}}}, {0, 0}));
  expect_gradients(grad_case(Op::T, {{{3}}}));
  expect_gradients(grad_case(Op::Squeeze, {{{1, 3, 1}}}));
  expect_gradients(grad_case(Op::SqueezeDim, {{{1, 3, 1}}}, {-1}));
  expect_gradients(grad_case(Op::Expand, {{{3, 1}}}, {}, {2, 3, 4}));
  expect_gradients(grad_case(Op::Expand, {{{}}}, {}, {2, 2}));
  expect_gradient(grad_case(Op::Expand, {{{2, 1}}}, {}, {2, 0}), 0, {0, 0});
}

TEST(VjpSlice, StepsAndBoundsFromTheEnd) {
  expect_gradients(grad_case(Op::Slice, {{{3, 7}}}, {-6, 100, 1, 3}));
  expect_gradients(grad_case(Op::Slice, {{{3, 7}}}, {2, 1, 0, 1}));
}

TEST(VjpPicking, WhatIsPickedTwiceGetsBoth) {
  const GradOperand twice = {{3}, {2, 0, 2}, DType::I64};
  expect_gradients(grad_case(Op::IndexSelect, {{{2, 3, 2}}, twice}, {1}));
  expect_gradients(grad_case(Op::IndexSelect, {{{}}, {{1}, {0}, DType::I32}}, {0}));
  const GradOperand index = {{4, 1, 2}, {0, 1, 2, 1, 0, 1, 0, 0}, DType::I64};
  expect_gradients(grad_case(Op::Gather, {{{3, 2, 2}}, index}, {0}));
  expect_gradients(grad_case(Op::Gather, {{{}}, {{3}, {0, 0, 0}, DType::I64}}, {0}));
  expect_gradient(grad_case(Op::Gather, {{{1, 2}}, {{0}, {}, DType::I64}}, {0}), 0, {0, 0});
}

TEST(VjpJoining, PartsOfAnySize) {
  expect_gradients(grad_case(Op::Cat, {{{2, 1}}, {{2, 3}}, {{2, 0}}, {{2, 2}}}, {-1}));
  // As in PyTorch, an empty 1-D tensor can be joined with any other.
  const GradCase with_nothing = grad_case(Op::Cat, {{{2, 2}}, {{0}}, {{1, 2}}}, {0});
  expect_gradients(with_nothing);
  expect_gradients(grad_case(Op::Cat, {{{2}}, {{2}, {}, DType::F32}, {{1}, {3}, DType::I64}}, {0}));
  expect_gradients(grad_case(Op::Stack, {{{2, 3}}, {{2, 3}}, {{2, 3}}}, {1}));
  expect_gradients(grad_case(Op::Stack, {{{}}, {{}}}, {0}));
}

TEST(VjpMostAlongDim, GoesToTheFirstOfEqualsAndToNaN) {
  const double nan = std::nan("");
  const std::vector<double> numbers = {1, 1, 0, 2, 2, 2, 0, nan, 1};
  for (const int keepdim : {0, 1}) {
    const auto weight = [](int i) { return 1 + 0.25 * std::sin(i + 1); };
    expect_gradient(grad_case(Op::MaxDim, {{{3, 3}, numbers}}, {1, keepdim}), 0,
                    {weight(0), 0, 0, weight(1), 0, 0, 0, weight(2), 0});
    expect_gradient(grad_case(Op::MinDim, {{{3, 3}, numbers}}, {0, keepdim}), 0,
                    {0, 0, weight(2), 0, 0, 0, weight(0), weight(1), 0});
  }
  expect_gradients(grad_case(Op::MaxDim, {{{2, 3, 4}}}, {1, 0}));
  expect_gradients(grad_case(Op::MinDim, {{{}}}, {0, 0}));
}

const std::vector<double> kSquares = {2, 1, 0, -1, 3, 4, .5, -2, 1, 1, 2, 3, 4, -5, 6, 7, 8, 10};

TEST(VjpLinalg, OfOneMatrixAndOfMany) {
  const GradOperand one = {{3, 3}, {kSquares.begin(), kSquares.begin() + 9}};
  const GradOperand many = {{2, 3, 3}, kSquares};
  expect_gradients(grad_case(Op::Det, {one}));
  for (const GradOperand& squares : {one, many}) {
    expect_gradients(grad_case(Op::Inverse, {squares}));
    expect_gradients(grad_case(Op::Eig, {squares}));
  }
  expect_gradient(grad_case(Op::Eig, {{{2, 2}, {0, -1, 1, 0}}}), 0,
                  {1 + (std::sin(1) + std::sin(2)) / 8, 0, 0, 1 + (std::sin(1) + std::sin(2)) / 8});
  expect_gradient(grad_case(Op::Inverse, {{{0, 0}}}), 0, {});
}

TEST(VjpLinalg, TheDeterminantOfASingularMatrixHasAGradient) {
  const double weight = 1 + 0.25 * std::sin(1);
  expect_gradient(grad_case(Op::Det, {{{2, 2}, {1, 2, 2, 4}}}), 0,
                  {4 * weight, -2 * weight, -2 * weight, weight});
  expect_gradient(grad_case(Op::Det, {{{0, 0}}}), 0, {});
}

TEST(VjpLinalgSolve, VectorsMatricesAndBroadcastBatches) {
  const GradOperand one = {{3, 3}, {kSquares.begin(), kSquares.begin() + 9}};
  const GradOperand many = {{2, 3, 3}, kSquares};
  const std::vector<int64_t> for_one[] = {{3}, {3, 1}, {3, 2}, {2, 3, 2}};
  for (const auto& sizes : for_one) expect_gradients(grad_case(Op::LinalgSolve, {one, {sizes}}));
  const std::vector<int64_t> for_many[] = {{3}, {2, 3}, {3, 2}, {2, 3, 2}, {4, 1, 3, 2}};
  for (const auto& sizes : for_many) {
    SCOPED_TRACE(to_string(sizes));
    expect_gradients(grad_case(Op::LinalgSolve, {many, {sizes}}));
  }
}

TEST(VjpSvd, TallWideSquareAndMany) {
  const std::vector<int64_t> sizes[] = {{3, 3}, {5, 3}, {3, 5}, {2, 4, 3}, {2, 2, 4}, {4, 1}};
  for (const auto& of : sizes) {
    SCOPED_TRACE(to_string(of));
    expect_gradients(grad_case(Op::Svd, {{of}}), 1e-5);
  }
  expect_gradient(grad_case(Op::Svd, {{{3, 0}}}), 0, {});
}

}  // namespace
}  // namespace rt::test
