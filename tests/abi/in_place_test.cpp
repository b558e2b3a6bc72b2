// in_place_test.cpp -- batch_norm in training changes its statistics and all aliases of them.
#include <cmath>
#include <vector>

#include "tests/abi/rig.h"

namespace rt_test {
namespace {

class InPlace : public PolicyTest {
 protected:
  int64_t train(int64_t input, int64_t mean, int64_t var, double momentum = 0.5) {
    return keep(rt_torch_nn_batch_norm(input, mean, var, 0, 0, 1, momentum, 1e-5));
  }

  // Two channels: means 2 and 20, unbiased variances 2 and 200.
  int64_t input() { return tensor({1, 10, 3, 30}, {2, 2}); }
};

INSTANTIATE_TEST_SUITE_P(Policies, InPlace, each_policy(), name_of_policy);

TEST_P(InPlace, StatisticsMoveTowardsTheBatch) {
  const int64_t x = input(), mean = tensor({0, 4}, {2}), var = tensor({1, 1}, {2});
  const int64_t out = train(x, mean, var, 0.25);
  EXPECT_THAT(read(mean), near({0.5, 8}));
  EXPECT_THAT(read(var), near({1.25, 50.75}));
  const double small = 1 / std::sqrt(1 + 1e-5), large = 10 / std::sqrt(100 + 1e-5);
  EXPECT_THAT(read(out), near({-small, -large, small, large}));
  train(x, mean, var, 1);
  EXPECT_THAT(read(mean), near({2, 20}));
  EXPECT_THAT(read(var), near({2, 200}));
}

TEST_P(InPlace, ManyStepsAreOneBatch) {
  const int64_t x = input(), mean = tensor({0, 0}, {2}), var = tensor({0, 0}, {2});
  rt_torch_flush();
  rt_torch_stats_reset();
  for (int i = 0; i < 3; ++i) train(x, mean, var);
  if (!is_eager()) {
    EXPECT_EQ(rt_torch_stat("batches"), 0);
    EXPECT_EQ(rt_torch_stat("calls"), 3);
  }
  EXPECT_THAT(read(mean), near({1.75, 17.5}));
  EXPECT_THAT(read(var), near({1.75, 175}));
}

TEST_P(InPlace, WhatWasComputedBeforeStays) {
  const int64_t x = input(), mean = tensor({0, 0}, {2}), var = tensor({1, 1}, {2});
  const int64_t before = keep(rt_torch_torchtensor_add_scalar(mean, 1));
  const int64_t copy = keep(rt_torch_torchtensor_clone(mean));
  train(x, mean, var);
  EXPECT_THAT(read(before), near({1, 1}));
  EXPECT_THAT(read(copy), near({0, 0}));
}

TEST_P(InPlace, ViewsOfStatisticsSeeTheNewNumbers) {
  const int64_t x = input(), mean = tensor({0, 0}, {2}), var = tensor({1, 1}, {2});
  const int64_t turned = keep(rt_torch_torchtensor_reshape_2d(mean, 2, 1));
  const int64_t second = keep(rt_torch_torchtensor_slice(mean, 0, 1, 2, 1));
  const int64_t same = keep(rt_torch_torchtensor_contiguous(mean));
  train(x, mean, var);
  train(x, mean, var);
  EXPECT_THAT(read(mean), near({1.5, 15}));
  EXPECT_THAT(read(turned), near({1.5, 15}));
  EXPECT_THAT(read(second), near({15}));
  EXPECT_THAT(read(same), near({1.5, 15}));
  int64_t sizes[2] = {};
  EXPECT_EQ(rt_torch_torchtensor_shape(turned, sizes, 2), 2);
  EXPECT_EQ(sizes[0], 2);
}

TEST_P(InPlace, ViewsOfPendingStatisticsSeeThemToo) {
  const int64_t x = input(), var = tensor({1, 1}, {2});
  const int64_t mean = keep(rt_torch_torchtensor_mul_scalar(var, 0));
  const int64_t second = keep(rt_torch_torchtensor_slice(mean, 0, 1, 2, 1));
  train(x, mean, var);
  EXPECT_THAT(read(second), near({10}));
  EXPECT_THAT(read(mean), near({1, 10}));
}

TEST_P(InPlace, StatisticsThatAreViewsChangeWhatTheyView) {
  const int64_t x = input(), all = tensor({9, 1, 9, 9, 1, 9}, {2, 3});
  const int64_t column = keep(rt_torch_torchtensor_slice(all, 1, 1, 2, 1));
  const int64_t var = keep(rt_torch_torchtensor_flatten(tensor({0, 0}, {2, 1})));
  const int64_t mean = keep(rt_torch_torchtensor_squeeze(column));
  train(x, mean, var);
  EXPECT_THAT(read(all), near({9, 1.5, 9, 9, 10.5, 9}));
  EXPECT_THAT(read(mean), near({1.5, 10.5}));
  EXPECT_THAT(read(column), near({1.5, 10.5}));
}

TEST_P(InPlace, StatisticsThatArePendingViewsChangeWhatTheyView) {
  const int64_t x = input(), ones = tensor({1, 1, 1, 1, 1, 1}, {2, 3}), var = tensor({1, 1}, {2});
  const int64_t all = keep(rt_torch_torchtensor_mul_scalar(ones, 9));
  const int64_t row = keep(rt_torch_torchtensor_slice(all, 0, 1, 2, 1));
  const int64_t mean =
      keep(rt_torch_torchtensor_flatten(keep(rt_torch_torchtensor_slice(row, 1, 0, 3, 2))));
  const int64_t separate = keep(rt_torch_torchtensor_clone(all));
  train(x, mean, var);
  // flatten of a row with gaps is still a view, because its strides allow it.
  EXPECT_THAT(read(mean), near({5.5, 14.5}));
  EXPECT_THAT(read(all), near({9, 9, 9, 5.5, 9, 14.5}));
  EXPECT_THAT(read(row), near({5.5, 9, 14.5}));
  EXPECT_THAT(read(separate), near({9, 9, 9, 9, 9, 9}));
}

// Equal computations run once, but their results must not share memory.
TEST_P(InPlace, EqualValuesThatAreNotViewsStayApart) {
  const int64_t x = input(), zero = tensor({0, 0}, {2}), var = tensor({1, 1}, {2});
  const auto make = [&] { return keep(rt_torch_torchtensor_mul(zero, var)); };
  for (int i = 0; i < 3; ++i) {
    const int64_t mean = make(), other = make();
    rt_torch_flush();
    train(x, mean, var);
    EXPECT_THAT(read(mean), near({1, 10}));
    EXPECT_THAT(read(other), near({0, 0}));
  }
}

TEST_P(InPlace, EvaluationAndEmptyBatchesTeachNothing) {
  const int64_t mean = tensor({3, 4}, {2}), var = tensor({5, 6}, {2});
  keep(rt_torch_nn_batch_norm(input(), mean, var, 0, 0, 0, 0.5, 1e-5));
  train(tensor({}, {0, 2}), mean, var);
  EXPECT_THAT(read(mean), near({3, 4}));
  EXPECT_THAT(read(var), near({5, 6}));
}

TEST_P(InPlace, ARefusedCallChangesNothing) {
  const int64_t mean = tensor({3, 4}, {2}), var = tensor({5, 6, 7}, {3});
  EXPECT_EQ(rt_torch_nn_batch_norm(input(), mean, var, 0, 0, 1, 0.5, 1e-5), 0);
  EXPECT_THAT(last_error(), testing::StartsWith("rt_torch_nn_batch_norm(input=#"));
  EXPECT_THAT(last_error(), testing::HasSubstr("running_var is [3]; it must be [2]"));
  rt_torch_clear_error();
  EXPECT_THAT(read(mean), near({3, 4}));
}

TEST_P(InPlace, HandlesAreFreedInAnyOrder) {
  const int64_t live = rt_torch_live_handles();
  const int64_t x = input(), mean = tensor({0, 0}, {2}), var = tensor({1, 1}, {2});
  const int64_t view = rt_torch_torchtensor_reshape_2d(mean, 2, 1);
  const int64_t out = rt_torch_nn_batch_norm(x, mean, var, 0, 0, 1, 0.5, 1e-5);
  rt_torch_torchtensor_free(mean);
  rt_torch_torchtensor_free(var);
  EXPECT_THAT(read(view), near({1, 10}));
  rt_torch_torchtensor_free(out);
  rt_torch_torchtensor_free(view);
  handles_ = {x};
  EXPECT_EQ(rt_torch_live_handles(), live + 1);
  EXPECT_EQ(rt_torch_pending(), 0);
}

}  // namespace
}  // namespace rt_test
