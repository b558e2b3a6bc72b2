// optimizer_calls_test.cpp -- optimizers and the handles of their parameters, learning rates, and
// refused arguments.
#include <cmath>
#include <limits>

#include "tests/autograd/rig.h"

namespace rt_test {
namespace {

class OptimizerCalls : public GradTest {
 protected:
  void TearDown() override {
    for (const int64_t optimizer : optimizers_) EXPECT_EQ(rt_torch_optimizer_free(optimizer), 0);
    GradTest::TearDown();
  }
  int64_t sgd(std::vector<int64_t> parameters, double rate = 0.1, double momentum = 0) {
    optimizers_.push_back(rt_torch_sgd_new(
        parameters.data(), static_cast<int64_t>(parameters.size()), rate, momentum, 0));
    EXPECT_GT(optimizers_.back(), 0) << last_error();
    return optimizers_.back();
  }
  void step(int64_t optimizer) { EXPECT_EQ(rt_torch_optimizer_step(optimizer), 0) << last_error(); }

  std::vector<int64_t> optimizers_;
};
INSTANTIATE_TEST_SUITE_P(Policies, OptimizerCalls, each_policy(), name_of_policy);

// ---- Parameters and their aliases -------------------------------------------

TEST_P(OptimizerCalls, AStepRebindsTheHandle) {
  const int64_t p = leaf({1, 2}), twice = scaled(p, 2), optimizer = sgd({p});
  backward_of_sum(square(p));
  const int64_t gradient = keep(rt_torch_autograd_grad(p));
  step(optimizer);
  EXPECT_THAT(read(p), near({0.8, 1.6}));
  EXPECT_THAT(read(twice), near({2, 4})) << "computed before";
  EXPECT_THAT(read(gradient), near({2, 4}));
  EXPECT_EQ(rt_torch_autograd_requires_grad(p), 1);
  EXPECT_THAT(grad(p), near({2, 4})) << "moves along";
  backward_of_sum(square(p));
  EXPECT_THAT(grad(p), near({3.6, 7.2})) << "of the new value, added up";
  EXPECT_EQ(rt_torch_optimizer_zero_grad(optimizer), 0);
  EXPECT_THAT(grad(p), near({0, 0}));
}

TEST_P(OptimizerCalls, AStepIsNotPartOfTheGraph) {
  const int64_t p = leaf({1, 2}), optimizer = sgd({p});
  for (int i = 0; i < 3; ++i) {
    backward_of_sum(square(p));
    step(optimizer);
    EXPECT_EQ(rt_torch_optimizer_zero_grad(optimizer), 0);
  }
  EXPECT_THAT(read(p), near({0.512, 1.024}));
  rt_torch_autograd_set_requires_grad(p, 0);  // allowed for leaves only: the parameter still is one
}

TEST_P(OptimizerCalls, ParametersWithoutAGradientStay) {
  const int64_t p = leaf({1, 2}), unused = leaf({3}), optimizer = sgd({unused, p});
  step(optimizer);
  EXPECT_THAT(read(p), near({1, 2}));
  backward_of_sum(square(p));
  step(optimizer);
  EXPECT_THAT(read(p), near({0.8, 1.6}));
  EXPECT_THAT(read(unused), near({3}));
}

TEST_P(OptimizerCalls, ViewsOfAParameterSeeTheStep) {
  const int64_t p = leaf({1, 2, 3, 4}, {2, 2}), optimizer = sgd({p});
  const int64_t row = keep(rt_torch_torchtensor_slice(p, 0, 1, 2, 1));
  const int64_t turned = keep(rt_torch_torchtensor_t(p));
  const int64_t constant = keep(rt_torch_autograd_detach(p));
  const int64_t copy = keep(rt_torch_torchtensor_clone(p));
  for (int i = 0; i < 2; ++i) {
    backward_of_sum(square(p));
    step(optimizer);
    EXPECT_EQ(rt_torch_optimizer_zero_grad(optimizer), 0);
  }
  EXPECT_THAT(read(p), near({0.64, 1.28, 1.92, 2.56}));
  EXPECT_THAT(read(row), near({1.92, 2.56}));
  EXPECT_THAT(read(turned), near({0.64, 1.92, 1.28, 2.56}));
  EXPECT_THAT(read(constant), near({0.64, 1.28, 1.92, 2.56}));
  EXPECT_THAT(read(copy), near({1, 2, 3, 4}));
}

TEST_P(OptimizerCalls, AParameterThatIsAViewChangesWhatItViews) {
  const int64_t all = tensor({1, 2, 3, 4}, {2, 2});
  const int64_t column = mark(keep(rt_torch_torchtensor_slice(all, 1, 1, 2, 1)));
  const int64_t optimizer = sgd({column});
  backward_of_sum(square(column));
  step(optimizer);
  EXPECT_THAT(read(column), near({1.6, 3.2}));
  EXPECT_THAT(read(all), near({1, 1.6, 3, 3.2}));
}

TEST_P(OptimizerCalls, APendingParameterTrains) {
  const int64_t p = mark(scaled(tensor({1, 2}, {2}), 3)), optimizer = sgd({p}, 0.1, 0.5);
  for (int i = 0; i < 2; ++i) {
    backward_of_sum(scaled(p, 1));
    step(optimizer);
    EXPECT_EQ(rt_torch_optimizer_zero_grad(optimizer), 0);
  }
  EXPECT_THAT(read(p), near({2.75, 5.75}));
}

TEST_P(OptimizerCalls, TwoOptimizersOverOneParameter) {
  const int64_t p = leaf({1, 2}), first = sgd({p}, 0.1), second = sgd({p}, 0.2, 0.9);
  backward_of_sum(scaled(p, 1));
  step(first);
  step(second);
  EXPECT_THAT(read(p), near({0.7, 1.7}));
}

TEST_P(OptimizerCalls, FreedParametersAreNoHarm) {
  const int64_t p = leaf({1, 2});
  Tensor gone = rt_torch_torchtensor_clone(tensor({3, 4}, {2}));
  rt_torch_autograd_set_requires_grad(gone, 1);
  const int64_t optimizer = sgd({gone, p}, 0.1, 0.9);
  backward_of_sum(mul(p, gone));
  step(optimizer);
  backward_of_sum(mul(p, gone));
  gone.free();
  step(optimizer);
  EXPECT_THAT(read(p),
              near({1 - 0.3 - 0.1 * (0.9 * 3 + 3 + 2.9), 2 - 0.4 - 0.1 * (3.6 + 4 + 3.8)}));
  EXPECT_EQ(rt_torch_optimizer_zero_grad(optimizer), 0);
}

TEST_P(OptimizerCalls, AParameterIsItsLeafWhateverHandleIsFreed) {
  const int64_t live = rt_torch_live_handles();
  Tensor given = rt_torch_torchtensor_clone(tensor({3, 4}, {2}));
  mark(given);
  Tensor other = rt_torch_torchtensor_contiguous(given);  // the same leaf, as in PyTorch
  const int64_t optimizer = sgd({given}, 0.1, 0.9);
  backward_of_sum(square(other));
  step(optimizer);
  EXPECT_THAT(read(other), near({2.4, 3.2}));
  given.free();
  step(optimizer);
  EXPECT_THAT(read(other), near({2.4 - 1.14, 3.2 - 1.52}));
  EXPECT_EQ(rt_torch_optimizer_zero_grad(optimizer), 0);
  EXPECT_THAT(grad(other), near({0, 0}));
  backward_of_sum(other);
  Tensor third = rt_torch_torchtensor_contiguous(other);
  other.free();
  step(optimizer);
  EXPECT_THAT(read(third), near({1.26 - 1.126, 1.68 - 1.468}));
  third.free();
  step(optimizer);
  EXPECT_EQ(rt_torch_optimizer_zero_grad(optimizer), 0);
  EXPECT_EQ(rt_torch_live_handles(), live + 1 + static_cast<int64_t>(handles_.size()));
}

TEST_P(OptimizerCalls, AParameterThatIsMarkedLater) {
  Tensor given = rt_torch_torchtensor_clone(tensor({3, 4}, {2}));
  const Tensor before = rt_torch_autograd_detach(given);  // shares the elements without gradients
  const int64_t optimizer = sgd({given}, 0.1);
  EXPECT_EQ(rt_torch_autograd_requires_grad(given), 0);
  step(optimizer);
  mark(given);
  const Tensor other = rt_torch_torchtensor_contiguous(given);
  given.free();
  backward_of_sum(square(other));
  step(optimizer);
  EXPECT_THAT(read(other), near({2.4, 3.2}));
  EXPECT_THAT(grad(other), near({6, 8}));
  EXPECT_EQ(rt_torch_autograd_requires_grad(before), 0);
}

TEST_P(OptimizerCalls, WithItsLastHandleAParameterIsGone) {
  const int64_t sizes[] = {256, 256}, bytes = stat("live_bytes");
  Tensor p = rt_torch_tensor_full(sizes, 2, 0.5);
  mark(p);
  const int64_t list[] = {p};
  const int64_t optimizer = rt_torch_sgd_new(list, 1, 0.1, 0, 0);
  for (int i = 0; i < 2; ++i) {
    const Tensor square = rt_torch_torchtensor_mul(p, p),
                 sum = rt_torch_torchtensor_sum_tensor(square);
    rt_torch_autograd_backward(sum);
    step(optimizer);
    rt_torch_sync();
  }
  p.free();
  rt_torch_sync();
  EXPECT_EQ(stat("live_bytes"), bytes);
  step(optimizer);
  EXPECT_EQ(rt_torch_optimizer_free(optimizer), 0);
}

TEST_P(OptimizerCalls, FreeingAnOptimizerLeavesItsParameters) {
  const int64_t p = leaf({1, 2});
  const int64_t list[] = {p}, live = rt_torch_live_handles();
  const int64_t optimizer = rt_torch_adam_new(list, 1, 0.1, 0.9, 0.999, 1e-8, 0);
  EXPECT_EQ(rt_torch_live_handles(), live + 1);
  backward_of_sum(square(p));
  step(optimizer);
  EXPECT_EQ(rt_torch_optimizer_free(optimizer), 0);
  EXPECT_THAT(read(p), testing::Pointwise(testing::DoubleNear(1e-8), {0.9, 1.9}));
  EXPECT_THAT(grad(p), near({2, 4}));
}

// ---- Rates ------------------------------------------------------------------

TEST_P(OptimizerCalls, TheLearningRateIsReadAndSet) {
  const int64_t p = leaf({1, 2}), optimizer = sgd({p}, 0.1);
  EXPECT_EQ(rt_torch_optimizer_get_lr(optimizer), 0.1);
  EXPECT_EQ(rt_torch_optimizer_set_lr(optimizer, 0.5), 0);
  EXPECT_EQ(rt_torch_optimizer_get_lr(optimizer), 0.5);
  backward_of_sum(scaled(p, 1));
  step(optimizer);
  EXPECT_THAT(read(p), near({0.5, 1.5}));
}

TEST_P(OptimizerCalls, ARateSetAfterAStepIsNotTheSteps) {
  const int64_t p = leaf({1, 2}), optimizer = sgd({p}, 0.5);
  backward_of_sum(scaled(p, 1));
  step(optimizer);
  EXPECT_EQ(rt_torch_optimizer_set_lr(optimizer, 100), 0);
  EXPECT_THAT(read(p), near({0.5, 1.5}));
}

// ---- Refused ----------------------------------------------------------------

TEST_P(OptimizerCalls, BadNumbersAreRefused) {
  const int64_t p = leaf({1, 2});
  const int64_t list[] = {p};
  const double nan = std::nan("");
  struct Bad {
    double rate, momentum, decay;
    const char* attr;
  };
  for (const Bad& bad : {Bad{-0.1, 0, 0, "learning_rate"}, Bad{nan, 0, 0, "learning_rate"},
                         Bad{0.1, -0.5, 0, "momentum"}, Bad{0.1, 0, -1, "weight_decay"}}) {
    EXPECT_EQ(rt_torch_sgd_new(list, 1, bad.rate, bad.momentum, bad.decay), 0);
    expect_error({"rt_torch_sgd_new", bad.attr});
  }
  struct BadAdam {
    double rate, beta1, beta2, eps, decay;
    const char* attr;
  };
  for (const BadAdam& bad :
       {BadAdam{-1, 0.9, 0.99, 1e-8, 0, "learning_rate"}, BadAdam{0.1, 1, 0.99, 1e-8, 0, "beta1"},
        BadAdam{0.1, 0.9, -0.1, 1e-8, 0, "beta2"}, BadAdam{0.1, 0.9, 0.99, -1, 0, "eps"},
        BadAdam{0.1, 0.9, 0.99, 1e-8, -1, "weight_decay"}}) {
    EXPECT_EQ(rt_torch_adam_new(list, 1, bad.rate, bad.beta1, bad.beta2, bad.eps, bad.decay), 0);
    expect_error({"rt_torch_adam_new", bad.attr});
    EXPECT_EQ(rt_torch_adamw_new(list, 1, bad.rate, bad.beta1, bad.beta2, bad.eps, bad.decay), 0);
    expect_error({"rt_torch_adamw_new", bad.attr});
  }
  const int64_t optimizer = sgd({p});
  EXPECT_NE(rt_torch_optimizer_set_lr(optimizer, -1), 0);
  expect_error({"rt_torch_optimizer_set_lr", "learning_rate"});
  EXPECT_EQ(rt_torch_optimizer_get_lr(optimizer), 0.1);
}

TEST_P(OptimizerCalls, BadListsAreRefused) {
  const int64_t p = leaf({1, 2}), computed = square(p);
  const int64_t same = keep(rt_torch_torchtensor_contiguous(p));
  const int64_t live = rt_torch_live_handles();
  EXPECT_EQ(rt_torch_sgd_new(nullptr, 0, 0.1, 0, 0), 0);
  expect_error({"rt_torch_sgd_new", "empty"});
  const int64_t both[] = {p, computed}, twice[] = {p, p}, none[] = {p, 0};
  EXPECT_EQ(rt_torch_sgd_new(both, 2, 0.1, 0, 0), 0);
  expect_error({"rt_torch_sgd_new", "leaf"});
  EXPECT_EQ(rt_torch_sgd_new(twice, 2, 0.1, 0, 0), 0);
  expect_error({"rt_torch_sgd_new", "name it once"});
  const int64_t one_leaf[] = {p, same};
  EXPECT_EQ(rt_torch_sgd_new(one_leaf, 2, 0.1, 0, 0), 0);
  expect_error({"rt_torch_sgd_new", "name it once"});
  EXPECT_EQ(rt_torch_adam_new(none, 2, 0.1, 0.9, 0.99, 1e-8, 0), 0);
  expect_error({"rt_torch_adam_new"});
  EXPECT_EQ(rt_torch_live_handles(), live);
}

TEST_P(OptimizerCalls, HandlesOfAnotherKindAreRefused) {
  const int64_t p = leaf({1, 2}), optimizer = sgd({p});
  EXPECT_EQ(rt_torch_torchtensor_neg(optimizer), 0);
  expect_error({"rt_torch_torchtensor_neg"});
  rt_torch_torchtensor_free(optimizer);
  expect_error({"rt_torch_torchtensor_free"});
  rt_torch_autograd_backward(optimizer);
  expect_error({"rt_torch_autograd_backward"});
  EXPECT_EQ(rt_torch_sgd_new(&optimizer, 1, 0.1, 0, 0), 0);
  expect_error({"rt_torch_sgd_new"});
  for (const int64_t handle : {p, int64_t{0}, int64_t{-1}}) {
    EXPECT_NE(rt_torch_optimizer_step(handle), 0);
    expect_error({"rt_torch_optimizer_step"});
    EXPECT_NE(rt_torch_optimizer_zero_grad(handle), 0);
    expect_error({"rt_torch_optimizer_zero_grad"});
    EXPECT_NE(rt_torch_optimizer_set_lr(handle, 0.1), 0);
    expect_error({"rt_torch_optimizer_set_lr"});
    EXPECT_EQ(rt_torch_optimizer_get_lr(handle), 0);
    expect_error({"rt_torch_optimizer_get_lr"});
    EXPECT_NE(rt_torch_optimizer_free(handle), 0);
    expect_error({"rt_torch_optimizer_free"});
  }
  backward_of_sum(scaled(p, 1));
  step(optimizer);
  EXPECT_THAT(read(p), near({0.9, 1.9})) << "both are as they were";
}

TEST_P(OptimizerCalls, AFreedOptimizerIsGone) {
  const int64_t p = leaf({1, 2});
  const int64_t optimizer = rt_torch_sgd_new(&p, 1, 0.1, 0, 0);
  EXPECT_EQ(rt_torch_optimizer_free(optimizer), 0);
  EXPECT_NE(rt_torch_optimizer_free(optimizer), 0);
  expect_error({"rt_torch_optimizer_free", "freed before"});
  EXPECT_NE(rt_torch_optimizer_step(optimizer), 0);
  expect_error({"rt_torch_optimizer_step"});
}

}  // namespace
}  // namespace rt_test
