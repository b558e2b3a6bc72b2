// fork_test.cpp -- programs that fork after they used the library; the scenes are in fork_host.cpp.
#include "tests/loading/stage.h"

namespace rt_test {
namespace {

class Fork : public Stage, public testing::WithParamInterface<const char*> {
 protected:
  void play(const std::string& scene) const {
    expect_quiet(run(RT_TEST_FORK_HOST, {RT_TEST_LIBRARY, scene},
                     {{"RT_TORCH_BACKEND", GetParam()}, {"RT_TORCH_THREADS", "2"}}),
                 "");
  }
};

TEST_P(Fork, ChildComputesOn) { play("computes"); }
TEST_P(Fork, ChildUsesItFirst) { play("first-use"); }
TEST_P(Fork, ChildOfAChildComputesOn) { play("grandchild"); }
TEST_P(Fork, PendingWorkIsRunByBoth) { play("pending"); }
TEST_P(Fork, WhileAnotherThreadIsInABatch) { play("busy"); }
TEST_P(Fork, WhileAnotherThreadDrawsNumbers) { play("drawing"); }

std::string backend_name(const testing::TestParamInfo<const char*>& backend) {
  return backend.param;
}
INSTANTIATE_TEST_SUITE_P(OnReference, Fork, testing::Values("reference"), backend_name);
#ifdef RT_TEST_LIBTORCH
INSTANTIATE_TEST_SUITE_P(OnLibtorch, Fork, testing::Values("libtorch"), backend_name);
#endif

}  // namespace
}  // namespace rt_test
