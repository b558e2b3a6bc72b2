// device_test.cpp -- device calls on a machine without CUDA: all of them return, and report what is
// missing.
#include <gmock/gmock.h>

#include "tests/abi/rig.h"

namespace rt_test {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

class WithoutCuda : public AbiTest {
 protected:
  void SetUp() override {
    if (rt_torch_cuda_available()) GTEST_SKIP() << "this machine has a CUDA device";
    AbiTest::SetUp();
  }
  /// Expects no handle, and a message that begins with the call and names the device.
  static void expect_refused(int64_t handle, const std::string& symbol, const std::string& device) {
    EXPECT_EQ(handle, 0);
    EXPECT_THAT(last_error(), StartsWith(symbol + "("));
    EXPECT_THAT(last_error(), HasSubstr(device));
    rt_torch_clear_error();
  }
};

TEST_F(WithoutCuda, ThereAreNoDevicesAndNoMemory) {
  EXPECT_EQ(rt_torch_cuda_available(), 0);
  EXPECT_EQ(rt_torch_cuda_device_count(), 0);
  for (const int64_t device : {0, 1, -1, 99}) {
    EXPECT_EQ(rt_torch_cuda_memory_allocated(device), 0);
    EXPECT_EQ(rt_torch_cuda_max_memory_allocated(device), 0);
  }
  rt_torch_cuda_empty_cache();
  EXPECT_EQ(last_error(), "");
}

TEST_F(WithoutCuda, TensorsAreOnTheCpu) {
  const Tensor x = full({2}, 1), pending = rt_torch_torchtensor_neg(x);
  for (const int64_t handle : {int64_t{x}, int64_t{pending}}) {
    EXPECT_EQ(rt_torch_torchtensor_device(handle), -1);
    EXPECT_EQ(rt_torch_torchtensor_is_cuda(handle), 0);
    EXPECT_EQ(rt_torch_tensor_is_cuda(handle), 0);
  }
  EXPECT_EQ(last_error(), "");
}

TEST_F(WithoutCuda, MovesToTheCpuAreNoMoves) {
  const Tensor x = full({2}, 3);
  const Tensor copies[] = {rt_torch_torchtensor_cpu(x), rt_torch_tensor_cpu(x),
                           rt_torch_tensor_to_device(x, -1), rt_torch_to_cpu(x)};
  for (const Tensor& copy : copies) EXPECT_THAT(values(copy), testing::ElementsAre(3, 3));
  EXPECT_EQ(last_error(), "");
}

TEST_F(WithoutCuda, MovesToCudaAreRefusedByName) {
  const Tensor x = full({2}, 1);
  expect_refused(rt_torch_torchtensor_cuda(x, 0), "rt_torch_torchtensor_cuda", "cuda:0");
  expect_refused(rt_torch_tensor_cuda(x, 1), "rt_torch_tensor_cuda", "cuda:1");
  expect_refused(rt_torch_tensor_to_device(x, 2), "rt_torch_tensor_to_device", "cuda:2");
  expect_refused(rt_torch_to_cuda(x, 0), "rt_torch_to_cuda", "cuda:0");
  expect_refused(rt_torch_torchtensor_cuda(x, -1), "rt_torch_torchtensor_cuda", "-1");
  expect_refused(rt_torch_to_cuda(x, -5), "rt_torch_to_cuda", "-5");
  expect_refused(rt_torch_torchtensor_cuda(x, 1000), "rt_torch_torchtensor_cuda", "1000");
}

TEST_F(WithoutCuda, CreationThereIsRefusedByName) {
  const int64_t sizes[] = {2};
  const double data[] = {1, 2};
  expect_refused(rt_torch_zeros(sizes, 1, 0, 1), "rt_torch_zeros", "cuda:0");
  expect_refused(rt_torch_ones(sizes, 1, 0, 3), "rt_torch_ones", "cuda:2");
  expect_refused(rt_torch_randn(sizes, 1, 0, 1), "rt_torch_randn", "cuda:0");
  expect_refused(rt_torch_arange(0, 4, 1, 3, 1), "rt_torch_arange", "cuda:0");
  expect_refused(rt_torch_tensor(data, 2, sizes, 1, 0, 1), "rt_torch_tensor", "cuda:0");
  expect_refused(rt_torch_zeros(sizes, 1, 0, -1), "rt_torch_zeros", "-1");
  EXPECT_EQ(rt_torch_pending(), 0);
}

}  // namespace
}  // namespace rt_test
