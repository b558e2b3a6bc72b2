// semantics_test.cpp -- leaves, gradients and refused calls behave as in PyTorch.
#include <cmath>
#include <thread>

#include "tests/abi/small_stack.h"
#include "tests/autograd/rig.h"

namespace rt_test {
namespace {

class Leaves : public GradTest {};
class Backward : public GradTest {};
class NoGrad : public GradTest {};
class Detach : public GradTest {};
class Kept : public GradTest {};
INSTANTIATE_TEST_SUITE_P(Policies, Leaves, each_policy(), name_of_policy);
INSTANTIATE_TEST_SUITE_P(Policies, Backward, each_policy(), name_of_policy);
INSTANTIATE_TEST_SUITE_P(Policies, NoGrad, each_policy(), name_of_policy);
INSTANTIATE_TEST_SUITE_P(Policies, Detach, each_policy(), name_of_policy);
INSTANTIATE_TEST_SUITE_P(Policies, Kept, each_policy(), name_of_policy);

bool takes_part(int64_t handle) { return rt_torch_autograd_requires_grad(handle) == 1; }

// ---- Values that take part in gradients -------------------------------------

TEST_P(Leaves, WhatIsMadeOfThemTakesPart) {
  const int64_t x = leaf({1, 2}), other = tensor({3, 4}, {2});
  EXPECT_FALSE(takes_part(other));
  EXPECT_FALSE(takes_part(square(other)));
  const int64_t y = mul(other, x);
  EXPECT_TRUE(takes_part(y));
  EXPECT_TRUE(takes_part(keep(rt_torch_torchtensor_slice(x, 0, 0, 1, 1))));
  EXPECT_TRUE(takes_part(keep(rt_torch_torchtensor_to_float32(y))));
  EXPECT_TRUE(takes_part(keep(rt_torch_torchtensor_sum_tensor(y))));
}

TEST_P(Leaves, WhatIsIntegerDoesNot) {
  const int64_t x = leaf({1, 2});
  EXPECT_FALSE(takes_part(keep(rt_torch_torchtensor_argmax(x, 0, 0))));
  EXPECT_FALSE(takes_part(keep(rt_torch_torchtensor_to_int(x))));
  const int64_t data[] = {1, 2}, size = 2;
  const int64_t whole = keep(rt_torch_tensor_from_i64_data(data, 2, &size, 1));
  rt_torch_autograd_set_requires_grad(whole, 1);
  expect_error({"rt_torch_autograd_set_requires_grad", "i64", "float"});
  EXPECT_FALSE(takes_part(whole));
  rt_torch_autograd_set_requires_grad(whole, 0);
}

TEST_P(Leaves, StopWhenTold) {
  const int64_t x = leaf({1, 2});
  backward_of_sum(square(x));
  rt_torch_autograd_set_requires_grad(x, 0);
  EXPECT_FALSE(takes_part(x));
  EXPECT_FALSE(takes_part(square(x)));
  EXPECT_THAT(grad(x), near({2, 4})) << "what there is stays";
  mark(x);
  backward_of_sum(scaled(x, 10));
  EXPECT_THAT(grad(x), near({12, 14}));
}

TEST_P(Leaves, MarkedTwiceAreStillThese) {
  const int64_t x = leaf({1, 2}), y = square(x);
  mark(x);
  backward_of_sum(y);
  EXPECT_THAT(grad(x), near({2, 4}));
}

TEST_P(Leaves, APendingValueBecomesOne) {
  const int64_t x = mark(scaled(tensor({1, 2}, {2}), 3));
  backward_of_sum(square(x));
  EXPECT_THAT(grad(x), near({6, 12}));
  EXPECT_THAT(read(x), near({3, 6}));
}

TEST_P(Leaves, AComputedValueBecomesOneFromThereOn) {
  const int64_t x = leaf({1, 2}), y = square(x);
  const int64_t before = keep(rt_torch_torchtensor_sum_tensor(y));
  mark(y);
  backward_of_sum(square(y));
  EXPECT_THAT(grad(y), near({2, 8}));
  EXPECT_THAT(grad(x), testing::IsEmpty());
  rt_torch_autograd_backward(before);
  EXPECT_THAT(grad(x), near({2, 4})) << "what was recorded before knows the way to x";
  EXPECT_THAT(grad(y), near({2, 8}));
}

TEST_P(Leaves, AComputedValueCannotStop) {
  const int64_t x = leaf({1, 2}), y = square(x);
  rt_torch_autograd_set_requires_grad(y, 0);
  expect_error({"rt_torch_autograd_set_requires_grad", "detach"});
  EXPECT_TRUE(takes_part(y));
}

TEST_P(Leaves, AreTheHandleAndNotTheValue) {
  const int64_t x = tensor({1, 2}, {2}), same = keep(rt_torch_torchtensor_cpu(x));
  mark(x);
  EXPECT_FALSE(takes_part(same));
  backward_of_sum(mul(x, same));
  EXPECT_THAT(grad(x), near({1, 2}));
  EXPECT_EQ(rt_torch_autograd_grad(same), 0);
}

TEST_P(Leaves, ThatACallGivesBackAreTheSameLeaf) {
  const int64_t x = leaf({1, 2, 3});
  for (const int64_t same : {rt_torch_torchtensor_contiguous(x), rt_torch_torchtensor_flatten(x),
                             rt_torch_torchtensor_to_float(x), rt_torch_torchtensor_cpu(x),
                             rt_torch_nn_dropout(x, 0.5, 0), rt_torch_nn_dropout(x, 0, 1)}) {
    backward_of_sum(square(keep(same)));
    EXPECT_THAT(grad(same), near({2, 4, 6}));
    EXPECT_THAT(grad(x), near({2, 4, 6}));
    rt_torch_autograd_zero_grad(same);
    EXPECT_THAT(grad(x), near({0, 0, 0}));
  }
  const int64_t view = keep(rt_torch_torchtensor_reshape_1d(x, 3));
  const int64_t turned = leaf({1, 2, 3, 4}, {2, 2});
  const int64_t copy = keep(rt_torch_torchtensor_contiguous(keep(rt_torch_torchtensor_t(turned))));
  for (const int64_t computed : {view, copy}) {
    backward_of_sum(square(computed));
    EXPECT_EQ(rt_torch_autograd_grad(computed), 0);
  }
  EXPECT_THAT(grad(x), near({2, 4, 6}));
  EXPECT_THAT(grad(turned), near({2, 4, 6, 8}));
}

TEST_P(Leaves, ThatWasGivenBackGoesAlongWithAnOptimizer) {
  const int64_t x = leaf({1, 2}), same = keep(rt_torch_torchtensor_contiguous(x));
  const int64_t optimizer = rt_torch_sgd_new(&same, 1, 0.5, 0, 0);
  for (int step = 0; step < 2; ++step) {
    rt_torch_optimizer_zero_grad(optimizer);
    backward_of_sum(square(x));
    EXPECT_EQ(rt_torch_optimizer_step(optimizer), 0) << last_error();
    EXPECT_THAT(read(x), near({0, 0}));
    EXPECT_THAT(read(same), near({0, 0}));
  }
  EXPECT_THAT(grad(x), near({0, 0}));
  EXPECT_EQ(rt_torch_optimizer_free(optimizer), 0);
}

TEST_P(Leaves, FreedBeforeBackwardAreNoHarm) {
  const int64_t x = leaf({1, 2});
  Tensor gone = rt_torch_torchtensor_clone(x);
  rt_torch_autograd_set_requires_grad(gone, 1);
  const int64_t loss = keep(rt_torch_torchtensor_sum_tensor(mul(x, gone)));
  gone.free();
  rt_torch_autograd_backward(loss);
  EXPECT_THAT(grad(x), near({1, 2}));
}

// ---- backward ---------------------------------------------------------------

TEST_P(Backward, AddsUp) {
  const int64_t x = leaf({1, 2});
  backward_of_sum(square(x));
  backward_of_sum(scaled(x, 5));
  EXPECT_THAT(grad(x), near({7, 9}));
}

TEST_P(Backward, LeavesNoGradientWhereNoneIsDue) {
  const int64_t x = leaf({1, 2}), unused = leaf({3}), y = square(x);
  EXPECT_EQ(rt_torch_autograd_grad(x), 0);
  backward_of_sum(y);
  EXPECT_EQ(rt_torch_autograd_grad(unused), 0);
  EXPECT_EQ(rt_torch_autograd_grad(y), 0) << "no leaf";
  EXPECT_EQ(rt_torch_autograd_grad(tensor({1}, {1})), 0);
  EXPECT_EQ(last_error(), "") << "none is no error";
}

TEST_P(Backward, OfWhatDoesNotChangeIsZerosAndNotNone) {
  int64_t w = leaf({1, 2});
  for (int step = 0; step < 3; ++step) {
    backward_of_sum(keep(rt_torch_torchtensor_pow(w, 0)));
    const int64_t gradient = keep(rt_torch_autograd_grad(w));
    EXPECT_THAT(read(gradient), near({0, 0}));
    w = mark(
        keep(rt_torch_autograd_detach(keep(rt_torch_torchtensor_sub(w, scaled(gradient, 0.5))))));
  }
  EXPECT_THAT(read(w), near({1, 2}));
}

TEST_P(Backward, OfALeafItselfIsOne) {
  const int64_t x = leaf({3}, {1, 1});
  rt_torch_autograd_backward(x);
  rt_torch_autograd_backward(x);
  EXPECT_THAT(grad(x), near({2}));
}

TEST_P(Backward, WantsOneElement) {
  const int64_t x = leaf({1, 2}), y = square(x);
  rt_torch_autograd_backward(y);
  expect_error({"rt_torch_autograd_backward", "f64[2]", "2 elements"});
  EXPECT_EQ(rt_torch_autograd_grad(x), 0);
  rt_torch_autograd_backward(keep(rt_torch_torchtensor_slice(y, 0, 1, 2, 1)));
  EXPECT_THAT(grad(x), near({0, 4}));
}

TEST_P(Backward, WantsAGraph) {
  rt_torch_autograd_backward(tensor({1}, {1}));
  expect_error({"rt_torch_autograd_backward", "requires_grad"});
  rt_torch_autograd_backward(keep(rt_torch_torchtensor_argmax(leaf({1, 2}), 0, 0)));
  expect_error({"rt_torch_autograd_backward", "requires_grad"});
}

TEST_P(Backward, ASecondTimeIsRefusedWhereTheFirstHasReleased) {
  const int64_t x = leaf({1, 2}), y = square(x);
  const int64_t loss = keep(rt_torch_torchtensor_sum_tensor(y));
  rt_torch_autograd_backward(loss);
  rt_torch_autograd_backward(loss);
  expect_error({"rt_torch_autograd_backward", "gone through"});
  EXPECT_THAT(grad(x), near({2, 4})) << "a refused call changes nothing";
  backward_of_sum(scaled(y, 3));
  expect_error({"rt_torch_autograd_backward", "gone through"});
  EXPECT_THAT(grad(x), near({2, 4}));
}

TEST_P(Backward, ASecondTimeGoesWhereNothingHadToBeKept) {
  const int64_t x = leaf({1, 2}), trunk = add(x, x);
  backward_of_sum(keep(rt_torch_torchtensor_neg(trunk)));
  backward_of_sum(keep(rt_torch_torchtensor_reshape_2d(trunk, 2, 1)));
  EXPECT_THAT(grad(x), near({0, 0}));
}

TEST_P(Backward, OfSeveralLossesThroughOneTrunk) {
  const int64_t x = leaf({1, 2}), trunk = square(x);
  const int64_t sum = keep(rt_torch_torchtensor_sum_tensor(trunk));
  const int64_t mean = keep(rt_torch_torchtensor_mean_tensor(scaled(trunk, 4)));
  rt_torch_autograd_backward(add(sum, mean));
  EXPECT_THAT(grad(x), near({6, 12}));
}

TEST_P(Backward, GradientsAreSnapshots) {
  const int64_t x = leaf({1, 2});
  backward_of_sum(square(x));
  const int64_t first = keep(rt_torch_autograd_grad(x));
  EXPECT_FALSE(takes_part(first));
  backward_of_sum(square(x));
  const int64_t second = keep(rt_torch_autograd_grad(x));
  rt_torch_autograd_zero_grad(x);
  EXPECT_THAT(read(first), near({2, 4}));
  EXPECT_THAT(read(second), near({4, 8}));
  EXPECT_THAT(grad(x), near({0, 0}));
}

TEST_P(Backward, GradientsOutliveTheirLeaf) {
  const int64_t x = tensor({1, 2}, {2}), copy = rt_torch_torchtensor_clone(x);
  rt_torch_autograd_set_requires_grad(copy, 1);
  backward_of_sum(square(copy));
  const int64_t gradient = keep(rt_torch_autograd_grad(copy));
  rt_torch_torchtensor_free(copy);
  EXPECT_THAT(read(gradient), near({2, 4}));
}

TEST_P(Backward, ZeroGradMakesZerosOfWhatThereIs) {
  const int64_t x = leaf({1, 2});
  rt_torch_autograd_zero_grad(x);
  EXPECT_EQ(rt_torch_autograd_grad(x), 0) << "none stays none";
  backward_of_sum(square(x));
  rt_torch_autograd_zero_grad(x);
  EXPECT_THAT(grad(x), near({0, 0}));
  backward_of_sum(square(x));
  EXPECT_THAT(grad(x), near({2, 4}));
  EXPECT_EQ(last_error(), "");
}

TEST_P(Backward, IsNotRecordedItself) {
  const int64_t x = leaf({1, 2});
  backward_of_sum(keep(rt_torch_torchtensor_exp(x)));
  const int64_t gradient = keep(rt_torch_autograd_grad(x));
  EXPECT_FALSE(takes_part(square(gradient)));
  EXPECT_TRUE(takes_part(mul(gradient, x)));
}

TEST_P(Backward, GoesThroughDropoutAsItWasDrawn) {
  rt_torch_manual_seed(3);
  const int64_t x = leaf(Doubles(40, 1.5), {40});
  for (const bool read_first : {false, true}) {
    const int64_t dropped = keep(rt_torch_nn_dropout(x, 0.25, 1));
    Doubles out;
    if (read_first) out = read(dropped);
    backward_of_sum(dropped);
    if (!read_first) out = read(dropped);
    Doubles wanted;
    for (const double one : out) wanted.push_back(one / 1.5);
    EXPECT_THAT(grad(x), near(wanted));
    EXPECT_GT(std::count(out.begin(), out.end(), 0.0), 0);
    EXPECT_LT(std::count(out.begin(), out.end(), 0.0), 40);
    rt_torch_autograd_zero_grad(x);
  }
}

TEST_P(Backward, GoesThroughEachChunk) {
  const int64_t x = leaf({1, 2, 3, 4, 5});
  int64_t pieces[3] = {};
  ASSERT_EQ(rt_torch_torchtensor_chunk(x, 3, 0, pieces, 3), 3);
  for (const int64_t piece : pieces) EXPECT_TRUE(takes_part(keep(piece)));
  backward_of_sum(mul(pieces[1], pieces[0]));
  EXPECT_THAT(grad(x), near({3, 4, 1, 2, 0}));
}

TEST_P(Backward, LeavesRunningStatisticsAlone) {
  const int64_t x = leaf({1, 10, 3, 30}, {2, 2}), weight = leaf({1, 1});
  const int64_t mean = tensor({0, 0}, {2}), var = tensor({1, 1}, {2});
  const auto train = [&] {
    return keep(rt_torch_nn_batch_norm(x, mean, var, weight, 0, 1, 0.5, 1e-5));
  };
  const int64_t first = train(), second = train();
  EXPECT_TRUE(takes_part(first));
  EXPECT_FALSE(takes_part(mean));
  EXPECT_FALSE(takes_part(var));
  backward_of_sum(square(add(first, second)));
  EXPECT_THAT(read(mean), near({1.5, 15}));
  EXPECT_THAT(read(var), near({1.75, 150.25}));
  EXPECT_EQ(rt_torch_autograd_grad(mean), 0);
  const double small = 1 / (1 + 1e-5), large = 100 / (100 + 1e-5);
  EXPECT_THAT(grad(weight), near({16 * small, 16 * large}));
}

TEST_P(Backward, RunningStatisticsHaveNone) {
  const int64_t x = leaf({1, 10, 3, 30}, {2, 2}), mean = leaf({0, 0}), var = tensor({1, 1}, {2});
  for (const int64_t training : {0, 1}) {
    EXPECT_EQ(rt_torch_nn_batch_norm(x, mean, var, 0, 0, training, 0.5, 1e-5), 0);
    expect_error({"rt_torch_nn_batch_norm", "running_mean", "rt_torch_autograd_detach"});
  }
  rt_torch_autograd_no_grad_begin();
  EXPECT_FALSE(takes_part(keep(rt_torch_nn_batch_norm(x, mean, var, 0, 0, 0, 0.5, 1e-5))));
  rt_torch_autograd_no_grad_end();
}

// ---- no_grad, detach --------------------------------------------------------

TEST_P(NoGrad, Nests) {
  const int64_t x = leaf({1, 2});
  rt_torch_autograd_no_grad_begin();
  rt_torch_autograd_no_grad_begin();
  EXPECT_FALSE(takes_part(square(x)));
  EXPECT_TRUE(takes_part(x));
  rt_torch_autograd_no_grad_end();
  const int64_t inside = square(x);
  EXPECT_FALSE(takes_part(inside));
  rt_torch_autograd_no_grad_end();
  EXPECT_TRUE(takes_part(square(x)));
  backward_of_sum(mul(inside, x));
  EXPECT_THAT(grad(x), near({1, 4})) << "inside is a constant";
}

TEST_P(NoGrad, IsTheThreadsOwn) {
  const int64_t x = leaf({1, 2});
  rt_torch_autograd_no_grad_begin();
  bool took_part = false, leaves_it = true;
  std::thread other([&] {
    const Tensor y = rt_torch_torchtensor_mul(x, x);
    took_part = takes_part(y);
    rt_torch_autograd_no_grad_begin();  // ends with the thread
    const Tensor z = rt_torch_torchtensor_mul(x, x);
    leaves_it = takes_part(z);
  });
  other.join();
  EXPECT_TRUE(took_part);
  EXPECT_FALSE(leaves_it);
  EXPECT_FALSE(takes_part(square(x)));
  rt_torch_autograd_no_grad_end();
  EXPECT_TRUE(takes_part(square(x)));
}

TEST_P(NoGrad, AnEndTooManyTurnsNothingOff) {
  const int64_t x = leaf({1, 2});
  rt_torch_autograd_no_grad_end();
  expect_error({"rt_torch_autograd_no_grad_end", "rt_torch_autograd_no_grad_begin"});
  EXPECT_TRUE(takes_part(square(x)));
  rt_torch_autograd_no_grad_begin();
  EXPECT_FALSE(takes_part(square(x)));
  rt_torch_autograd_no_grad_end();
}

TEST_P(NoGrad, LeavesAreMadeInside) {
  rt_torch_autograd_no_grad_begin();
  const int64_t x = mark(scaled(tensor({1, 2}, {2}), 2));
  rt_torch_autograd_no_grad_end();
  backward_of_sum(square(x));
  EXPECT_THAT(grad(x), near({4, 8}));
}

TEST_P(NoGrad, BackwardWorksInside) {
  const int64_t x = leaf({1, 2}), y = square(x);
  const int64_t loss = keep(rt_torch_torchtensor_sum_tensor(y));
  rt_torch_autograd_no_grad_begin();
  rt_torch_autograd_backward(loss);
  rt_torch_autograd_no_grad_end();
  EXPECT_THAT(grad(x), near({2, 4}));
}

TEST_P(Detach, IsTheSameValueCutOff) {
  const int64_t x = leaf({1, 2}), y = square(x);
  const int64_t constant = keep(rt_torch_autograd_detach(y));
  EXPECT_FALSE(takes_part(constant));
  EXPECT_TRUE(takes_part(y));
  EXPECT_THAT(read(constant), near({1, 4}));
  backward_of_sum(mul(constant, x));
  EXPECT_THAT(grad(x), near({1, 4}));
}

TEST_P(Detach, IsALeafOfItsOwnWhenMarked) {
  const int64_t x = leaf({1, 2}), other = mark(keep(rt_torch_autograd_detach(x)));
  backward_of_sum(mul(x, scaled(other, 3)));
  EXPECT_THAT(grad(x), near({3, 6}));
  EXPECT_THAT(grad(other), near({3, 6}));
  rt_torch_autograd_set_requires_grad(other, 0);
  EXPECT_TRUE(takes_part(x));
}

TEST_P(Detach, LetsTwoLossesShareATrunkInTwoSteps) {
  const int64_t x = leaf({1, 2}), y = square(x), cut = mark(keep(rt_torch_autograd_detach(y)));
  backward_of_sum(square(cut));
  backward_of_sum(scaled(cut, 2));
  EXPECT_THAT(grad(cut), near({4, 10}));
  const int64_t onward = keep(rt_torch_autograd_grad(cut));
  backward_of_sum(mul(y, onward));
  EXPECT_THAT(grad(x), near({8, 40}));
}

// As an optimizer written in Simple does: parameters are new tensors, marked in each step.
TEST_P(Leaves, RebuiltEachStepTrain) {
  Tensor p = rt_torch_torchtensor_mul_scalar(tensor({1, -2}, {2}), 1);
  rt_torch_autograd_set_requires_grad(p, 1);
  double factor = 1;
  for (int step = 0; step < 6; ++step) {
    const Tensor squares = rt_torch_torchtensor_mul(p, p);
    const Tensor loss = rt_torch_torchtensor_sum_tensor(squares);
    rt_torch_autograd_backward(loss);
    const Tensor gradient = rt_torch_autograd_grad(p);
    rt_torch_autograd_no_grad_begin();
    const Tensor change = rt_torch_torchtensor_mul_scalar(gradient, 0.1);
    Tensor next = rt_torch_torchtensor_sub(p, change);
    rt_torch_autograd_set_requires_grad(next, 1);
    rt_torch_autograd_no_grad_end();
    p = std::move(next);
    EXPECT_EQ(rt_torch_autograd_grad(p), 0);
    factor *= 0.8;
  }
  EXPECT_THAT(read(p), near({factor, -2 * factor}));
}

// ---- Values kept between forward and backward pass --------------------------

constexpr int64_t kSide = 256, kBytes = kSide * kSide * 4;

TEST_P(Kept, IsWhatRulesNeedAndOnlyUntilBackward) {
  const Tensor x = full({kSide, kSide}, 0.5);
  rt_torch_autograd_set_requires_grad(x, 1);
  rt_torch_flush();
  const int64_t before = stat("live_bytes");
  const auto chain = [&](int64_t (*layer)(int64_t)) {
    Tensor y = rt_torch_torchtensor_clone(x);
    for (int i = 0; i < 8; ++i) y = Tensor(layer(y));
    Tensor loss = rt_torch_torchtensor_sum_tensor(y);
    EXPECT_FALSE(std::isnan(rt_torch_torchtensor_item(loss)));
    return loss;
  };
  {
    const Tensor loss = chain([](int64_t y) { return rt_torch_torchtensor_add_scalar(y, 1); });
    EXPECT_LT(stat("live_bytes") - before, kBytes) << "adding needs nothing";
  }
  {
    const Tensor loss = chain([](int64_t y) { return rt_torch_torchtensor_tanh(y); });
    EXPECT_GE(stat("live_bytes") - before, 8 * kBytes);
    EXPECT_LT(stat("live_bytes") - before, 10 * kBytes);
    rt_torch_autograd_backward(loss);
    EXPECT_EQ(rt_torch_sync(), 1) << last_error();
    EXPECT_LT(stat("live_bytes") - before, 2 * kBytes) << "the gradient alone";
  }
  {
    const Tensor loss = chain([](int64_t y) { return rt_torch_torchtensor_tanh(y); });
    EXPECT_GE(stat("live_bytes") - before, 9 * kBytes);
  }
  EXPECT_LT(stat("live_bytes") - before, 2 * kBytes) << "nobody can ask for a gradient any more";
}

TEST_P(Kept, NothingWithoutLeaves) {
  const Tensor x = full({kSide, kSide}, 0.5);
  rt_torch_flush();
  const int64_t before = stat("live_bytes");
  Tensor y = rt_torch_torchtensor_tanh(x);
  for (int i = 0; i < 4; ++i) y = Tensor(rt_torch_torchtensor_tanh(y));
  const Tensor loss = rt_torch_torchtensor_sum_tensor(y);
  rt_torch_torchtensor_item(loss);
  y.free();
  EXPECT_LT(stat("live_bytes") - before, kBytes);
}

using LongGraph = AbiTest;

TEST_F(LongGraph, IsNotRecursedOver) {
  on_small_stack([] {
    constexpr int kLong = kSanitized ? 20'000 : 100'000;
    for (const bool backward : {true, false}) {
      Tensor x = full({2}, 1);
      rt_torch_autograd_set_requires_grad(x, 1);
      Tensor y = rt_torch_torchtensor_clone(x);
      for (int i = 0; i < kLong; ++i) y = Tensor(rt_torch_torchtensor_mul(y, x));
      const Tensor loss = rt_torch_torchtensor_sum_tensor(y);
      if (!backward) continue;  // frees a graph that was never used
      rt_torch_autograd_backward(loss);
      const Tensor gradient = rt_torch_autograd_grad(x);
      EXPECT_EQ(values(gradient)[1], static_cast<float>(kLong + 1));
    }
    EXPECT_EQ(last_error(), "");
  });
}

using Threads = AbiTest;

TEST_F(Threads, ALeafGathersGradientsOfAllOfThem) {
  Tensor x = full({3}, 2);
  rt_torch_autograd_set_requires_grad(x, 1);
  const auto descend = [&] {
    for (int i = 0; i < 50; ++i) {
      const Tensor y = rt_torch_torchtensor_mul(x, x);
      const Tensor loss = rt_torch_torchtensor_sum_tensor(y);
      rt_torch_autograd_backward(loss);
    }
  };
  std::thread first(descend), second(descend);
  first.join();
  second.join();
  const Tensor gradient = rt_torch_autograd_grad(x);
  EXPECT_THAT(values(gradient), testing::Each(400.0F));
  EXPECT_EQ(last_error(), "");
}

}  // namespace
}  // namespace rt_test
