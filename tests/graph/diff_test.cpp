// diff_test.cpp -- the explanations of how two batches differ.
#include "graph/dump/diff.h"

#include <gmock/gmock.h>

#include "tests/graph/samples.h"

namespace rt::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

std::string differ(std::string_view a, std::string_view b, size_t most = 20) {
  return explain_difference(parse_text(a), parse_text(b), nullptr, nullptr, most);
}

/// A chain of `count` steps: neg, exp, relu and again, but `odd_op` at step `odd`.
std::string long_chain(size_t count, size_t odd, std::string_view odd_op, std::string_view type) {
  const std::string_view ops[] = {"neg", "exp", "relu"};
  std::string text = "%0: " + std::string(type) + " = input\n";
  for (size_t i = 1; i <= count; ++i)
    text += join("%", i, ": ", type, " = ", i == odd ? odd_op : ops[i % 3], "(%", i - 1, ")\n");
  return text + join("return %", count, "\n");
}

TEST(Diff, TheSameWorkHasNoDifferenceWhateverItsScalars) {
  EXPECT_EQ(explain_difference(small_batch(0.5), small_batch(0.25)),
            "The same work: 2 inputs, 2 steps, 2 roots. One program serves both.\n");
  EXPECT_THAT(explain_difference(Batch(), Batch()), StartsWith("The same work: 0 inputs"));
}

TEST(Diff, AnAttributeIsToldWithItsLines) {
  const std::string_view a =
      "%0: f32[2,3] = input\n%1: f32[2,3] = softmax(%0, dim=1)\n"
      "%2: f32[2,3] = neg(%1)\nreturn %2\n";
  const std::string b = std::string(a).replace(a.find("dim=1"), 5, "dim=0");
  const std::string labels[] = {"probs", ""}, locations[] = {"train.spl:12", ""};
  const DumpNotes notes{locations, labels};
  const Batch in_a = parse_text(a), in_b = parse_text(b);
  EXPECT_EQ(explain_difference(in_a, in_b, &notes),
            "A has 1 input, 2 steps, 1 root; B has 1 input, 2 steps, 1 root.\n"
            "1 step is the same; 1 difference:\n"
            "1. step 1: dim=1 in A, dim=0 in B\n"
            "   A  %1: f32[2,3] = softmax(%0, dim=1)  # \"probs\" at train.spl:12\n"
            "   B  %1: f32[2,3] = softmax(%0, dim=0)\n");
}

TEST(Diff, AnInputIsToldOnceAndWhatFollowsFromItIsCounted) {
  const std::string text =
      differ(long_chain(40, 0, "", "f32[2,3]"), long_chain(40, 0, "", "f32[4,3]"));
  EXPECT_THAT(text, HasSubstr("0 steps are the same, 40 differ only in types that follow from the "
                              "rest; 1 difference:\n"
                              "1. input %0: sizes [2,3] in A, [4,3] in B\n"
                              "   A  %0: f32[2,3] = input\n"
                              "   B  %0: f32[4,3] = input\n"));
  EXPECT_THAT(differ("%0: f32[2] = input\n%1: f32[2] = neg(%0)\nreturn %1\n",
                     "%0: f64[2] @cuda:1 = input\n%1: f64[2] @cuda:1 = neg(%0)\nreturn %1\n"),
              HasSubstr("input %0: dtype f32 in A, f64 in B; device cpu in A, cuda:1 in B"));
  EXPECT_THAT(differ("%0: f32[2,3] = input\n%1: f32[2,3] = neg(%0)\nreturn %1\n",
                     "%0: f32[2,3] = input(strides=[1,2])\n%1: f32[2,3] = neg(%0)\nreturn %1\n"),
              HasSubstr("input %0: strides contiguous in A, [1,2] in B"));
}

TEST(Diff, AnOpIsToldAlone) {
  const std::string text =
      differ(long_chain(40, 0, "", "f32[2]"), long_chain(40, 20, "tanh", "f32[2]"));
  EXPECT_THAT(text, AllOf(HasSubstr("39 steps are the same; 1 difference:\n"
                                    "1. step 20: relu in A, tanh in B\n"),
                          HasSubstr("A  %20: f32[2] = relu(%19)"),
                          HasSubstr("B  %20: f32[2] = tanh(%19)")));
}

TEST(Diff, StepsOfOneAloneDoNotShiftTheOthers) {
  const std::string_view shorter =
      "%0: f32[2] = input\n%1: f32[2] = exp(%0)\n"
      "%2: f32[2] = relu(%1)\n%3: f32[2] = abs(%2)\nreturn %3\n";
  const std::string_view longer =
      "%0: f32[2] = input\n%1: f32[2] = exp(%0)\n%2: f32[2] = neg(%1)\n"
      "%3: f32[2] = sqrt(%2)\n%4: f32[2] = relu(%1)\n%5: f32[2] = abs(%4)\nreturn %3, %5\n";
  EXPECT_EQ(differ(shorter, longer),
            "A has 1 input, 3 steps, 1 root; B has 1 input, 5 steps, 2 roots.\n"
            "3 steps are the same; 1 difference:\n"
            "1. only B has 2 steps, which A lacks at this place\n"
            "   B  %2: f32[2] = neg(%1)\n"
            "   B  %3: f32[2] = sqrt(%2)\n");
  EXPECT_THAT(differ(longer, shorter), HasSubstr("1. only A has 2 steps, which B lacks"));
}

TEST(Diff, RootsAndOperandsAreTold) {
  const std::string_view a = "%0: f32[2] = input\n%1: f32[2] = exp(%0)\n%2: f32[2] = add(%1, %0)\n";
  const std::string text(a);
  EXPECT_THAT(differ(text + "return %2\n", text + "return %1, %2\n"),
              HasSubstr("1. step 1: only B returns the result"));
  const std::string other = "%0: f32[2] = input\n%1: f32[2] = exp(%0)\n%2: f32[2] = add(%1, %1)\n";
  EXPECT_THAT(differ(text + "return %2\n", other + "return %2\n"),
              HasSubstr("1. step 2: operand 2 is %0, an input, in A and %1 in B"));
}

TEST(Diff, TheFirstDifferenceComesFirstAndAllAreCounted) {
  std::string b = long_chain(40, 30, "tanh", "f32[2]");
  b.replace(b.find("exp"), 3, "sin");
  const std::string a = long_chain(40, 0, "", "f32[2]");
  const std::string text = differ(a, b, 1);
  EXPECT_THAT(text, AllOf(HasSubstr("38 steps are the same; 2 differences, of which the first 1:\n"
                                    "1. step 1: exp in A, sin in B\n"),
                          Not(HasSubstr("2. "))));
  EXPECT_THAT(differ(a, b), HasSubstr("2. step 30: neg in A, tanh in B"));
}

TEST(Diff, BatchesWithNothingInCommonAreTold) {
  EXPECT_THAT(differ(long_chain(5000, 0, "", "f32[2]"),
                     "%0: f32[2] = input\n%1: f32[2] = tanh(%0)\nreturn %1\n"),
              HasSubstr("only A has "));
  EXPECT_THAT(explain_difference(chain(3), Batch()), HasSubstr("only A has 3 steps"));
  EXPECT_THAT(explain_difference(Batch(), chain(30)),
              AllOf(HasSubstr("only B has 30 steps"), HasSubstr("and 25 more")));
}

/// A step that is inserted anywhere is the only one reported; all others are found to be equal.
TEST(Diff, EveryCutAndInsertionIsFound) {
  const std::string whole = long_chain(60, 0, "", "f32[2]");
  for (size_t at = 1; at < 60; ++at) {
    SCOPED_TRACE(at);
    std::string longer = "%0: f32[2] = input\n";
    for (size_t i = 1, number = 1; i <= 60; ++i) {
      const std::string_view ops[] = {"neg", "exp", "relu"};
      longer += join("%", number, ": f32[2] = ", ops[i % 3], "(%", number - 1, ")\n");
      ++number;
      if (i != at) continue;
      longer += join("%", number, ": f32[2] = tanh(%", number - 1, ")\n");
      ++number;
    }
    longer += "return %61\n";
    const std::string text = differ(whole, longer);
    EXPECT_THAT(text, AllOf(HasSubstr("only B has 1 step,"), HasSubstr("= tanh(%"))) << text;
    EXPECT_THAT(text, HasSubstr("59 steps are the same; 2 differences")) << text;
  }
}

TEST(Diff, LikenessPrefersWhatSharesMore) {
  const Batch batch = parse_text(long_chain(30, 0, "", "f32[2]"));
  const Batch resized = parse_text(long_chain(30, 0, "", "f32[3]"));
  const Batch changed = parse_text(long_chain(30, 9, "tanh", "f32[2]"));
  EXPECT_EQ(likeness(batch, batch), 60u);
  EXPECT_EQ(likeness(batch, changed), 58u);
  EXPECT_EQ(likeness(batch, resized), 30u);
  EXPECT_EQ(likeness(batch, Batch()), 0u);
}

}  // namespace
}  // namespace rt::test
