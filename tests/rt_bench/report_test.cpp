// report_test.cpp -- medians, intervals, distances and verdicts, and their reports.
#include <gmock/gmock.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <numeric>

#include "bench/rt_bench/report.h"

namespace rt_bench {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

TEST(Estimates, AreOfTheRanksWhateverTheOrder) {
  std::vector<double> values(61);
  std::iota(values.rbegin(), values.rend(), 0);
  const Estimate found = estimate(values);
  EXPECT_EQ(found.median, 30);
  // The interval is 61 / 2 plus and minus 1.96 * sqrt(61) / 2 = 7.65 ranks.
  EXPECT_EQ(found.low, 22);
  EXPECT_EQ(found.high, 38);
}

TEST(Estimates, OfFewValuesReachTheirEnds) {
  const Estimate two = estimate({3, 1});
  EXPECT_EQ(two.median, 2);
  EXPECT_EQ(two.low, 1);
  EXPECT_EQ(two.high, 3);
  const Estimate one = estimate({7});
  EXPECT_EQ(one.median, 7);
  EXPECT_EQ(one.low, 7);
  EXPECT_EQ(one.high, 7);
}

TEST(Estimates, PairRoundsInsteadOfComparingMedians) {
  // In the third round the machine is slow for both.
  const std::vector<double> theirs = {10, 11, 40}, ours = {5, 5.5, 20};
  const Estimate found = ratio(theirs, ours);
  EXPECT_EQ(found.low, 2);
  EXPECT_EQ(found.high, 2);
  EXPECT_EQ(difference(theirs, ours).median, 5.5);
}

TEST(Distances, AreRelativeAboveOneAndAbsoluteBelow) {
  const std::vector<float> a = {0.5F, 110}, b = {0.25F, 100};
  EXPECT_DOUBLE_EQ(distance(a, b), 0.25);
  EXPECT_EQ(distance(a, a), 0);
}

TEST(Distances, AreInfiniteWhereNothingCanBeCompared) {
  const std::vector<float> a = {1, 2}, shorter = {1}, broken = {1, kNan};
  EXPECT_TRUE(std::isinf(distance(a, shorter)));
  EXPECT_TRUE(std::isinf(distance(a, broken)));
  EXPECT_TRUE(std::isinf(distance(broken, a)));
}

/// Lazy is twice as fast as libtorch, within 2 %.
Result result_with_bar(double bar) {
  Result result;
  result.info = {"a_name", "a title", {}, 1e-5};
  result.backend = "libtorch";
  result.ways = {{Way::Lazy, {50, 49, 51}, {2, 1.98, 2.02}, 1e-6},
                 {Way::Eager, {200, 199, 201}, {0.5, 0.49, 0.51}, 0},
                 {Way::Libtorch, {100, 99, 101}, {1, 1, 1}, 0}};
  result.bar = bar;
  result.rounds = 60;
  return result;
}

Run run_of(const Result& result) {
  Run run;
  run.libtorch = "2.11.0";
  run.processors = 2;
  run.results = {result};
  return run;
}

TEST(Verdicts, TakeTheUpperEndOfTheInterval) {
  EXPECT_EQ(result_with_bar(2.02).verdict(), "met");
  EXPECT_EQ(result_with_bar(2.03).verdict(), "missed");
  EXPECT_EQ(result_with_bar(0).verdict(), "");
}

TEST(Verdicts, OfBatchCostsTakeTheLowerEndOfWhatIsAbove) {
  Result result = result_with_bar(3);
  result.info.batch_cost = true;
  result.above_us = {4, 3, 5};
  EXPECT_EQ(result.verdict(), "met");
  result.above_us.low = 3.1;
  EXPECT_EQ(result.verdict(), "missed");
}

TEST(Verdicts, AreDoubtedOnANoisyMachine) {
  Result wide = result_with_bar(2);
  wide.ways[0].times_fast = {2, 1.8, 2.1};
  EXPECT_EQ(wide.verdict(), "met?");
  Result disturbed = result_with_bar(2);
  disturbed.other_load = 0.9;
  EXPECT_EQ(disturbed.verdict(), "met?");
  EXPECT_THAT(to_text(run_of(disturbed)), HasSubstr("Other work kept up to 0.9 of 2 processors"));
  EXPECT_THAT(to_text(run_of(wide)), HasSubstr("wider than a tenth of the ratio: a_name on libt"));
  EXPECT_THAT(to_text(run_of(result_with_bar(2))), Not(HasSubstr("noisy")));
}

TEST(Reports, SayWhichResultsDiffer) {
  Result result = result_with_bar(2);
  result.ways[1].apart = std::numeric_limits<double>::infinity();
  EXPECT_FALSE(result.agrees());
  EXPECT_THAT(to_text(run_of(result)),
              HasSubstr("a_name on libtorch: policy eager and libtorch differ by inf"));
  const auto json = nlohmann::json::parse(to_json(run_of(result)));
  EXPECT_FALSE(json["results"][0]["agrees"]);
  EXPECT_TRUE(json["results"][0]["ways"]["eager"]["apart"].is_null());
}

TEST(Reports, HaveOneTableForEachBackend) {
  auto run = run_of(result_with_bar(2));
  run.results.push_back(result_with_bar(0));
  run.results[1].backend = "reference";
  const std::string text = to_text(run);
  EXPECT_THAT(text, HasSubstr("Backend libtorch, lazily against libtorch:"));
  EXPECT_THAT(text, HasSubstr("Backend reference, lazily against libtorch:"));
  EXPECT_THAT(text,
              HasSubstr("| a title  | 50.0 us | 200 us       | 100 us   | 2.00, 1.98 to 2.02"));
}

TEST(Reports, KeepWhatTheyQuoteOutOfTheirMarkup) {
  Result result = result_with_bar(2);
  result.info.title = "a < b & \"c\"";
  const std::string page = to_html(run_of(result));
  EXPECT_THAT(page, HasSubstr("a &lt; b &amp; &quot;c&quot;"));
  EXPECT_THAT(page, Not(HasSubstr("a < b")));
  EXPECT_EQ(nlohmann::json::parse(to_json(run_of(result)))["results"][0]["title"],
            result.info.title);
}

TEST(Reports, WriteTimesAndSizesInUnitsOfTheirOwn) {
  EXPECT_EQ(time_text(0.5), "0.50 us");
  EXPECT_EQ(time_text(123.4), "123 us");
  EXPECT_EQ(time_text(12340), "12.3 ms");
  EXPECT_EQ(time_text(2.5e6), "2.50 s");
  EXPECT_EQ(bytes_text(512), "512");
  EXPECT_EQ(bytes_text(16 << 20), "16.0 MiB");
}

}  // namespace
}  // namespace rt_bench
