// golden_test.cpp -- runs every golden case through the C ABI under every policy, and compares with
// PyTorch's results. The data and the script that makes them are in tests/golden. Only rt_torch.h
// is used.
#include <dlfcn.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "rt_torch.h"
#include "tests/support/golden.h"
#include "tests/support/source_dir.h"

namespace {

using rt_test::golden_cases;
using rt_test::Json;
using rt_test::Outcome;
using rt_test::ReadOrder;
using rt_test::Run;

std::vector<std::string> symbols() {
  std::vector<std::string> names;
  for (const auto& [symbol, list] : golden_cases()) names.push_back(symbol);
  return names;
}

void expect_balanced_counters() {
  const auto stat = [](const char* name) { return rt_torch_stat(name); };
  EXPECT_EQ(stat("batches"), stat("forced_by_shape") + stat("forced_by_free") +
                                 stat("forced_by_read") + stat("forced_by_flush") +
                                 stat("forced_by_limit") + stat("forced_by_eager"));
  EXPECT_EQ(stat("nodes"), stat("batch_nodes") + stat("dead_nodes") + stat("pending_nodes"));
  EXPECT_EQ(rt_torch_stat("fallback_nodes"), 0);
}

struct Round {
  const char* name;
  const char* policy;
  ReadOrder order;
  bool together;  // records every case before the first read: one big batch with many roots
};

// The second round repeats the batches of the first, so that it runs compiled programs. Operands
// are freed before results are read, as compiled clients do.
constexpr Round kRounds[] = {
    {"observe", "observe", ReadOrder::DataFirst, false},
    {"observe again", "observe", ReadOrder::ShapeFirst, false},
    {"data", "data", ReadOrder::DataFirst, true},
    {"data again", "data", ReadOrder::ShapeFirst, true},
    {"eager", "eager", ReadOrder::ShapeFirst, false},
};

std::vector<Outcome> play(const Round& round, const std::vector<Json>& list) {
  EXPECT_NE(rt_torch_set_policy(round.policy), 0) << rt_torch_last_error();
  std::vector<Outcome> outcomes;
  std::vector<std::unique_ptr<Run>> runs;
  for (const Json& one : list) {
    runs.push_back(std::make_unique<Run>(one));
    runs.back()->record();
    if (!round.together) {
      runs.back()->drop_operands();
      runs.back()->read(round.order);
      runs.back()->release();
    }
  }
  for (const auto& run : runs) {
    if (round.together) run->read(round.order);
    outcomes.push_back(run->outcome());
  }
  for (const auto& run : runs) run->release();
  return outcomes;
}

class Golden : public testing::TestWithParam<std::string> {};

TEST_P(Golden, AgreesWithPyTorchUnderEveryPolicy) {
  const std::vector<Json>& list = golden_cases().at(GetParam());
  const int64_t handles_before = rt_torch_live_handles();
  std::vector<Outcome> first;
  for (const Round& round : kRounds) {
    SCOPED_TRACE(round.name);
    const std::vector<Outcome> outcomes = play(round, list);
    EXPECT_EQ(rt_torch_live_handles(), handles_before);
    expect_balanced_counters();
    if (first.empty()) first = outcomes;
    for (size_t at = 0; at < list.size(); ++at) {
      const Json& one = list[at];
      SCOPED_TRACE(one["name"].get_ref<const std::string&>());
      compare(outcomes[at], one);
      // The contents of an empty() are undefined.
      const bool unspecified = one["expect"].contains("shape") && !one["expect"].contains("data");
      EXPECT_TRUE(unspecified || same(outcomes[at], first[at])) << "differs from the first round";
    }
  }
  rt_torch_set_policy("observe");
}

INSTANTIATE_TEST_SUITE_P(Calls, Golden, testing::ValuesIn(symbols()),
                         [](const auto& test) { return test.param; });

TEST(GoldenData, CoversEveryCallThatRecords) {
  const auto path = std::filesystem::path(source_dir()) / "frontend_abi/rt_torch.json";
  std::ifstream file(path);
  ASSERT_TRUE(file) << path;
  // tests/abi/aliases_test.cpp and checked_test.cpp compare these with calls that have cases.
  const std::set<std::string> elsewhere = {"all-i64", "checked", "device", "later-client",
                                           "tensor-loss"};
  const Json all = Json::parse(file);
  for (const Json& row : all["symbols"]) {
    if (!row.contains("op") || elsewhere.contains(row["group"])) continue;
    EXPECT_TRUE(golden_cases().contains(row["symbol"])) << row["symbol"] << " has no golden case";
  }
}

TEST(GoldenData, NamesNoCallThatIsNotExported) {
  ASSERT_FALSE(golden_cases().empty()) << "tests/golden";
  for (const std::string& symbol : symbols())
    EXPECT_NE(dlsym(RTLD_DEFAULT, symbol.c_str()), nullptr) << symbol;
}

}  // namespace
