// training_test.cpp -- a training step is one batch, and a cache hit once that batch is known.
#include <string>

#include "tests/autograd/rig.h"

namespace rt_test {
namespace {

class Training : public AbiTest,
                 public testing::WithParamInterface<std::tuple<const char*, Mlp::Optimizer>> {
 protected:
  void SetUp() override {
    AbiTest::SetUp();
    ASSERT_EQ(rt_torch_set_policy(std::get<0>(GetParam())), 1);
  }
  Mlp mlp_{6, 8, 3, 4, std::get<1>(GetParam())};
};

std::string name_of(const testing::TestParamInfo<std::tuple<const char*, Mlp::Optimizer>>& test) {
  const bool sgd = std::get<1>(test.param) == Mlp::Optimizer::Sgd;
  return std::string(std::get<0>(test.param)) + (sgd ? "_sgd" : "_adam");
}
INSTANTIATE_TEST_SUITE_P(Policies, Training,
                         testing::Combine(testing::Values("observe", "data"),
                                          testing::Values(Mlp::Optimizer::Sgd,
                                                          Mlp::Optimizer::Adam)),
                         name_of);

TEST_P(Training, AStepIsOneBatchAndFromTheFourthOnAHit) {
  double first = 0, last = 0;
  for (int step = 1; step <= 40; ++step) {
    rt_torch_stats_reset();
    const Tensor loss = mlp_.step();
    EXPECT_EQ(stat("batches"), 0) << "inside step " << step;
    last = rt_torch_torchtensor_item(loss);
    if (step == 1) first = last;
    EXPECT_EQ(stat("batches"), 1) << "step " << step;
    EXPECT_EQ(stat("forced_by_read"), 1) << "step " << step;
    EXPECT_EQ(stat("pending_nodes"), 0) << "step " << step;
    EXPECT_TRUE(step < 4 || stat("cache_hits") == 1) << "step " << step;
  }
  EXPECT_LT(last, first / 2);
  EXPECT_EQ(last_error(), "");
}

TEST_P(Training, AChangedLearningRateCompilesNothing) {
  for (int step = 0; step < 3; ++step) rt_torch_torchtensor_item(mlp_.step());
  rt_torch_stats_reset();
  for (int step = 0; step < 20; ++step) {
    const double rate = 0.05 / (1 + step);
    EXPECT_EQ(rt_torch_optimizer_set_lr(mlp_.optimizer(), rate), 0);
    EXPECT_EQ(rt_torch_optimizer_get_lr(mlp_.optimizer()), rate);
    rt_torch_torchtensor_item(mlp_.step());
  }
  EXPECT_EQ(stat("batches"), 20);
  EXPECT_EQ(stat("cache_hits"), 20);
  EXPECT_EQ(stat("cache_misses"), 0);
}

TEST_P(Training, TheRateThatIsSetIsTheOneInUse) {
  rt_torch_torchtensor_item(mlp_.step());
  const auto before = values(mlp_.weight());
  EXPECT_EQ(rt_torch_optimizer_set_lr(mlp_.optimizer(), 0), 0);
  for (int step = 0; step < 5; ++step) rt_torch_torchtensor_item(mlp_.step());
  EXPECT_EQ(values(mlp_.weight()), before);
}

class LossRead : public PolicyTest {};
INSTANTIATE_TEST_SUITE_P(Policies, LossRead, testing::Values("observe", "data"), name_of_policy);

TEST_P(LossRead, BeforeBackwardMakesTwoBatchesThatBothRepeat) {
  const Tensor x = full({3, 2}, 0.5);
  Tensor w = full({2, 2}, 0.25);
  rt_torch_autograd_set_requires_grad(w, 1);
  const int64_t list[] = {w};
  const int64_t optimizer = rt_torch_sgd_new(list, 1, 0.1, 0, 0);
  for (int step = 1; step <= 8; ++step) {
    rt_torch_stats_reset();
    rt_torch_optimizer_zero_grad(optimizer);
    Tensor product = rt_torch_torchtensor_matmul(x, w), bent = rt_torch_torchtensor_tanh(product);
    Tensor loss = rt_torch_torchtensor_mean_tensor(bent);
    rt_torch_torchtensor_item(loss);
    rt_torch_autograd_backward(loss);
    rt_torch_optimizer_step(optimizer);
    rt_torch_flush();
    EXPECT_EQ(stat("batches"), 2);
    EXPECT_TRUE(step < 4 || stat("cache_hits") == 2) << "step " << step;
  }
  EXPECT_EQ(rt_torch_optimizer_free(optimizer), 0);
  EXPECT_EQ(last_error(), "");
}

using LongTraining = AbiTest;

TEST_F(LongTraining, ALoopThatNeverReadsHitsTheCacheFromItsThirdCutOn) {
  rt_torch_set_policy("data");
  Mlp mlp(3, 4, 2, 2, Mlp::Optimizer::Sgd);
  mlp.step();
  rt_torch_flush();  // the first step has another batch, since it has no gradients to clear
  rt_torch_stats_reset();
  for (int step = 0; step < 10'000; ++step) mlp.step();
  const int64_t cuts = stat("forced_by_limit");
  EXPECT_EQ(stat("batches"), cuts);
  EXPECT_GE(cuts, 3);
  EXPECT_GE(stat("cache_hits"), cuts - 2);
  rt_torch_flush();
  EXPECT_EQ(last_error(), "");
}

}  // namespace
}  // namespace rt_test
