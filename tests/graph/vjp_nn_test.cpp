// vjp_nn_test.cpp -- gradients of layers in all their forms.
#include "tests/graph/vjp_rig.h"

namespace rt::test {
namespace {

TEST(LinearGradient, TakesInputsAndWeightsOfAnyRank) {
  expect_gradients(grad_case(Op::Linear, {{{3}}, {{2, 3}}, {{2}}}));
  expect_gradients(grad_case(Op::Linear, {{{4, 3}}, {{2, 3}}, {{4, 1}}}));
  expect_gradients(grad_case(Op::Linear, {{{2, 2, 3}}, {{5, 3}}, {{5}}}));
  expect_gradients(grad_case(Op::Linear, {{{2, 1, 2, 3}}, {{2, 3}}, {.sizes = {}, .none = true}}));
  expect_gradients(grad_case(Op::Linear, {{{3}}, {{3}}, {.sizes = {}, .none = true}}));
  expect_gradients(grad_case(Op::Linear, {{{2, 4, 3}}, {{3}}, {.sizes = {}, .none = true}}));
  expect_gradients(grad_case(Op::Linear, {{{0, 3}}, {{2, 3}}, {{2}}}));
  expect_gradients(grad_case(Op::Linear, {{{2, 0}}, {{3, 0}}, {{3}}}));
}

TEST(Conv2dGradient, TakesStridesPaddingDilationGroupsAndOneImage) {
  const auto check = [](std::vector<GradOperand> operands, int64_t groups, int64_t stride,
                        int64_t padding, int64_t dilation) {
    expect_gradients(grad_case(Op::Conv2d, std::move(operands),
                               {groups, 2, stride, 1, 2, padding, 0, 2, dilation, 1}));
  };
  check({{{2, 2, 4, 4}}, {{3, 2, 3, 2}}, {{3}}}, 1, 1, 0, 1);
  check({{{2, 2, 5, 4}}, {{3, 2, 2, 2}}, {{3}}}, 1, 2, 1, 1);
  check({{{1, 4, 5, 4}}, {{6, 2, 2, 2}}, {{6}}}, 2, 1, 2, 2);
  check({{{3, 5, 4}}, {{2, 3, 2, 3}}, {.sizes = {}, .none = true}}, 1, 2, 0, 1);
  check({{{2, 3, 3, 2}}, {{2, 3, 1, 1}}, {{2}}}, 1, 1, 0, 1);
  check({{{0, 2, 4, 4}}, {{3, 2, 3, 2}}, {{3}}}, 1, 1, 0, 1);
  check({{{0, 4, 4}}, {{3, 0, 3, 2}}, {{3}}}, 1, 1, 0, 1);
  check({{{2, 0, 4, 4}}, {{3, 0, 3, 2}}, {{3}}}, 1, 1, 0, 1);
}

TEST(PoolGradient, TakesWindowsThatOverlapAndReachOverTheEdge) {
  for (const Op op : {Op::MaxPool2d, Op::AvgPool2d})
    for (const std::vector<int64_t>& sizes : {std::vector<int64_t>{2, 2, 5, 6}, {2, 4, 5}}) {
      expect_gradients(grad_case(op, {{sizes}}, {2, 2, 3, 2, 1, 2, 2, 1, 1}));
      expect_gradients(grad_case(op, {{sizes}}, {2, 2, 2, 0, 2, 0, 0}));
      expect_gradients(grad_case(op, {{sizes}}, {2, 1, 2, 2, 3, 3, 2, 0, 1}));
    }
}

const GradOperand kStatistic{.sizes = {3}, .constant = true};

TEST(NormGradient, TakesWeightAndBiasOrNeither) {
  const GradOperand none{.sizes = {}, .none = true};
  expect_gradients(grad_case(Op::LayerNorm, {{{2, 3, 4}}, {{4}}, {{4}}}, {0.1, 1, 4}));
  expect_gradients(grad_case(Op::LayerNorm, {{{2, 3, 4}}, {{3, 4}}, none}, {0.1, 2, 3, 4}));
  expect_gradients(grad_case(Op::LayerNorm, {{{5}}, none, {{5}}}, {0.1, 1, 5}));
  expect_gradients(grad_case(Op::LayerNorm, {{{0, 3}}, {{3}}, {{3}}}, {0.1, 1, 3}));
  expect_gradients(grad_case(Op::BatchNormOfBatch, {{{4, 3}}, {{3}}, {{3}}}, {0.1}));
  expect_gradients(grad_case(Op::BatchNormOfBatch, {{{2, 3, 2, 2}}, {{3}}, none}, {0.1}));
  expect_gradients(grad_case(Op::BatchNormOfBatch, {{{2, 3, 4}}, none, {{3, 1}}}, {0.1}));
  expect_gradients(
      grad_case(Op::BatchNorm, {{{4, 3}}, {{3}}, {{3}}, kStatistic, kStatistic}, {0.1}));
  expect_gradients(
      grad_case(Op::BatchNorm, {{{1, 3, 2, 2}}, none, {{1, 3}}, kStatistic, kStatistic}, {0.1}));
  expect_gradients(
      grad_case(Op::BatchNorm, {{{0, 3, 2, 2}}, {{3}}, {{3}}, kStatistic, kStatistic}, {0.1}));
  expect_gradients(grad_case(Op::BatchNorm, {{{0, 3}}, {{3}}, {{3}}, none, none}, {0.1}));
}

TEST(DropoutGradient, IsTheMask) {
  expect_gradients(grad_case(Op::Dropout, {{{4, 6}}}, {0.4, 1}));
  expect_gradients(grad_case(Op::Dropout, {{{4, 6}}}, {1.0, 1}));
  expect_gradients(grad_case(Op::Dropout, {{{4, 6}}}, {0.4, 0}));
}

}  // namespace
}  // namespace rt::test
