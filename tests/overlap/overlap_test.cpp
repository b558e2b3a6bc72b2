// overlap_test.cpp -- RT_TORCH_ASYNC=1: batches run beside their client, whose results must not
// change.
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>

#include "tests/abi/rig.h"

namespace rt_test {
namespace {

/// Large enough that a batch is handed over at its first run.
constexpr int64_t kSide = 640;

class Overlap : public AbiTest {
 protected:
  static Tensor big(double value) { return full({kSide, kSide}, value); }
  static double first(int64_t tensor) { return values(tensor)[0]; }
};

bool has_worker() {
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::string name;
    std::ifstream(task.path() / "comm") >> name;
    if (name == "rt_torch") return true;
  }
  return false;
}

TEST_F(Overlap, LargeBatchesRunOnAThreadOfTheirOwn) {
  Tensor a = big(2), b = rt_torch_torchtensor_add(a, a);
  EXPECT_EQ(rt_torch_torchtensor_shape_dim(b, 0), kSide);
  EXPECT_TRUE(has_worker());
  EXPECT_EQ(stat("forced_by_shape"), 1);
  EXPECT_EQ(first(b), 4);
  EXPECT_EQ(stat("batches"), 1);
}

TEST_F(Overlap, WhatIsRecordedMeanwhileUsesTheResults) {
  Tensor x = big(1);
  for (int i = 0; i < 20; ++i) {
    x = Tensor(rt_torch_torchtensor_add_scalar(x, 1));
    if (i % 3 == 0) rt_torch_flush();
    if (i % 3 == 1) {
      EXPECT_EQ(rt_torch_torchtensor_numel(x), kSide * kSide);
    }
  }
  EXPECT_EQ(first(x), 21);
}

TEST_F(Overlap, AReadDoesNotOvertakeWhatItNeeds) {
  Tensor a = big(3), b = rt_torch_torchtensor_mul(a, a);
  rt_torch_flush();
  Tensor small = full({2}, 5), c = rt_torch_torchtensor_sub(b, a);
  EXPECT_EQ(values(small)[1], 5);
  EXPECT_EQ(first(c), 6);
}

TEST_F(Overlap, NumbersAreDrawnInTheOrderOfRecording) {
  const int64_t sizes[] = {kSide, kSide}, few = 3;
  const auto draw = [&](bool eager) {
    rt_torch_set_policy(eager ? "eager" : "observe");
    rt_torch_manual_seed(11);
    std::vector<float> drawn;
    const auto keep = [&](const Tensor& from) { drawn.push_back(values(from)[2]); };
    std::vector<Tensor> large;
    for (int i = 0; i < 5; ++i) {
      large.push_back(rt_torch_tensor_rand(sizes, 2));
      rt_torch_flush();
      Tensor small = rt_torch_tensor_randn(&few, 1);
      keep(small);
      if (i == 3) rt_torch_manual_seed(12);
    }
    for (const Tensor& each : large) keep(each);
    return drawn;
  };
  EXPECT_EQ(draw(false), draw(true));
}

TEST_F(Overlap, AFailureIsToldOnceByItsOwnThread) {
  Tensor a = big(1), index = from_i64({kSide});
  Tensor bad = rt_torch_torchtensor_index_select(a, 0, index);
  Tensor worse = rt_torch_torchtensor_neg(bad), good = rt_torch_torchtensor_neg(a);
  rt_torch_flush();
  std::thread([&] { EXPECT_EQ(rt_torch_sync(), 1) << last_error(); }).join();
  EXPECT_EQ(rt_torch_sync(), 0);
  EXPECT_THAT(last_error(), testing::HasSubstr("rt_torch_torchtensor_index_select"));
  EXPECT_EQ(rt_torch_sync(), 1);
  EXPECT_EQ(first(good), -1);
  rt_torch_clear_error();
  EXPECT_EQ(rt_torch_torchtensor_neg(worse), 0);
  EXPECT_THAT(last_error(), testing::HasSubstr("rt_torch_torchtensor_index_select"));
}

TEST_F(Overlap, ATrainingLoopThatReadsNothingTrainsAsOneThatWaits) {
  constexpr int64_t kWide = 512;
  const auto train = [&](const char* policy) {
    rt_torch_set_policy(policy);
    rt_torch_manual_seed(5);
    const int64_t weight_sizes[] = {kWide, kWide}, data_sizes[] = {64, kWide};
    Tensor drawn = rt_torch_tensor_randn(weight_sizes, 2);
    Tensor weight = rt_torch_torchtensor_mul_scalar(drawn, 0.05);
    rt_torch_autograd_set_requires_grad(weight, 1);
    const int64_t parameters[] = {weight};
    const int64_t optimizer = rt_torch_sgd_new(parameters, 1, 0.1, 0.9, 0);
    for (int step = 0; step < 12; ++step) {
      Tensor x = rt_torch_tensor_rand(data_sizes, 2), y = rt_torch_tensor_rand(data_sizes, 2);
      Tensor t = rt_torch_torchtensor_t(weight);
      Tensor hidden = rt_torch_torchtensor_matmul(x, t), out = rt_torch_torchtensor_gelu(hidden);
      Tensor loss = rt_torch_nn_mse_loss_tensor(out, y);
      rt_torch_optimizer_zero_grad(optimizer);
      rt_torch_autograd_backward(loss);
      rt_torch_optimizer_step(optimizer);
      loss.free();  // frees the last handle of a pending value, which submits the step
    }
    rt_torch_optimizer_free(optimizer);
    return values(weight);
  };
  const std::vector<float> waiting = train("eager");
  rt_torch_stats_reset();
  EXPECT_EQ(train("observe"), waiting);
  EXPECT_GE(stat("cache_hits"), 8)
      << "the steps are alike, whatever was down when they were recorded";
}

TEST_F(Overlap, CallsInPlaceSeeWhatIsInFlight) {
  const auto run = [](const char* policy) {
    rt_torch_set_policy(policy);
    Tensor input = full({64, 16, 32, 32}, 3), weight = full({16}, 1), bias = full({16}, 0);
    Tensor mean = full({16}, 0), variance = full({16}, 1);
    const int64_t sizes[] = {4, 4};
    Tensor seen = rt_torch_torchtensor_view(mean, sizes, 2);
    rt_torch_flush();
    Tensor out = rt_torch_nn_batch_norm(input, mean, variance, weight, bias, 1, 0.5, 1e-5);
    rt_torch_flush();
    Tensor again = rt_torch_nn_batch_norm(out, mean, variance, weight, bias, 1, 0.5, 1e-5);
    std::vector<float> found = values(seen);
    for (const float value : values(variance)) found.push_back(value);
    return found;
  };
  EXPECT_EQ(run("observe"), run("eager"));
}

TEST_F(Overlap, ThreadsShareWhatTheyMake) {
  constexpr int kThreads = 4, kRounds = 12;
  std::atomic<int64_t> shared[kThreads] = {};
  std::vector<std::thread> threads;
  for (int me = 0; me < kThreads; ++me)
    threads.emplace_back([&, me] {
      Tensor x = full({kSide, kSide}, 1);
      for (int round = 0; round < kRounds; ++round) {
        Tensor y = rt_torch_torchtensor_add_scalar(x, 1), z = rt_torch_torchtensor_mul(y, x);
        rt_torch_torchtensor_shape_dim(z, 1);
        x = std::move(y);
        if (round == me) shared[me] = rt_torch_torchtensor_neg(x);
        const int64_t other = shared[(me + 1) % kThreads];
        if (other != 0 && round % 4 == 3) {
          Tensor both = rt_torch_torchtensor_add(other, x);
          rt_torch_flush();
          EXPECT_EQ(values(both)[5], round + 2 - ((me + 1) % kThreads + 2));
        }
        if (round % 5 == 4) {
          EXPECT_EQ(values(z)[7], (round + 2) * (round + 1));
        }
      }
      EXPECT_EQ(values(x)[0], kRounds + 1);
      // The end of the thread submits this.
      x = Tensor(rt_torch_torchtensor_neg(x));
    });
  for (std::thread& thread : threads) thread.join();
  for (const std::atomic<int64_t>& handle : shared) rt_torch_torchtensor_free(handle);
  EXPECT_EQ(rt_torch_sync(), 1) << last_error();
}

TEST_F(Overlap, AChildOfAForkHasWhatWasSubmitted) {
  Tensor a = big(2);
  for (int i = 0; i < 4; ++i) {
    a = Tensor(rt_torch_torchtensor_mul_scalar(a, 2));
    rt_torch_flush();
  }
  const pid_t child = fork();
  if (child == 0) {
    Tensor b = rt_torch_torchtensor_add(a, a);
    rt_torch_flush();
    _exit(values(b)[3] == 64 && !has_worker() ? 0 : 1);
  }
  int status = 1;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(first(a), 32);
}

TEST_F(Overlap, AThreadThatEndsLeavesNothingUndone) {
  Tensor a;
  std::thread([&] {
    a = big(1);
    a = Tensor(rt_torch_torchtensor_exp(a));
    rt_torch_flush();
  }).join();
  rt_torch_sync();
  EXPECT_EQ(stat("nodes"), stat("batch_nodes") + stat("dead_nodes")) << "nothing is in flight";
}

/// Nodes that read the parameters of a failed step get the values from before the step.
TEST_F(Overlap, AStepThatFailsIsLeftOutOfWhatOverlapsIt) {
  const auto train = [](std::initializer_list<int64_t> rows) {
    Tensor w = big(0.5);
    rt_torch_autograd_set_requires_grad(w, 1);
    const int64_t list[] = {w};
    const int64_t adam = rt_torch_adam_new(list, 1, 0.1, 0.9, 0.99, 1e-8, 0);
    for (const int64_t row : rows) {
      const Tensor index = from_i64({row}), picked = rt_torch_torchtensor_index_select(w, 0, index),
                   square = rt_torch_torchtensor_mul(picked, picked),
                   loss = rt_torch_torchtensor_sum_tensor(square);
      rt_torch_optimizer_zero_grad(adam);
      rt_torch_autograd_backward(loss);
      rt_torch_optimizer_step(adam);
      rt_torch_flush();
    }
    rt_torch_sync();
    EXPECT_EQ(rt_torch_optimizer_free(adam), 0);
    rt_torch_clear_error();
    return values(w);
  };
  EXPECT_EQ(train({3, 3, 900, 4, 901, 3, 5, 902, 903, 4}), train({3, 3, 4, 3, 5, 4}));
  while (rt_torch_sync() == 0) {
  }
  rt_torch_clear_error();
}

TEST_F(Overlap, EachThreadIsToldItsOwnFailures) {
  constexpr int kThreads = 4, kRounds = 6;
  std::vector<std::thread> threads;
  for (int me = 0; me < kThreads; ++me)
    threads.emplace_back([me] {
      const Tensor x = big(1);
      for (int round = 0; round < kRounds; ++round) {
        const Tensor first = from_i64({1000 + me}), second = from_i64({2000 + me}),
                     a = rt_torch_torchtensor_index_select(x, 0, first),
                     b = rt_torch_torchtensor_index_select(x, 0, second);
        rt_torch_flush();
        std::string told;
        int failures = 0;
        for (; rt_torch_sync() == 0; ++failures) told += last_error() + "\n";
        EXPECT_EQ(failures, 2);
        for (const int index : {1000 + me, 2000 + me})
          EXPECT_THAT(told, testing::HasSubstr(std::to_string(index)));
        rt_torch_clear_error();
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(rt_torch_sync(), 1) << last_error();
}

TEST_F(Overlap, TheNewestBatchIsTheOneThatIsDumped) {
  Tensor a = big(1), b = rt_torch_torchtensor_tanh(a);
  rt_torch_flush();
  EXPECT_THAT(rt_torch_graph_text(), testing::HasSubstr("= tanh(%0)"));
}

TEST_F(Overlap, MoreThanTheQueueHoldsIsWaitedFor) {
  std::vector<Tensor> made;
  for (int i = 0; i < 40; ++i) {
    made.push_back(big(i));
    rt_torch_flush();
  }
  for (int i = 0; i < 40; ++i) EXPECT_EQ(first(made[static_cast<size_t>(i)]), i);
}

}  // namespace
}  // namespace rt_test

/// Exits with batches in flight: the process must end normally.
int main(int argc, char** argv) {
  setenv("RT_TORCH_ASYNC", "1", 1);
  testing::InitGoogleTest(&argc, argv);
  const int result = RUN_ALL_TESTS();
  const int64_t sizes[] = {rt_test::kSide, rt_test::kSide};
  for (int i = 0; i < 4; ++i) {
    const int64_t a = rt_torch_tensor_full(sizes, 2, 0.5), b = rt_torch_torchtensor_matmul(a, a);
    rt_torch_torchtensor_shape_dim(b, 0);
  }
  return result;
}
