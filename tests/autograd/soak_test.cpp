// soak_test.cpp -- ten thousand training steps take no more memory than two thousand.
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "tests/abi/small_stack.h"
#include "tests/autograd/rig.h"

namespace rt_test {
namespace {

int64_t resident_bytes() {
  std::ifstream file("/proc/self/statm");
  int64_t pages = 0, resident = 0;
  file >> pages >> resident;
  return resident * sysconf(_SC_PAGESIZE);
}

struct Levels {
  int64_t resident = resident_bytes();
  int64_t handles = stat("live_handles"), bytes = stat("live_bytes");
};

class Soak : public AbiTest, public testing::WithParamInterface<Mlp::Optimizer> {};
INSTANTIATE_TEST_SUITE_P(Optimizers, Soak,
                         testing::Values(Mlp::Optimizer::Sgd, Mlp::Optimizer::Adam),
                         [](const auto& test) {
                           return test.param == Mlp::Optimizer::Sgd ? "sgd" : "adam";
                         });

TEST_P(Soak, TenThousandStepsStayWhereTwoThousandWere) {
  constexpr int kWindow = kSanitized ? 400 : 2'000, kWindows = 4;
  Mlp mlp(4, 8, 2, 4, GetParam(), 0.001);
  const auto train = [&mlp] {
    for (int i = 0; i < kWindow; ++i) {
      rt_torch_torchtensor_item(mlp.step());
      // Clients read a gradient sometimes.
      if (i % 100 == 0) Tensor(rt_torch_autograd_grad(mlp.weight()));
    }
    return Levels();
  };
  Levels before = train();
  rt_torch_stats_reset();
  // The heap may grow once in any window; a leak grows in every one.
  int64_t least = INT64_MAX, all = 0;
  for (int window = 0; window < kWindows; ++window) {
    const Levels now = train();
    EXPECT_EQ(now.handles, before.handles);
    EXPECT_EQ(now.bytes, before.bytes);
    least = std::min(least, now.resident - before.resident);
    all += now.resident - before.resident;
    before = now;
  }
  if (!kSanitized) {  // sanitizers delay frees
    EXPECT_LT(least, 32 << 10);
    EXPECT_LT(all, 4 << 20);
  }
  EXPECT_EQ(stat("cache_hits"), kWindow * kWindows);
  EXPECT_EQ(last_error(), "");
}

}  // namespace
}  // namespace rt_test
