// errors_test.cpp -- errors name the call that caused them, and none is lost.
#include <cmath>
#include <cstdlib>
#include <thread>

#include "tests/abi/rig.h"

namespace rt_test {
namespace {

using testing::Test;
using Errors = AbiTest;

::testing::AssertionResult says(const std::string& text, std::initializer_list<const char*> parts) {
  for (const char* part : parts)
    if (text.find(part) == std::string::npos)
      return ::testing::AssertionFailure() << '"' << text << "\" lacks \"" << part << '"';
  return ::testing::AssertionSuccess();
}

TEST_F(Errors, NameSymbolOperandsAndCause) {
  Tensor a = full({2, 3}, 1), b = full({4, 5}, 1);
  EXPECT_EQ(rt_torch_torchtensor_matmul(a, b), 0);
  EXPECT_TRUE(says(last_error(), {"rt_torch_torchtensor_matmul(self=#", "f32[2,3]", "other=#",
                                  "f32[4,5]", "inner sizes differ"}));
  EXPECT_EQ(rt_torch_tensor_add(a, b), 0);
  EXPECT_TRUE(says(last_error(), {"rt_torch_tensor_add(", "do not broadcast"}));
  rt_torch_flush();
}

TEST_F(Errors, StayUntilCleared) {
  EXPECT_EQ(rt_torch_relu(0), 0);
  Tensor a = full({2}, 1);
  EXPECT_NE(last_error(), "");
  rt_torch_clear_error();
  EXPECT_EQ(last_error(), "");
  EXPECT_EQ(stat("errors"), 1);
  rt_torch_flush();
}

TEST_F(Errors, AStaleHandleNeverHitsAReusedSlot) {
  Tensor a = full({2}, 1);
  const int64_t stale = a;
  a.free();
  Tensor b = full({3}, 1);
  EXPECT_EQ(rt_torch_torchtensor_numel(stale), -1);
  EXPECT_TRUE(says(last_error(), {"rt_torch_torchtensor_numel", "freed before"}));
  rt_torch_torchtensor_free(stale);
  EXPECT_EQ(rt_torch_torchtensor_numel(b), 3);
}

TEST_F(Errors, HandlesOfNoKind) {
  for (int64_t handle :
       {int64_t{0}, int64_t{-1}, INT64_MAX, INT64_MIN, int64_t{1} << 53, int64_t{1} << 40}) {
    rt_torch_clear_error();
    EXPECT_EQ(rt_torch_torchtensor_exp(handle), 0);
    EXPECT_NE(last_error(), "");
    EXPECT_TRUE(std::isnan(rt_torch_torchtensor_sum(handle)));
    EXPECT_EQ(rt_torch_torchtensor_ndim(handle), -1);
    EXPECT_NE(rt_torch_free(handle), 0);
  }
}

TEST_F(Errors, AFailingNodePoisonsWhatDependsOnItAndNothingElse) {
  rt_torch_set_location("train.spl", 12);
  Tensor a = full({3}, 1), index = from_i64({7});
  Tensor bad = rt_torch_torchtensor_index_select(a, 0, index);
  Tensor worse = rt_torch_torchtensor_neg(bad), good = rt_torch_torchtensor_exp(a);
  rt_torch_set_location("", 0);
  EXPECT_NEAR(rt_torch_torchtensor_sum(good), 3 * std::exp(1.0), 1e-5);
  EXPECT_EQ(last_error(), "") << "the forcing call's own value is sound";
  EXPECT_TRUE(std::isnan(rt_torch_torchtensor_item(worse)));
  EXPECT_TRUE(
      says(last_error(), {"rt_torch_torchtensor_index_select", "train.spl:12", "7", "size 3"}));
  const std::string first = last_error();
  rt_torch_clear_error();
  EXPECT_EQ(rt_torch_torchtensor_add(worse, a), 0);
  EXPECT_EQ(last_error(), first) << "recording on a poisoned value repeats the first message";
}

TEST_F(Errors, ACompiledBatchFailsAsAFreshOne) {
  Tensor a = full({3}, 1);
  rt_torch_flush();
  for (int64_t at : {0, 1, 2, 3, 0}) {
    rt_torch_clear_error();
    Tensor index = from_i64({at});
    Tensor b = rt_torch_torchtensor_neg(a), picked = rt_torch_torchtensor_index_select(b, 0, index);
    Tensor other = rt_torch_torchtensor_exp(b);
    EXPECT_EQ(rt_torch_sync(), at < 3 ? 1 : 0);
    EXPECT_EQ(last_error().empty(), at < 3);
    EXPECT_FLOAT_EQ(values(other)[0], std::exp(-1.0F));
    if (at < 3) {
      EXPECT_EQ(values(picked)[0], -1);
    }
  }
}

TEST_F(Errors, SyncTellsAFailureOnce) {
  Tensor a = full({3}, 1), index = from_i64({-1});
  Tensor bad = rt_torch_torchtensor_index_select(a, 0, index);
  EXPECT_EQ(rt_torch_sync(), 0);
  EXPECT_TRUE(says(last_error(), {"index_select"}));
  EXPECT_EQ(rt_torch_sync(), 1);
}

TEST_F(Errors, EachFailureIsKeptUntilACallTellsIt) {
  for (const size_t read : {0, 1, 2}) {
    Tensor a = full({3}, 1);
    std::vector<Tensor> failed;
    for (const int64_t at : {7, 8, 9}) {
      const Tensor index = from_i64({at});
      failed.push_back(rt_torch_torchtensor_index_select(a, 0, index));
    }
    rt_torch_flush();
    EXPECT_TRUE(std::isnan(rt_torch_torchtensor_item(failed[read])));
    const std::string told = std::to_string(7 + read);
    EXPECT_TRUE(says(last_error(), {told.c_str()}));
    rt_torch_clear_error();
    for (const int64_t at : {7, 8, 9}) {
      if (at == static_cast<int64_t>(7 + read)) continue;
      EXPECT_EQ(rt_torch_sync(), 0);
      EXPECT_TRUE(says(last_error(), {std::to_string(at).c_str()}));
      rt_torch_clear_error();
    }
    EXPECT_EQ(rt_torch_sync(), 1);
  }
}

TEST_F(Errors, AFailureThatRepeatsIsKeptOnce) {
  Tensor a = full({3}, 1), index = from_i64({7});
  for (int i = 0; i < 100; ++i) {
    const Tensor bad = rt_torch_torchtensor_index_select(a, 0, index);
    rt_torch_flush();
  }
  EXPECT_EQ(rt_torch_sync(), 0);
  EXPECT_EQ(rt_torch_sync(), 1);
}

TEST_F(Errors, OfABatchThatAnotherThreadSubmitsAreToldToWhoRecordedIt) {
  Tensor a = full({3}, 1), index = from_i64({7});
  rt_torch_flush();
  Tensor bad = rt_torch_torchtensor_index_select(a, 0, index), good = rt_torch_torchtensor_neg(a);
  std::thread([&] {
    EXPECT_EQ(values(good)[0], -1);
    EXPECT_EQ(rt_torch_sync(), 1) << last_error();
  }).join();
  EXPECT_EQ(rt_torch_sync(), 0);
  EXPECT_TRUE(says(last_error(), {"index_select"}));
  EXPECT_EQ(rt_torch_sync(), 1);
}

TEST_F(Errors, NameTheCallThatTheClientMade) {
  rt_torch_set_location("train.spl", 4);
  const int64_t sizes[] = {2, 3};
  Tensor logits = full({2, 3}, 0.5), labels = from_i64({0, 3});
  rt_torch_autograd_set_requires_grad(logits, 1);
  const auto expect = [](int64_t failed, const char* symbol) {
    EXPECT_TRUE(std::isnan(rt_torch_torchtensor_sum(failed)));
    EXPECT_TRUE(says(last_error(), {symbol, "f32[2,3]", "train.spl:4"}));
    EXPECT_EQ(last_error().find(symbol), 0u) << last_error();
    rt_torch_clear_error();
    EXPECT_EQ(rt_torch_sync(), 1) << last_error();
  };
  expect(Tensor(rt_torch_nn_cross_entropy_tensor(logits, labels)),
         "rt_torch_nn_cross_entropy_tensor(");
  expect(Tensor(rt_torch_nn_nll_loss_tensor(logits, labels)), "rt_torch_nn_nll_loss_tensor(");
  Tensor outside = rt_torch_tensor_full(sizes, 2, 1.5);
  expect(Tensor(rt_torch_nn_binary_cross_entropy_tensor(logits, outside)),
         "rt_torch_nn_binary_cross_entropy_tensor(");
  rt_torch_set_location("", 0);
}

TEST_F(Errors, MoreMemoryThanTheMachineHasIsRefusedWhenRecorded) {
  const int64_t sizes[] = {1 << 20, 1 << 20, 16};
  EXPECT_EQ(rt_torch_tensor_zeros(sizes, 3), 0);
  EXPECT_TRUE(says(last_error(), {"bytes", "this machine has"}));
  const int64_t overflowing[] = {INT64_MAX, INT64_MAX};
  EXPECT_EQ(rt_torch_tensor_zeros(overflowing, 2), 0);
  EXPECT_TRUE(says(last_error(), {"overflow"}));
  const int64_t negative[] = {-1};
  EXPECT_EQ(rt_torch_tensor_zeros(negative, 1), 0);
  EXPECT_TRUE(says(last_error(), {"negative"}));
  EXPECT_EQ(rt_torch_tensor_zeros(nullptr, 3), 0);
  EXPECT_EQ(rt_torch_tensor_zeros(sizes, -3), 0);
}

TEST_F(Errors, ViewOfStridesThatDoNotAllowItIsACopy) {
  const double data[] = {1, 2, 3, 4, 5, 6};
  const int64_t sizes[] = {2, 3}, six = 6;
  const Tensor a = rt_torch_tensor_from_data(data, 6, sizes, 2), b = rt_torch_torchtensor_t(a);
  const Tensor pending = rt_torch_torchtensor_neg(a), turned = rt_torch_torchtensor_t(pending);
  const Tensor of_pending = rt_torch_torchtensor_view(turned, &six, 1);
  EXPECT_THAT(values(of_pending), testing::ElementsAre(-1, -4, -2, -5, -3, -6));
  const Tensor of_concrete = rt_torch_torchtensor_view(b, &six, 1);
  EXPECT_THAT(values(of_concrete), testing::ElementsAre(1, 4, 2, 5, 3, 6));
  EXPECT_EQ(last_error(), "");
}

TEST_F(Errors, ReadsCheckTheirArguments) {
  Tensor a = full({3}, 1);
  float small[2];
  EXPECT_EQ(rt_torch_copy_data(a, small, 2, 0), -1);
  EXPECT_NE(last_error(), "");
  EXPECT_EQ(rt_torch_copy_data(a, nullptr, 3, 0), -1);
  EXPECT_EQ(rt_torch_copy_data(a, small, 3, 99), -1);
  EXPECT_EQ(rt_torch_copy_data_to_cpu(a, small, 2), 0);
  EXPECT_TRUE(std::isnan(rt_torch_torchtensor_item(a)));
  EXPECT_EQ(rt_torch_stat("no_such_counter"), -1);
  EXPECT_EQ(rt_torch_stat(nullptr), -1);
  EXPECT_EQ(rt_torch_set_policy("lazy"), 0);
  EXPECT_TRUE(says(last_error(), {"observe", "data", "eager"}));
}

}  // namespace
}  // namespace rt_test
