// both_test.cpp -- both libraries in one process: each has its own engine, and calls itself.
#include <bit>
#include <thread>

#include "tests/spl/rig.h"

namespace rt_test {
namespace {

const Library& c_library() {
  static const Library library(RT_TEST_C_LIBRARY);
  return library;
}
/// A call of librt_torch.so whose type both flavors share.
#define C(symbol) reinterpret_cast<decltype(&symbol)>(c_library().entry(#symbol))

std::string c_error() {
  return reinterpret_cast<const char* (*)()>(c_library().entry("rt_torch_last_error"))();
}

class Both : public SplTest {
 protected:
  void SetUp() override {
    SplTest::SetUp();
    ASSERT_EQ(C(rt_torch_sync)(), 1);
    C(rt_torch_clear_error)();
  }
  void TearDown() override {
    EXPECT_EQ(C(rt_torch_live_handles)(), 0);
    SplTest::TearDown();
  }
};

TEST_F(Both, HaveHandlesOfTheirOwn) {
  const int64_t theirs = C(rt_torch_tensor_full_2d)(8, 8, 0);
  ASSERT_GT(theirs, 0);
  EXPECT_EQ(C(rt_torch_live_handles)(), 1);
  EXPECT_EQ(SPL(rt_torch_live_handles)(), 0);
  const Tensor mine = SPL(rt_torch_tensor_ones_2d)(4, 4);
  EXPECT_EQ(SPL(rt_torch_torchtensor_sum)(mine), 16);
  EXPECT_EQ(C(rt_torch_torchtensor_sum)(theirs), 0);
  C(rt_torch_torchtensor_free)(theirs);
  EXPECT_EQ(SPL(rt_torch_live_handles)(), 1);
}

TEST_F(Both, HaveErrorsAndCountersOfTheirOwn) {
  EXPECT_EQ(SPL(rt_torch_torchtensor_neg)(0), 0);
  EXPECT_EQ(c_error(), "");
  EXPECT_EQ(C(rt_torch_torchtensor_abs)(0), 0);
  EXPECT_THAT(c_error(), testing::StartsWith("rt_torch_torchtensor_abs("));
  C(rt_torch_clear_error)();
  expect_error("rt_torch_torchtensor_neg(");
  const int64_t before = C(rt_torch_stat)("nodes");
  const Tensor x = SPL(rt_torch_tensor_ones_1d)(4);
  EXPECT_EQ(C(rt_torch_stat)("nodes"), before);
  EXPECT_EQ(C(rt_torch_pending)(), 0);
  EXPECT_EQ(SPL(rt_torch_pending)(), 1);
}

TEST_F(Both, TakeTurnsOnTheSameBackend) {
  const auto work = [](const Library& library) {
#define CALL(symbol) reinterpret_cast<decltype(&symbol)>(library.entry(#symbol))
    for (int round = 0; round < 20; ++round) {
      const int64_t a = CALL(rt_torch_tensor_full_2d)(32, 32, std::bit_cast<int64_t>(0.5));
      const int64_t b = CALL(rt_torch_torchtensor_matmul)(a, a);
      const int64_t c = CALL(rt_torch_torchtensor_relu)(b);
      EXPECT_EQ(CALL(rt_torch_torchtensor_sum)(c), 32 * 32 * 8);
      for (const int64_t handle : {a, b, c}) CALL(rt_torch_torchtensor_free)(handle);
    }
#undef CALL
  };
  work(spl_library());
  work(c_library());
  std::thread other([&] { work(c_library()); });
  work(spl_library());
  other.join();
  const auto c_backend = reinterpret_cast<const char* (*)()>(c_library().entry("rt_torch_backend"));
  EXPECT_EQ(take(SPL(rt_torch_backend)()), c_backend());
}

}  // namespace
}  // namespace rt_test
