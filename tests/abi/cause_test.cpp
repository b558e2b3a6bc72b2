// cause_test.cpp -- failures that only follow from an earlier one keep its last error.
#include <cmath>
#include <thread>

#include "tests/abi/rig.h"

namespace rt_test {
namespace {

using testing::HasSubstr;

class Cause : public AbiTest, public testing::WithParamInterface<const char*> {
 protected:
  void SetUp() override {
    AbiTest::SetUp();
    ASSERT_NE(rt_torch_set_policy(GetParam()), 0);
  }
  /// Makes a call that fails, and returns its error.
  static std::string fail() {
    const Tensor a = full({2, 3}, 1);
    EXPECT_EQ(rt_torch_torchtensor_matmul(a, a), 0);
    EXPECT_THAT(last_error(), HasSubstr("inner sizes differ"));
    return last_error();
  }
  /// Passes handle 0 to every kind of call.
  static void pass_on_zero() {
    const int64_t zero = 0;
    double number = 0;
    float buffer[1];
    EXPECT_EQ(rt_torch_torchtensor_relu(0), 0);
    EXPECT_EQ(rt_torch_torchtensor_add(0, 0), 0);
    EXPECT_EQ(rt_torch_torchtensor_cat(&zero, 1, 0), 0);
    EXPECT_TRUE(std::isnan(rt_torch_torchtensor_sum(0)));
    EXPECT_NE(rt_torch_torchtensor_sum_checked(0, &number), 0);
    EXPECT_TRUE(std::isnan(rt_torch_torchtensor_item(0)));
    EXPECT_EQ(rt_torch_copy_data(0, buffer, 1, 0), -1);
    EXPECT_EQ(rt_torch_torchtensor_numel(0), -1);
    EXPECT_EQ(rt_torch_torchtensor_ndim(0), -1);
    EXPECT_EQ(rt_torch_torchtensor_chunk(0, 2, 0, nullptr, 0), -1);
    EXPECT_EQ(rt_torch_nn_batch_norm(0, 0, 0, 0, 0, 1, 0.1, 1e-5), 0);
    rt_torch_torchtensor_free(0);
    rt_torch_autograd_backward(0);
    rt_torch_autograd_set_requires_grad(0, 1);
    rt_torch_autograd_zero_grad(0);
    EXPECT_EQ(rt_torch_autograd_grad(0), 0);
    EXPECT_EQ(rt_torch_autograd_detach(0), 0);
    EXPECT_EQ(rt_torch_sgd_new(&zero, 1, 0.1, 0, 0), 0);
    EXPECT_NE(rt_torch_optimizer_step(0), 0);
    EXPECT_NE(rt_torch_optimizer_free(0), 0);
    rt_torch_tensor_save(0, "no/such/folder/x.pt");
    EXPECT_EQ(rt_torch_safetensors_get_tensor(0, "x"), 0);
    rt_torch_set_label(0, "x");
    rt_torch_torchstream_free(0);
  }
};

TEST_P(Cause, StaysThroughCallsThatAreHandedZero) {
  const std::string cause = fail();
  pass_on_zero();
  EXPECT_EQ(last_error(), cause);
  rt_torch_clear_error();
}

TEST_P(Cause, IsZeroWhereNothingElseFailed) {
  pass_on_zero();
  EXPECT_THAT(last_error(), HasSubstr("rt_torch_torchtensor_relu(self=#0): handle is 0"));
  rt_torch_clear_error();
  EXPECT_EQ(rt_torch_torchtensor_numel(0), -1);
  EXPECT_THAT(last_error(), HasSubstr("rt_torch_torchtensor_numel(handle=#0): handle is 0"));
  rt_torch_clear_error();
}

TEST_P(Cause, IsTheNewestOfSeveral) {
  fail();
  EXPECT_EQ(rt_torch_set_policy("lazy"), 0);
  EXPECT_THAT(last_error(), HasSubstr("rt_torch_set_policy"));
  pass_on_zero();
  EXPECT_THAT(last_error(), HasSubstr("rt_torch_set_policy"));
  const int64_t freed = rt_torch_tensor_ones_1d(2);
  rt_torch_torchtensor_free(freed);
  rt_torch_torchtensor_free(freed);
  EXPECT_THAT(last_error(), HasSubstr("was freed before")) << "a mistake of its own";
  rt_torch_clear_error();
}

TEST_P(Cause, StaysThroughCallsThatAreHandedAFailedValue) {
  const Tensor a = full({3}, 1), index = from_i64({7});
  const Tensor bad = rt_torch_torchtensor_index_select(a, 0, index);
  EXPECT_TRUE(std::isnan(rt_torch_torchtensor_item(bad)));
  rt_torch_clear_error();
  EXPECT_EQ(rt_torch_sync(), 1) << "the read has told the failure";
  const std::string cause = fail();
  double number = 0;
  float buffer[1];
  EXPECT_EQ(rt_torch_torchtensor_neg(bad), 0);
  EXPECT_TRUE(std::isnan(rt_torch_torchtensor_sum(bad)));
  EXPECT_TRUE(std::isnan(rt_torch_torchtensor_item(bad)));
  EXPECT_NE(rt_torch_torchtensor_sum_checked(bad, &number), 0);
  EXPECT_EQ(rt_torch_copy_data(bad, buffer, 1, 0), -1);
  EXPECT_EQ(last_error(), cause);
  rt_torch_clear_error();
  EXPECT_TRUE(std::isnan(rt_torch_torchtensor_item(bad)));
  EXPECT_THAT(last_error(), HasSubstr("index_select"));
  rt_torch_clear_error();
}

TEST_P(Cause, AFailureThatNobodyWasToldStaysForSync) {
  const Tensor a = full({3}, 1), index = from_i64({7});
  const Tensor bad = rt_torch_torchtensor_index_select(a, 0, index);
  rt_torch_flush();
  const std::string cause = fail();
  EXPECT_EQ(rt_torch_torchtensor_neg(bad), 0);
  EXPECT_EQ(last_error(), cause);
  EXPECT_EQ(rt_torch_sync(), 0);
  EXPECT_THAT(last_error(), HasSubstr("index_select"));
  rt_torch_clear_error();
}

TEST_P(Cause, IsEachThreadsOwn) {
  const std::string cause = fail();
  std::thread([] {
    EXPECT_EQ(rt_torch_torchtensor_relu(0), 0);
    EXPECT_THAT(last_error(), HasSubstr("handle is 0"));
  }).join();
  EXPECT_EQ(last_error(), cause);
  rt_torch_clear_error();
}

INSTANTIATE_TEST_SUITE_P(, Cause, each_policy(), name_of_policy);

}  // namespace
}  // namespace rt_test
