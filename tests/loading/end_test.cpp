// end_test.cpp -- programs and threads end with work pending, and make calls after that; the scenes
// are in end_host.cpp.
#include <gmock/gmock.h>

#include <tuple>

#include "tests/support/scratch.h"

namespace rt_test {
namespace {

std::string times(int count, const std::string& attributes) {
  std::string text;
  for (int i = 0; i < count; ++i) text += attributes;
  return text;
}

const std::string kMain = "main main main main ", kThread = "thread thread thread thread ",
                  kLast = "at-the-last at-the-last at-the-last at-the-last ";
const std::map<std::string, std::string> kRight = {
    {"main-returns", kMain},
    {"exit", kMain},
    {"quick-exit", kMain + "at-quick-exit "},
    {"another-thread-exits", kMain + kThread},
    {"a-stranger-exits", kMain + "early-static " + kLast},
    {"exit-while-others-compute", "early-static " + kLast},
    {"main-thread-ends-first", kMain + kThread + "early-static " + kLast},
    {"read-what-threads-left", "read "},
    {"many-threads-leave-work", "read "},
    {"static-objects", "later-static late-static early-static " + kLast},
    {"static-object-calls-first", "early-static " + kLast},
    {"static-object-computes-first", "early-static " + kLast},
    {"exit-handlers", kMain + "late-handler late-handler late-handler late-handler "
                              "early-handler early-handler early-handler early-handler "},
    {"thread-locals", kThread + "late-thread-local early-thread-local " + kThread +
                          "late-thread-local early-thread-local "},
    {"thread-keys", "main " + kThread + "key key key key "},
    {"a-child-exits", kMain + "child child child child early-static " + kLast},
    {"threads-are-cancelled", times(30, "main ") + "cancelled "},
    {"no-threads", "main "},
    {"no-more-threads", "main thread main "},
};

using Way = std::tuple<std::string, const char*, const char*>;

/// Scene, backend, and the value of RT_TORCH_ASYNC.
class End : public Scratch, public testing::WithParamInterface<Way> {};

TEST_P(End, NothingCrashesAndNumbersAreRight) {
  const auto& [scene, backend, async] = GetParam();
#ifdef __SANITIZE_THREAD__
  if (scene == "main-thread-ends-first")
    GTEST_SKIP() << "the thread sanitizer aborts where another thread joins the main thread";
#endif
  const Outcome outcome =
      run(RT_TEST_END_HOST, {scene},
          {{"RT_TORCH_BACKEND", backend}, {"RT_TORCH_ASYNC", async}, {"RT_TORCH_THREADS", "2"}});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_EQ(outcome.out, kRight.at(scene));
  EXPECT_EQ(outcome.err, "");
}

std::vector<std::string> scenes() {
  std::vector<std::string> names;
  for (const auto& [name, right] : kRight) names.push_back(name);
  return names;
}
std::string test_name(const testing::TestParamInfo<Way>& way) {
  std::string name = std::get<0>(way.param);
  std::erase(name, '-');
  return name + (*std::get<2>(way.param) == '1' ? "_async" : "");
}
INSTANTIATE_TEST_SUITE_P(OnReference, End,
                         testing::Combine(testing::ValuesIn(scenes()), testing::Values("reference"),
                                          testing::Values("0", "1")),
                         test_name);
#ifdef RT_TEST_LIBTORCH
INSTANTIATE_TEST_SUITE_P(OnLibtorch, End,
                         testing::Combine(testing::ValuesIn(scenes()), testing::Values("libtorch"),
                                          testing::Values("0", "1")),
                         test_name);
#endif

}  // namespace
}  // namespace rt_test
