// allocator_test.cpp -- libtorch's host tensors in recycled blocks, and the owners of these.
#include "executor/torchscript/allocator.h"

#include <ATen/ATen.h>
#include <c10/core/CPUAllocator.h>
#include <gtest/gtest.h>

#include <cstring>
#include <thread>

namespace rt::torchscript {
namespace {

/// Counts of floats at the limits of small and large size classes.
const int64_t kCounts[] = {1, 64, 65, 256, 1000, 16384, 16385, 1 << 20};

class PooledMemoryOf : public testing::TestWithParam<int64_t> {};
INSTANTIATE_TEST_SUITE_P(Floats, PooledMemoryOf, testing::ValuesIn(kCounts));

#if !defined(__SANITIZE_ADDRESS__)  // it recycles nothing
TEST_P(PooledMemoryOf, IsUsedAgainByTheNextOfItsSize) {
  const PooledMemory pooled;
  const void* first = at::zeros({GetParam()}).data_ptr();
  EXPECT_EQ(at::zeros({GetParam()}).data_ptr(), first);
}
#endif

TEST_P(PooledMemoryOf, IsAlignedWholeAndItsOwn) {
  const PooledMemory pooled;
  const at::Tensor a = at::full({GetParam()}, 1.0f), b = at::full({GetParam()}, 2.0f);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(a.data_ptr()) % 64, 0u);
  EXPECT_EQ(a.sum().item<double>(), static_cast<double>(GetParam()));
  EXPECT_EQ(b.sum().item<double>(), 2 * static_cast<double>(GetParam()));
}

TEST_P(PooledMemoryOf, MayOutliveItsScopeAndItsThread) {
  at::Tensor outside, elsewhere;
  {
    const PooledMemory pooled;
    outside = at::full({GetParam()}, 3.0f);
  }
  std::thread([&] {
    const PooledMemory pooled;
    elsewhere = at::full({GetParam()}, 4.0f);
    at::zeros({GetParam()});
  }).join();
  EXPECT_EQ((outside + elsewhere).min().item<float>(), 7.0f);
  outside.reset();
  elsewhere.reset();
  const at::Tensor before = at::full({GetParam()}, 5.0f);  // from libtorch's own allocator
  const PooledMemory pooled;
  EXPECT_EQ(before.max().item<float>(), 5.0f);
}

TEST_P(PooledMemoryOf, IsGivenBackWithoutItsDataPtrToo) {
  const PooledMemory first;  // installs our allocator
  c10::Allocator* const allocator = c10::GetCPUAllocator();
  const size_t bytes = static_cast<size_t>(GetParam()) * 4;
  void* outside = nullptr;
  std::thread([&] { outside = allocator->raw_allocate(bytes); }).join();  // without a PooledMemory
  void* const inside = allocator->raw_allocate(bytes);
  std::memset(inside, 1, bytes);
  std::memset(outside, 2, bytes);
  EXPECT_EQ(static_cast<char*>(inside)[bytes - 1], 1);
  EXPECT_EQ(static_cast<char*>(outside)[bytes - 1], 2);
  EXPECT_NE(allocator->raw_deleter(), nullptr);
  allocator->raw_deallocate(outside);
  std::thread([&] { allocator->raw_deallocate(inside); }).join();
}

}  // namespace
}  // namespace rt::torchscript
