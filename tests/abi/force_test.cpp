// force_test.cpp -- the events that submit pending work under each policy, and those that do not.
#include <cmath>

#include "tests/abi/rig.h"

namespace rt_test {
namespace {

using Force = AbiTest;

TEST_F(Force, RecordingRunsNothing) {
  Tensor a = full({2, 3}, 2), b = rt_torch_torchtensor_add(a, a);
  EXPECT_EQ(rt_torch_pending(), 2);
  EXPECT_EQ(rt_torch_torchtensor_ndim(b), 2);
  EXPECT_EQ(rt_torch_torchtensor_dtype(b), 0);
  EXPECT_EQ(stat("batches"), 0);
  EXPECT_EQ(rt_torch_flush(), 2);
}

TEST_F(Force, AShapeQuestionSubmitsUnderObserveOnly) {
  for (const char* policy : {"observe", "data"}) {
    rt_torch_set_policy(policy);
    rt_torch_stats_reset();
    Tensor a = full({2, 3}, 2), b = rt_torch_torchtensor_neg(a);
    EXPECT_EQ(rt_torch_torchtensor_numel(b), 6);
    EXPECT_EQ(rt_torch_torchtensor_shape_dim(b, 1), 3);
    EXPECT_EQ(rt_torch_torchtensor_shape_dim(b, 2), -1);
    EXPECT_EQ(rt_torch_torchtensor_shape_dim(b, -1), -1);
    EXPECT_EQ(stat("forced_by_shape"), policy == std::string("observe") ? 1 : 0);
    EXPECT_EQ(stat("batches"), stat("forced_by_shape"));
    rt_torch_flush();
  }
}

TEST_F(Force, AFreeOfAConsumedTemporaryForcesNothing) {
  Tensor a = full({4}, 1);
  Tensor b = rt_torch_torchtensor_exp(a);
  a.free();
  EXPECT_EQ(stat("batches"), 0);
  EXPECT_EQ(rt_torch_pending(), 2);
  EXPECT_FLOAT_EQ(values(b)[3], std::exp(1.0F));
}

TEST_F(Force, AFreeOfTheLastHolderSubmitsTheOthersAndNeverRunsTheFreed) {
  Tensor a = full({4}, 1), b = rt_torch_torchtensor_exp(a), unused = rt_torch_torchtensor_log(a);
  unused.free();
  EXPECT_EQ(stat("forced_by_free"), 1);
  EXPECT_EQ(stat("batch_nodes"), 2);
  EXPECT_EQ(stat("dead_nodes"), 1);
}

TEST_F(Force, WhenNothingLiveRemainsThereIsNoBatch) {
  {
    Tensor a = full({4}, 1), b = rt_torch_torchtensor_exp(a);
    a.free();
  }
  EXPECT_EQ(stat("batches"), 0);
  EXPECT_EQ(stat("dead_nodes"), 2);
}

TEST_F(Force, UnderDataAFreeNeverSubmits) {
  rt_torch_set_policy("data");
  Tensor a = full({4}, 1), b = rt_torch_torchtensor_exp(a), c = rt_torch_torchtensor_log(b);
  c.free();
  EXPECT_EQ(stat("batches"), 0);
  EXPECT_EQ(stat("dead_nodes"), 1);
  EXPECT_NEAR(rt_torch_torchtensor_sum(b), 4 * std::exp(1.0), 1e-5);
  EXPECT_EQ(stat("forced_by_read"), 1);
  EXPECT_EQ(stat("batches"), 1);
}

TEST_F(Force, EagerRunsEveryNode) {
  rt_torch_set_policy("eager");
  rt_torch_stats_reset();
  Tensor a = full({4}, 1), b = rt_torch_torchtensor_exp(a);
  EXPECT_EQ(stat("forced_by_eager"), 2);
  EXPECT_EQ(rt_torch_pending(), 0);
}

TEST_F(Force, AForceRunsEveryRootSoNothingRunsTwice) {
  Tensor a = full({4}, 1), b = rt_torch_torchtensor_exp(a), c = rt_torch_torchtensor_neg(a);
  EXPECT_NEAR(rt_torch_torchtensor_sum(b), 4 * std::exp(1.0), 1e-5);
  EXPECT_EQ(values(c)[0], -1);
  EXPECT_EQ(stat("batches"), 1);
}

TEST_F(Force, DeadRandomNodesStillDraw) {
  const auto next = [](bool lazily) {
    rt_torch_set_policy(lazily ? "data" : "eager");
    rt_torch_manual_seed(7);
    const int64_t size = 5;
    Tensor dropped = rt_torch_tensor_rand(&size, 1);
    dropped.free();
    Tensor kept = rt_torch_tensor_rand(&size, 1);
    return values(kept);
  };
  EXPECT_EQ(next(true), next(false));
}

TEST_F(Force, ViewsOfConcreteValuesRecordNothing) {
  Tensor a = from_i64({1, 2, 3, 4, 5, 6});
  const int64_t sizes[] = {2, 3};
  Tensor b = rt_torch_torchtensor_reshape(a, sizes, 2), c = rt_torch_torchtensor_t(b);
  Tensor d = rt_torch_torchtensor_slice(c, 0, 1, 3, 1);
  EXPECT_EQ(stat("nodes"), 0);
  EXPECT_EQ(values(d), (std::vector<float>{2, 5, 3, 6}));
}

TEST_F(Force, LoopsHitTheCacheWhileScalarsAndSlicesMove) {
  Tensor data = full({64, 8}, 1), weight = full({8}, 0.5);
  rt_torch_flush();
  for (int step = 0; step < 6; ++step) {
    rt_torch_stats_reset();
    Tensor rows = rt_torch_torchtensor_slice(data, 0, step * 8, step * 8 + 8, 1);
    Tensor scaled = rt_torch_torchtensor_mul_scalar(rows, 0.1 * step);
    Tensor product = rt_torch_torchtensor_matmul(scaled, weight);
    Tensor moved = rt_torch_torchtensor_add_scalar(product, step);
    rows.free();
    scaled.free();
    product.free();
    EXPECT_NEAR(rt_torch_torchtensor_mean(moved), 8 * 0.5 * 0.1 * step + step, 1e-5);
    EXPECT_EQ(stat("batches"), 1);
    if (step >= 3) {
      EXPECT_EQ(stat("cache_hits"), 1) << step;
    }
  }
}

TEST_F(Force, ShapeQuestionsAnswerFromInferenceForPoisonedWorkToo) {
  Tensor a = full({3}, 1), index = from_i64({7});
  Tensor bad = rt_torch_torchtensor_index_select(a, 0, index);
  EXPECT_EQ(rt_torch_torchtensor_shape_dim(bad, 0), 1);
  EXPECT_EQ(rt_torch_sync(), 0);
}

TEST_F(Force, TheSamePoliciesGiveTheSameBits) {
  std::vector<float> results[3];
  int at = 0;
  for (const char* policy : {"observe", "data", "eager"}) {
    rt_torch_set_policy(policy);
    rt_torch_manual_seed(3);
    const int64_t sizes[] = {33, 17};
    Tensor a = rt_torch_tensor_randn(sizes, 2), b = rt_torch_tensor_rand(sizes, 2);
    Tensor c = rt_torch_torchtensor_mul(a, b), d = rt_torch_torchtensor_softmax(c, 1);
    Tensor e = rt_torch_torchtensor_t(d), f = rt_torch_torchtensor_matmul(c, e);
    Tensor g = rt_torch_torchtensor_gelu(f), h = rt_torch_torchtensor_sum_dim(g, 0, 1);
    results[at++] = values(h);
  }
  EXPECT_EQ(results[0], results[1]);
  EXPECT_EQ(results[0], results[2]);
}

}  // namespace
}  // namespace rt_test
