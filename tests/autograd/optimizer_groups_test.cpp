// optimizer_groups_test.cpp -- groups of parameters, hyperparameters by name, and schedules.
#include <cmath>
#include <string>

#include "tests/autograd/rig.h"

namespace rt_test {
namespace {

class OptimizerGroups : public GradTest {
 protected:
  void TearDown() override {
    if (optimizer_ > 0) {
      EXPECT_EQ(rt_torch_optimizer_free(optimizer_), 0);
    }
    GradTest::TearDown();
  }
  int64_t sgd(int64_t parameter, double rate) {
    return optimizer_ = rt_torch_sgd_new(&parameter, 1, rate, 0, 0);
  }
  static std::string take_error() {
    std::string text = last_error();
    rt_torch_clear_error();
    return text;
  }
  /// The rates of the current step and of the next ones.
  std::vector<double> rates(int count) {
    std::vector<double> all = {rt_torch_optimizer_get_lr(optimizer_)};
    while (static_cast<int>(all.size()) < count)
      all.push_back(rt_torch_optimizer_schedule_advance(optimizer_));
    return all;
  }
  int64_t optimizer_ = 0;
};
INSTANTIATE_TEST_SUITE_P(Policies, OptimizerGroups, each_policy(), name_of_policy);

TEST_P(OptimizerGroups, HaveTheirOwnHyperparameters) {
  const int64_t a = leaf({1, 2}), b = leaf({1, 2}), c = leaf({4});
  sgd(a, 0.1);
  EXPECT_EQ(rt_torch_optimizer_add_param_group(optimizer_, &b, 1), 1);
  EXPECT_EQ(rt_torch_optimizer_set_option(optimizer_, 1, "learning_rate", 0.25), 0);
  EXPECT_EQ(rt_torch_optimizer_add_param_group(optimizer_, &c, 1), 2);
  EXPECT_EQ(rt_torch_optimizer_set_option(optimizer_, 2, "weight_decay", 0.5), 0);
  EXPECT_EQ(rt_torch_optimizer_get_option(optimizer_, 0, "learning_rate"), 0.1);
  EXPECT_EQ(rt_torch_optimizer_get_option(optimizer_, 1, "learning_rate"), 0.25);
  EXPECT_EQ(rt_torch_optimizer_get_option(optimizer_, 2, "learning_rate"), 0.1);
  for (const int64_t one : {a, b, c}) backward_of_sum(square(one));
  EXPECT_EQ(rt_torch_optimizer_step(optimizer_), 0) << last_error();
  EXPECT_THAT(read(a), near({0.8, 1.6}));
  EXPECT_THAT(read(b), near({0.5, 1}));
  EXPECT_THAT(read(c), near({4 - 0.1 * (8 + 0.5 * 4)}));
  EXPECT_EQ(rt_torch_optimizer_set_option(optimizer_, -1, "maximize", 1), 0);
  EXPECT_EQ(rt_torch_optimizer_set_lr(optimizer_, 0.5), 0);
  EXPECT_EQ(rt_torch_optimizer_get_option(optimizer_, 2, "learning_rate"), 0.5);
  EXPECT_EQ(rt_torch_optimizer_zero_grad(optimizer_), 0);
  backward_of_sum(square(a));
  EXPECT_EQ(rt_torch_optimizer_step(optimizer_), 0) << last_error();
  EXPECT_THAT(read(a), near({1.6, 3.2}));
}

TEST_P(OptimizerGroups, AreRefusedWhereTheyCannotBe) {
  const int64_t a = leaf({1}), computed = square(a);
  sgd(a, 0.1);
  const auto refused = [&](int64_t result, const char* why) {
    EXPECT_EQ(result, -1);
    EXPECT_THAT(take_error(), testing::HasSubstr(why));
  };
  refused(rt_torch_optimizer_add_param_group(optimizer_, &a, 1), "is also parameter 0");
  refused(rt_torch_optimizer_add_param_group(optimizer_, &computed, 1), "was computed");
  refused(rt_torch_optimizer_add_param_group(optimizer_, nullptr, 0), "parameters is empty");
  refused(rt_torch_optimizer_set_option(optimizer_, 1, "momentum", 0.5), "group is 1");
  refused(rt_torch_optimizer_set_option(optimizer_, 0, "beta1", 0.5), "it has learning_rate");
  refused(rt_torch_optimizer_set_option(optimizer_, 0, "momentum", -1), "at least 0");
  refused(rt_torch_optimizer_set_option(optimizer_, 0, "nesterov", 1), "needs a momentum");
  refused(rt_torch_optimizer_set_option(optimizer_, 0, "maximize", 0.5), "0 or 1");
  EXPECT_TRUE(std::isnan(rt_torch_optimizer_get_option(optimizer_, 0, "betas")));
  EXPECT_THAT(take_error(), testing::HasSubstr("has no hyperparameter betas"));
  refused(rt_torch_optimizer_schedule_step(optimizer_, 0, 0.5, 0), "at least 1");
  refused(rt_torch_optimizer_schedule_cosine(optimizer_, 5, -1, 0), "eta_min is -1");
  refused(rt_torch_optimizer_schedule_cosine(optimizer_, 5, 0, -1), "warmup_steps is -1");
  refused(rt_torch_optimizer_schedule_one_cycle(optimizer_, 1, 5, 2, 25, 1e4), "pct_start is 2");
  EXPECT_THAT(rates(2), near({0.1, 0.1})) << "nothing has changed";
}

// The numbers are those of torch.optim.lr_scheduler in PyTorch 2.11.
TEST_P(OptimizerGroups, FollowPyTorchsSchedules) {
  sgd(leaf({1}), 0.8);
  EXPECT_EQ(rt_torch_optimizer_schedule_step(optimizer_, 2, 0.5, 0), 0);
  EXPECT_THAT(rates(6), near({0.8, 0.8, 0.4, 0.4, 0.2, 0.2}));
  EXPECT_EQ(rt_torch_optimizer_set_lr(optimizer_, 0.8), 0);
  EXPECT_EQ(rt_torch_optimizer_schedule_exponential(optimizer_, 0.5, 0), 0);
  EXPECT_THAT(rates(4), near({0.8, 0.4, 0.2, 0.1}));
  EXPECT_EQ(rt_torch_optimizer_set_lr(optimizer_, 0.8), 0);
  EXPECT_EQ(rt_torch_optimizer_schedule_cosine(optimizer_, 4, 0.1, 0), 0);
  EXPECT_THAT(rates(6), near({0.8, 0.697487373415292, 0.45, 0.202512626584708, 0.1, 0.1}));
  EXPECT_EQ(rt_torch_optimizer_set_lr(optimizer_, 0.8), 0);
  EXPECT_EQ(rt_torch_optimizer_schedule_linear(optimizer_, 0.25, 1, 3), 0);
  EXPECT_THAT(rates(5), near({0.2, 0.4, 0.6, 0.8, 0.8}));
  EXPECT_EQ(rt_torch_optimizer_schedule_one_cycle(optimizer_, 1, 10, 0.3, 25, 1e4), 0);
  EXPECT_THAT(rates(10),
              near({0.04, 0.52, 1, 0.950484632013474, 0.811745653949763, 0.611262021936289,
                    0.388741978063711, 0.188258346050237, 0.0495193679865263, 4e-06}));
}

TEST_P(OptimizerGroups, WarmUpBeforeTheSchedule) {
  sgd(leaf({1}), 0.8);
  EXPECT_EQ(rt_torch_optimizer_schedule_step(optimizer_, 1, 0.5, 4), 0);
  EXPECT_THAT(rates(7), near({0.2, 0.4, 0.6, 0.8, 0.8, 0.4, 0.2}));
}

}  // namespace
}  // namespace rt_test
