// rig.h -- shared by the ABI tests: fixtures that check for leaks, and a handle that frees itself.
#pragma once
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "rt_torch.h"

namespace rt_test {

/// Owns a handle and frees it at the end of the scope, as compiled programs do.
class Tensor {
 public:
  Tensor(int64_t handle = 0) : handle_(handle) {}
  Tensor(Tensor&& other) noexcept : handle_(std::exchange(other.handle_, 0)) {}
  Tensor& operator=(Tensor&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~Tensor() { free(); }
  void free() {
    if (handle_ > 0) rt_torch_torchtensor_free(handle_);
    handle_ = 0;
  }
  operator int64_t() const { return handle_; }

 private:
  int64_t handle_;
};

inline int64_t stat(const char* name) { return rt_torch_stat(name); }

inline Tensor full(std::initializer_list<int64_t> sizes, double value) {
  return rt_torch_tensor_full(sizes.begin(), static_cast<int64_t>(sizes.size()), value);
}
inline Tensor from_i64(std::initializer_list<int64_t> data) {
  const int64_t size = static_cast<int64_t>(data.size());
  return rt_torch_tensor_from_i64_data(data.begin(), size, &size, 1);
}
inline std::vector<float> values(int64_t handle) {
  std::vector<float> out(static_cast<size_t>(rt_torch_torchtensor_numel(handle)));
  EXPECT_EQ(rt_torch_copy_data(handle, out.data(), static_cast<int64_t>(out.size()), 0),
            static_cast<int64_t>(out.size()))
      << rt_torch_last_error();
  return out;
}
inline std::string last_error() { return rt_torch_last_error(); }

/// Starts with nothing pending, policy observe and counters at 0. Checks at the end that counters
/// balance and that no handle is left.
class AbiTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(rt_torch_set_policy("observe"), 1) << last_error();
    ASSERT_EQ(rt_torch_sync(), 1) << last_error();
    rt_torch_clear_error();
    rt_torch_stats_reset();
    handles_ = rt_torch_live_handles();
  }
  void TearDown() override {
    EXPECT_EQ(rt_torch_live_handles(), handles_);
    rt_torch_sync();
    EXPECT_EQ(stat("batches"), stat("forced_by_shape") + stat("forced_by_free") +
                                   stat("forced_by_read") + stat("forced_by_flush") +
                                   stat("forced_by_limit") + stat("forced_by_eager"));
    EXPECT_EQ(stat("nodes"), stat("batch_nodes") + stat("dead_nodes") + stat("pending_nodes"));
    EXPECT_EQ(stat("fallback_nodes"), 0);
    rt_torch_set_policy("observe");
  }

 private:
  int64_t handles_ = 0;
};

/// Runs under each policy; frees its f64 tensors at the end. Then no error may be set, so that a
/// test clears those it expects.
class PolicyTest : public AbiTest, public testing::WithParamInterface<const char*> {
 protected:
  using Doubles = std::vector<double>;

  void SetUp() override {
    AbiTest::SetUp();
    ASSERT_NE(rt_torch_set_policy(GetParam()), 0);
  }
  void TearDown() override {
    for (const int64_t handle : handles_) rt_torch_torchtensor_free(handle);
    EXPECT_EQ(last_error(), "");
    AbiTest::TearDown();
  }
  static bool is_eager() { return GetParam() == std::string("eager"); }
  int64_t keep(int64_t handle) {
    EXPECT_GT(handle, 0) << last_error();
    handles_.push_back(handle);
    return handle;
  }
  int64_t tensor(const Doubles& data, const std::vector<int64_t>& sizes) {
    return keep(rt_torch_tensor_from_data(data.data(), static_cast<int64_t>(data.size()),
                                          sizes.data(), static_cast<int64_t>(sizes.size())));
  }
  static Doubles read(int64_t handle) {
    Doubles data(64);
    const int64_t count = rt_torch_copy_data(handle, data.data(), 64, 1);
    EXPECT_GE(count, 0) << last_error();
    data.resize(static_cast<size_t>(std::max<int64_t>(count, 0)));
    return data;
  }
  static auto near(const Doubles& wanted) {
    return testing::Pointwise(testing::DoubleNear(1e-12), wanted);
  }
  std::vector<int64_t> handles_;
};

inline auto each_policy() { return testing::Values("observe", "data", "eager"); }
inline std::string name_of_policy(const testing::TestParamInfo<const char*>& policy) {
  return policy.param;
}

}  // namespace rt_test
