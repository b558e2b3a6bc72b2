// checked_test.cpp -- reads that return a status, and calls that select an operator by its code.
#include <cmath>

#include "tests/abi/rig.h"

namespace rt_test {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

struct Pair {
  const char* name;
  double (*number)(int64_t);
  int64_t (*checked)(int64_t, double*);
};
#define PAIR(name) \
  { #name, rt_torch_torchtensor_##name, rt_torch_torchtensor_##name##_checked }
constexpr Pair kPairs[] = {PAIR(sum),  PAIR(mean), PAIR(max), PAIR(min),
                           PAIR(norm), PAIR(std),  PAIR(var), PAIR(det)};
#undef PAIR

class Checked : public PolicyTest {
 protected:
  static constexpr double kUntouched = -77;
  /// Expects that the call fails, reports `cause`, and leaves *out unchanged.
  static void expect_failure(const Pair& pair, int64_t handle, const char* cause) {
    double out = kUntouched;
    EXPECT_NE(pair.checked(handle, &out), 0);
    EXPECT_EQ(out, kUntouched);
    EXPECT_THAT(last_error(), testing::AllOf(HasSubstr(pair.name), HasSubstr(cause)));
    EXPECT_TRUE(std::isnan(pair.number(handle)));
    rt_torch_clear_error();
  }
};

TEST_P(Checked, NumbersAreThoseOfTheCallsWithoutAStatus) {
  const int64_t x = tensor({3, -1, 0.5, 2}, {2, 2});
  for (const Pair& pair : kPairs) {
    SCOPED_TRACE(pair.name);
    double out = kUntouched;
    EXPECT_EQ(pair.checked(x, &out), 0);
    EXPECT_EQ(out, pair.number(x));
  }
}

TEST_P(Checked, ANaNIsANumber) {
  const int64_t x = tensor({NAN, 1, 2, 3}, {2, 2});
  for (const Pair& pair : kPairs) {
    SCOPED_TRACE(pair.name);
    double out = kUntouched;
    EXPECT_EQ(pair.checked(x, &out), 0);
    EXPECT_TRUE(std::isnan(out));
  }
}

TEST_P(Checked, WhatTheOpRefusesIsAFailure) {
  const int64_t freed = rt_torch_tensor_ones_1d(2);
  rt_torch_torchtensor_free(freed);
  const int64_t empty = tensor({}, {0}), row = tensor({1, 2}, {2}),
                whole = keep(rt_torch_tensor_full_int_1d(2, 1));
  for (const Pair& pair : kPairs) {
    SCOPED_TRACE(pair.name);
    expect_failure(pair, 0, "handle is 0");
    expect_failure(pair, freed, "was freed before");
  }
  expect_failure(kPairs[1], whole, "i64");
  expect_failure(kPairs[2], empty, "[0]");
  expect_failure(kPairs[3], empty, "[0]");
  expect_failure(kPairs[4], whole, "i64");
  expect_failure(kPairs[7], row, "[2]");
}

TEST_P(Checked, AFailureOfTheBatchIsAFailure) {
  const int64_t x = tensor({1, 2}, {2}), index = keep(rt_torch_tensor_full_int_1d(1, 7));
  const int64_t bad = keep(rt_torch_torchtensor_index_select(x, 0, index));
  double out = kUntouched;
  EXPECT_NE(rt_torch_torchtensor_sum_checked(bad, &out), 0);
  EXPECT_EQ(out, kUntouched);
  EXPECT_THAT(last_error(), HasSubstr("index_select"));
  rt_torch_clear_error();
}

TEST_P(Checked, WithoutAPlaceForTheNumberNothingRuns) {
  const int64_t x = tensor({1, 2, 3, 4}, {2, 2});
  const int64_t batches = stat("batches");
  for (const Pair& pair : kPairs) {
    EXPECT_NE(pair.checked(x, nullptr), 0);
    EXPECT_THAT(last_error(), testing::AllOf(HasSubstr(pair.name), HasSubstr("out is NULL")));
  }
  EXPECT_EQ(stat("batches"), batches);
  rt_torch_clear_error();
}

TEST_P(Checked, AnOperatorByItsNumber) {
  const int64_t a = tensor({6, -3}, {2, 1}), b = tensor({2, 4}, {2});
  int64_t (*const calls[])(int64_t, int64_t) = {rt_torch_torchtensor_add, rt_torch_torchtensor_sub,
                                                rt_torch_torchtensor_mul, rt_torch_torchtensor_div};
  for (int64_t op = 0; op < 4; ++op)
    EXPECT_EQ(read(keep(rt_dyn_torch_tensor_binary_op(a, b, op))), read(keep(calls[op](a, b))));
  for (const int64_t op : {int64_t{-1}, int64_t{4}, INT64_MAX, int64_t{1} << 32}) {
    EXPECT_EQ(rt_dyn_torch_tensor_binary_op(a, b, op), 0);
    EXPECT_THAT(last_error(), StartsWith("rt_dyn_torch_tensor_binary_op("));
    EXPECT_THAT(last_error(), HasSubstr("0 add, 1 sub, 2 mul or 3 div"));
  }
  rt_torch_clear_error();
  EXPECT_EQ(rt_dyn_torch_tensor_binary_op(a, 0, 1), 0);
  EXPECT_THAT(last_error(), HasSubstr("handle is 0"));
  rt_torch_clear_error();
}

INSTANTIATE_TEST_SUITE_P(, Checked, each_policy(), name_of_policy);

}  // namespace
}  // namespace rt_test
