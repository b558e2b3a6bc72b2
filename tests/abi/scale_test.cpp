// scale_test.cpp -- long chains on a small stack, several threads, memory of a wide network.
#include <atomic>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <random>
#include <sstream>
#include <thread>

#include "tests/abi/rig.h"
#include "tests/abi/small_stack.h"

namespace rt_test {
namespace {

using Scale = AbiTest;

constexpr int kLong = kSanitized ? 100'000 : 1'000'000;

/// Adds one repeatedly without a period, since a periodic tape would be cut.
Tensor long_chain(const Tensor& one) {
  std::mt19937 random(1);
  Tensor sum = full({2}, 0);
  for (int i = 0; i < kLong; ++i)
    sum = Tensor(random() % 2 == 0 ? rt_torch_torchtensor_add(sum, one)
                                   : rt_torch_torchtensor_add_scalar(sum, 1));
  return sum;
}

TEST_F(Scale, AMillionPendingAddsRecordForceDumpAndFreeOnASmallStack) {
  on_small_stack([] {
    Tensor one = full({2}, 1);
    {
      Tensor sum = long_chain(one);
      EXPECT_EQ(rt_torch_pending(), kLong + 2);
      std::stringstream path;
      path << testing::TempDir() << "chain.txt";
      EXPECT_EQ(rt_torch_graph_dump(path.str().c_str(), "text"), 1) << last_error();
      std::ifstream file(path.str());
      EXPECT_GT(std::count(std::istreambuf_iterator<char>(file), {}, '\n'), kLong);
      std::remove(path.str().c_str());
      EXPECT_EQ(values(sum)[1], static_cast<float>(kLong));
      EXPECT_EQ(stat("batches"), 1);
    }
    {
      Tensor sum = long_chain(one);  // freed before it ran
    }
    EXPECT_EQ(rt_torch_pending(), 0);
    EXPECT_EQ(last_error(), "");
  });
}

TEST_F(Scale, ALoopThatNeverReadsIsCutWhereItRepeats) {
  rt_torch_set_policy("data");
  Tensor weight = full({4}, 1);
  const double ones[4] = {1, 1, 1, 1};
  const int64_t four = 4;
  rt_torch_flush();  // the first batch must not contain the weight's creation
  rt_torch_stats_reset();
  int64_t hits = 0, batches = 0;
  for (int step = 0; step < 70'000; ++step) {
    Tensor input = rt_torch_tensor_from_data(ones, 4, &four, 1);
    Tensor gradient = rt_torch_torchtensor_mul(input, weight);
    Tensor scaled = rt_torch_torchtensor_mul_scalar(gradient, 1e-6);
    Tensor narrow = rt_torch_torchtensor_to_float32(scaled);
    weight = Tensor(rt_torch_torchtensor_sub(weight, narrow));
  }
  hits = stat("cache_hits");
  batches = stat("forced_by_limit");
  EXPECT_GE(batches, 3);
  EXPECT_GE(hits, batches - 2) << "from the third cut on";
  rt_torch_flush();
}

TEST_F(Scale, TwoThreadsKeepTheirOwnTapesAndHitTheCache) {
  std::atomic<int> wrong{0};
  const auto train = [&](double rate) {
    Tensor weight = full({8, 8}, 1);
    double expected = 1;
    for (int step = 0; step < 200; ++step) {
      Tensor gradient = rt_torch_torchtensor_mul_scalar(weight, rate);
      Tensor next = rt_torch_torchtensor_sub(weight, gradient);
      Tensor doubled = rt_torch_torchtensor_add(next, next);
      gradient.free();
      expected *= 1 - rate;
      if (std::abs(rt_torch_torchtensor_mean(doubled) - 2 * expected) > 1e-4) ++wrong;
      weight = std::move(next);
    }
  };
  std::thread first(train, 0.01), second(train, 0.02);
  first.join();
  second.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(stat("batches"), 400);
  // While one thread compiles the batch, the other runs it step by step.
  EXPECT_GE(stat("cache_hits"), 300);
}

TEST_F(Scale, IntermediatesAreReleasedAtTheirLastUse) {
  constexpr int64_t kLayers = 50, kWidth = 128, kActivation = kWidth * kWidth * 4;
  rt_torch_set_policy("data");
  std::vector<Tensor> weights;
  for (int64_t i = 0; i < kLayers; ++i) weights.push_back(full({kWidth, kWidth}, 0.01));
  Tensor x = full({kWidth, kWidth}, 1);
  for (int round = 0; round < 3; ++round) {  // the last ones run compiled
    rt_torch_sync();
    rt_torch_stats_reset();
    const int64_t before = stat("live_bytes");
    Tensor y = rt_torch_torchtensor_clone(x);
    for (const Tensor& weight : weights) {
      Tensor wide = rt_torch_nn_linear(y, weight, 0);
      y = rt_torch_torchtensor_relu(wide);
    }
    EXPECT_GT(rt_torch_torchtensor_sum(y), 0);
    EXPECT_EQ(stat("batches"), 1);
    EXPECT_LT(stat("peak_bytes") - before, 3 * kActivation + 4096);
  }
  rt_torch_set_policy("observe");
}

TEST_F(Scale, APendingValuePassesBetweenThreads) {
  Tensor a = full({3}, 2), b = rt_torch_torchtensor_exp(a);
  double sum = 0;
  std::thread other([&] {
    Tensor c = rt_torch_torchtensor_log(b);
    sum = rt_torch_torchtensor_sum(c);
  });
  other.join();
  EXPECT_NEAR(sum, 6, 1e-5);
  EXPECT_EQ(rt_torch_pending(), 0) << "its tape was submitted first";
}

TEST_F(Scale, TheTapeOfAThreadThatEndsWaitsForAReader) {
  int64_t handle = 0;
  std::thread other([&] { handle = rt_torch_tensor_eye(3); });
  other.join();
  Tensor eye(handle);
  EXPECT_EQ(stat("batches"), 0);
  EXPECT_EQ(rt_torch_torchtensor_sum(eye), 3);
  EXPECT_EQ(stat("pending_nodes"), 0);
}

TEST_F(Scale, TheDumpShowsLabelsPlacesAndScalars) {
  rt_torch_set_location("train.spl", 42);
  Tensor a = full({2, 2}, 1), b = rt_torch_torchtensor_add_scalar(a, 0.5);
  rt_torch_set_location("", 0);
  rt_torch_set_label(b, "shifted");
  const std::string text = rt_torch_graph_text();
  EXPECT_NE(text.find("add_scalar("), std::string::npos) << text;
  EXPECT_NE(text.find("<0.5>"), std::string::npos) << text;
  EXPECT_NE(text.find("shifted"), std::string::npos) << text;
  EXPECT_NE(text.find("train.spl:42"), std::string::npos) << text;
  EXPECT_EQ(stat("batches"), 0);
  rt_torch_flush();
  EXPECT_EQ(rt_torch_graph_text(), text) << "when nothing is pending, the newest batch";
}

}  // namespace
}  // namespace rt_test
