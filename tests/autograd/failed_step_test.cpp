// failed_step_test.cpp -- a failed step leaves the model unchanged: parameters, optimizer state,
// running statistics and gradients keep their last values that did not depend on the failure.
#include <cmath>
#include <functional>

#include "tests/autograd/rig.h"

namespace rt_test {
namespace {

using testing::HasSubstr;

enum class Rule { Sgd, Momentum, Adam, AdamW };

int64_t optimizer_of(Rule rule, const std::vector<int64_t>& parameters) {
  const auto count = static_cast<int64_t>(parameters.size());
  switch (rule) {
    case Rule::Sgd: return rt_torch_sgd_new(parameters.data(), count, 0.1, 0, 0);
    case Rule::Momentum: return rt_torch_sgd_new(parameters.data(), count, 0.1, 0.9, 0.01);
    case Rule::Adam: return rt_torch_adam_new(parameters.data(), count, 0.1, 0.9, 0.99, 1e-8, 0);
    case Rule::AdamW:
      return rt_torch_adamw_new(parameters.data(), count, 0.1, 0.9, 0.99, 1e-8, 0.1);
  }
  return 0;
}

class FailedStep : public GradTest {
 protected:
  void TearDown() override {
    for (const int64_t optimizer : optimizers_) EXPECT_EQ(rt_torch_optimizer_free(optimizer), 0);
    GradTest::TearDown();
  }
  int64_t optimizer(Rule rule, const std::vector<int64_t>& parameters) {
    optimizers_.push_back(optimizer_of(rule, parameters));
    EXPECT_GT(optimizers_.back(), 0) << last_error();
    return optimizers_.back();
  }
  int64_t labels(std::initializer_list<int64_t> classes) { return from_i64(classes); }
  Tensor x_ = tensor_of({1, 2, 3, 4}, {2, 2});
  static Tensor tensor_of(const Doubles& data, const std::vector<int64_t>& sizes) {
    return rt_torch_tensor_from_data(data.data(), static_cast<int64_t>(data.size()), sizes.data(),
                                     static_cast<int64_t>(sizes.size()));
  }
  /// Forward and backward pass of a minibatch. Returns the loss, 0 where the call failed.
  static Tensor pass(int64_t x, int64_t w, std::initializer_list<int64_t> classes) {
    const Tensor logits = rt_torch_torchtensor_matmul(x, w), target = from_i64(classes);
    Tensor loss = rt_torch_nn_cross_entropy_tensor(logits, target);
    rt_torch_autograd_backward(loss);
    return loss;
  }
  void expect_failure() {
    EXPECT_THAT(last_error(), HasSubstr("rt_torch_nn_cross_entropy_tensor"));
    EXPECT_THAT(last_error(), HasSubstr("train.spl:7"));
    for (const char* internal : {"nll_loss", "total_weight", "full("})
      EXPECT_THAT(last_error(), testing::Not(HasSubstr(internal)));
    rt_torch_clear_error();
  }
  /// Takes the failures of batches that sync has not reported yet.
  void clear_failures() {
    while (rt_torch_sync() == 0) {
    }
    rt_torch_clear_error();
  }
  std::vector<int64_t> optimizers_;
};
INSTANTIATE_TEST_SUITE_P(Policies, FailedStep, each_policy(), name_of_policy);

/// Results of training over minibatches, of which those with label 3 fail: the losses, NaN where
/// they failed, and the final parameter.
struct Training {
  std::vector<double> losses;
  std::vector<float> weights;
};

TEST_P(FailedStep, TheStepsAfterItAreThoseOfARunWithoutIt) {
  for (const Rule rule : {Rule::Sgd, Rule::Momentum, Rule::Adam, Rule::AdamW}) {
    const auto train = [&](const std::vector<int64_t>& second_labels) {
      Training run;
      Tensor w = tensor_of({.1, .2, .3, .4, .5, .6}, {2, 3});
      rt_torch_autograd_set_requires_grad(w, 1);
      const int64_t of = optimizer(rule, {w});
      for (const int64_t label : second_labels) {
        rt_torch_optimizer_zero_grad(of);
        rt_torch_set_location("train.spl", 7);
        const Tensor loss = pass(x_, w, {0, label});
        rt_torch_set_location("", 0);
        rt_torch_optimizer_step(of);
        rt_torch_clear_error();
        run.losses.push_back(rt_torch_torchtensor_item(loss));
        if (label == 3) expect_failure();
      }
      clear_failures();
      run.weights = values(w);
      EXPECT_EQ(rt_torch_autograd_requires_grad(w), 1);
      return run;
    };
    // Failures come first, in the middle and in succession; enough steps follow to run compiled.
    const Training good = train({1, 2, 1, 0, 2, 1, 0, 1});
    const Training bad = train({3, 1, 2, 3, 3, 1, 0, 2, 1, 3, 0, 1, 3});
    EXPECT_EQ(bad.weights, good.weights) << static_cast<int>(rule);
    std::vector<double> kept;
    for (const double loss : bad.losses)
      if (!std::isnan(loss)) kept.push_back(loss);
    EXPECT_EQ(kept, good.losses) << static_cast<int>(rule);
    EXPECT_EQ(bad.losses.size(), kept.size() + 5);
  }
}

TEST_P(FailedStep, GoesBackPastAllThatDependOnIt) {
  for (const Rule rule : {Rule::Momentum, Rule::Adam}) {
    Tensor w = tensor_of({.1, .2, .3, .4, .5, .6}, {2, 3}),
           twin = tensor_of(Doubles(6, .5), {2, 3});
    rt_torch_autograd_set_requires_grad(w, 1);
    rt_torch_autograd_set_requires_grad(twin, 1);
    const int64_t of = optimizer(rule, {w}), other = optimizer(rule, {twin});
    const auto step = [&](int64_t label) {
      rt_torch_optimizer_zero_grad(of);
      rt_torch_optimizer_zero_grad(other);
      const Tensor loss = pass(x_, w, {0, label}), second = pass(x_, twin, {0, 1});
      rt_torch_optimizer_step(of);
      rt_torch_optimizer_step(other);
    };
    step(1);
    step(2);
    rt_torch_flush();
    const auto after_two = values(w), twin_after_two = values(twin);
    step(3);
    rt_torch_flush();
    clear_failures();
    EXPECT_EQ(values(w), after_two);
    EXPECT_NE(values(twin), twin_after_two) << "what does not depend on it goes on";
  }
}

TEST_P(FailedStep, AllThatSeesTheParameterGoesBackWithIt) {
  Tensor w = tensor_of({1, 2, 3, 4, 5, 6}, {2, 3});
  rt_torch_autograd_set_requires_grad(w, 1);
  const Tensor before = rt_torch_torchtensor_t(w), same = rt_torch_autograd_detach(w),
               row = rt_torch_torchtensor_slice(w, 0, 1, 2, 1);
  const int64_t of = optimizer(Rule::Adam, {w});
  for (int round = 0; round < 3; ++round) {
    rt_torch_optimizer_zero_grad(of);
    const Tensor loss = pass(x_, w, {0, 3});
    rt_torch_optimizer_step(of);
    const Tensor after = rt_torch_torchtensor_t(w),
                 part = rt_torch_torchtensor_slice(after, 0, 0, 1, 1),
                 computed = rt_torch_torchtensor_neg(w);
    rt_torch_flush();
    clear_failures();
    EXPECT_THAT(read(w), near({1, 2, 3, 4, 5, 6}));
    EXPECT_THAT(read(same), near({1, 2, 3, 4, 5, 6}));
    EXPECT_THAT(read(before), near({1, 4, 2, 5, 3, 6}));
    EXPECT_THAT(read(row), near({4, 5, 6}));
    EXPECT_THAT(read(after), near({1, 4, 2, 5, 3, 6}));
    EXPECT_THAT(read(part), near({1, 4}));
    if (is_eager()) {
      EXPECT_THAT(read(computed), near({-1, -2, -3, -4, -5, -6}));
    } else {
      EXPECT_TRUE(std::isnan(rt_torch_torchtensor_sum(computed)))
          << "it was computed of the failed";
      rt_torch_clear_error();
    }
  }
  // The views still share one memory.
  rt_torch_optimizer_zero_grad(of);
  const Tensor loss = pass(x_, w, {0, 1});
  rt_torch_optimizer_step(of);
  const Doubles now = read(w);
  EXPECT_NE(now[5], 6);
  EXPECT_EQ(read(row), Doubles(now.begin() + 3, now.end()));
  EXPECT_EQ(read(same), now);
}

/// The read of the loss runs the batch, so that it fails before the step is recorded.
TEST_P(FailedStep, AStepAfterAPassThatHasFailedLeavesItsParametersOut) {
  for (const Rule rule : {Rule::Momentum, Rule::Adam}) {
    Tensor w = tensor_of({.1, .2, .3, .4, .5, .6}, {2, 3});
    rt_torch_autograd_set_requires_grad(w, 1);
    const int64_t adjusts = optimizer(rule, {w});
    const auto step = [&](std::initializer_list<int64_t> classes) {
      rt_torch_optimizer_zero_grad(adjusts);
      const Tensor loss = pass(x_, w, classes);
      rt_torch_torchtensor_item(loss);
      EXPECT_EQ(rt_torch_optimizer_step(adjusts), 0);
    };
    step({0, 1});
    const Doubles before = read(w);
    step({0, 3});
    clear_failures();
    EXPECT_EQ(read(w), before);
    step({0, 1});
    EXPECT_NE(read(w), before);
  }
}

/// One step is skipped per failed pass, in the batch of the pass or in a later one.
TEST_P(FailedStep, APassThatHasFailedCostsOneStep) {
  for (const bool flushed : {false, true}) {
    const int64_t w = leaf({4, 4, 4, 4}, {2, 2});
    const int64_t sgd = rt_torch_sgd_new(&w, 1, 1, 0, 0);
    backward_of_sum(w);
    pass(x_, w, {0, 7});
    if (flushed) rt_torch_flush();
    for (const double expected : {4, 3, 2}) {
      EXPECT_EQ(rt_torch_optimizer_step(sgd), 0) << last_error();
      EXPECT_EQ(read(w), Doubles(4, expected));
    }
    clear_failures();
    EXPECT_EQ(rt_torch_optimizer_free(sgd), 0);
  }
}

TEST_P(FailedStep, EachOptimizerHeedsAPassThatIsLost) {
  const int64_t v = leaf({1, 2}, {2}), w = leaf({3, 4}, {2});
  const int64_t first = optimizer(Rule::Momentum, {v}), second = optimizer(Rule::Momentum, {w});
  const auto step_both = [&](int expected) {
    EXPECT_EQ(rt_torch_optimizer_step(first), expected);
    EXPECT_EQ(rt_torch_optimizer_step(second), expected);
    rt_torch_clear_error();
  };
  const auto zero_both = [&] {
    rt_torch_optimizer_zero_grad(first);
    rt_torch_optimizer_zero_grad(second);
  };
  const Tensor product = rt_torch_torchtensor_mul(v, w);
  backward_of_sum(product);
  step_both(0);
  zero_both();
  const Doubles vs = read(v), ws = read(w);
  rt_torch_autograd_backward(0);
  step_both(-1);
  EXPECT_EQ(read(v), vs);
  EXPECT_EQ(read(w), ws);
  rt_torch_autograd_backward(0);
  zero_both();
  step_both(0);  // the gradients are zeros
  EXPECT_NE(read(v), vs);
}

TEST_P(FailedStep, GradientsGoBackToWhatTheyHad) {
  const int64_t w = leaf({1, 2, 3, 4, 5, 6}, {2, 3});
  const auto failing = [&] {
    const Tensor loss = pass(x_, w, {0, 3});
    rt_torch_flush();
    clear_failures();
  };
  failing();
  EXPECT_EQ(rt_torch_autograd_grad(w), 0) << "there was none";
  EXPECT_EQ(last_error(), "");
  backward_of_sum(w);
  failing();
  EXPECT_THAT(grad(w), near(Doubles(6, 1)));
  backward_of_sum(w);
  EXPECT_THAT(grad(w), near(Doubles(6, 2))) << "and goes on from there";
  rt_torch_autograd_zero_grad(w);
  failing();
  EXPECT_THAT(grad(w), near(Doubles(6, 0)));
  const Tensor loss = pass(x_, w, {0, 3});
  rt_torch_clear_error();
  const Tensor snapshot = rt_torch_autograd_grad(w);
  rt_torch_flush();
  clear_failures();
  EXPECT_EQ(std::isnan(rt_torch_torchtensor_sum(snapshot)), !is_eager()) << "of the failed pass";
  rt_torch_clear_error();
  EXPECT_THAT(grad(w), near(Doubles(6, 0)));
}

TEST_P(FailedStep, RunningStatisticsGoBackWithoutTheLoss) {
  const int64_t mean = tensor({0, 0}, {2}), variance = tensor({1, 1}, {2});
  const auto run = [&](int64_t row) {
    const Tensor rows = tensor_of({1, 2, 3, 5}, {2, 2}), index = from_i64({0, row}),
                 picked = rt_torch_torchtensor_index_select(rows, 0, index),
                 out = rt_torch_nn_batch_norm(picked, mean, variance, 0, 0, 1, 0.5, 1e-5);
    rt_torch_flush();
    clear_failures();
  };
  run(1);
  const Doubles means = read(mean), variances = read(variance);
  EXPECT_THAT(means, near({1, 1.75}));
  run(7);
  EXPECT_EQ(read(mean), means);
  EXPECT_EQ(read(variance), variances);
  run(1);
  EXPECT_THAT(read(mean), near({1.5, 2.625}));
}

TEST_P(FailedStep, ALossThatFailsHasNoGradientsWhateverTheyAreComputedOf) {
  // The gradient of a sum is ones, and that of the cross entropy reads none of its operands.
  const int64_t w = leaf({.1, .2}), of = optimizer(Rule::Adam, {w});
  const int64_t singular = tensor({1, 2, 2, 4}, {2, 2});
  const std::vector<std::function<int64_t()>> losses = {
      [&] {
        const int64_t inverse = keep(rt_torch_torchtensor_inverse(singular));
        const Tensor sum = rt_torch_torchtensor_sum_tensor(inverse);
        return is_eager()
                   ? 0
                   : keep(rt_torch_torchtensor_add(keep(rt_torch_torchtensor_sum_tensor(w)), sum));
      },
      [&] {
        const int64_t target = tensor({.5, 1.5}, {2});
        return keep(rt_torch_nn_binary_cross_entropy_tensor(w, target));
      },
  };
  for (const auto& loss : losses) {
    rt_torch_optimizer_zero_grad(of);
    const int64_t failed = loss();
    rt_torch_clear_error();
    rt_torch_autograd_backward(failed);
    rt_torch_optimizer_step(of);
    rt_torch_clear_error();  // where the call of the loss failed, backward and step fail too
    rt_torch_flush();
    clear_failures();
    EXPECT_THAT(read(w), near({.1, .2}));
  }
}

TEST_P(FailedStep, WhatIsFreedMeanwhileIsNotHeld) {
  const int64_t w = leaf({.1, .2, .3, .4, .5, .6}, {2, 3});
  const int64_t live = stat("live_bytes");
  for (const bool fails : {false, true}) {
    Tensor gone = tensor_of(Doubles(6, .5), {2, 3});
    rt_torch_autograd_set_requires_grad(gone, 1);
    const int64_t list[] = {w, gone};
    const int64_t of = rt_torch_adam_new(list, 2, 0.1, 0.9, 0.99, 1e-8, 0);
    const Tensor sum = rt_torch_torchtensor_add(w, gone);
    const Tensor loss = pass(x_, sum, {0, fails ? 3 : 1});
    rt_torch_optimizer_step(of);
    gone.free();
    EXPECT_EQ(rt_torch_optimizer_free(of), 0);
    rt_torch_flush();
    clear_failures();
    EXPECT_TRUE(std::isfinite(rt_torch_torchtensor_sum(w)));
    rt_torch_autograd_zero_grad(w);
  }
  rt_torch_flush();
  EXPECT_LE(stat("live_bytes"), live + 1024);
}

TEST_P(FailedStep, ALongChainOfUpdatesGoesBackWithoutRecursion) {
  const int64_t w = leaf({.1, .2}), of = optimizer(Rule::Momentum, {w});
  const int64_t bad = tensor({.5, 1.5}, {2}), good = tensor({.5, .5}, {2});
  const auto step = [&](int64_t target) {
    rt_torch_optimizer_zero_grad(of);
    Tensor loss = rt_torch_nn_binary_cross_entropy_tensor(w, target);
    rt_torch_autograd_backward(loss);
    rt_torch_optimizer_step(of);
    return loss;
  };
  step(good);
  const Doubles once = read(w);
  const Tensor failed = step(bad);
  if (GetParam() != std::string("data")) return;  // the others run between the steps
  for (int i = 0; i < 3000; ++i) {
    const Tensor loss = rt_torch_torchtensor_sum_tensor(w);
    rt_torch_autograd_backward(loss);
    rt_torch_optimizer_step(of);
  }
  rt_torch_flush();
  clear_failures();
  EXPECT_EQ(read(w), once);
}

}  // namespace
}  // namespace rt_test
