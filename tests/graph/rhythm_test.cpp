// rhythm_test.cpp -- finds the length of a loop's round from the calls that it records.
#include "graph/tape/rhythm.h"

#include <gtest/gtest.h>

#include <vector>

namespace rt {
namespace {

/// Count of the loop's calls, three nodes each, until a round is found, and the round's nodes.
std::pair<int, uint64_t> found(const std::vector<uint64_t>& before,
                               const std::vector<uint64_t>& loop, int most) {
  Rhythm rhythm;
  uint64_t recorded = 0;
  for (const uint64_t trail : before) {
    const uint64_t round = rhythm.add(trail, recorded += 3);
    if (round != 0) return {-1, round};
  }
  for (int call = 0; call < most; ++call) {
    const uint64_t round = rhythm.add(loop[static_cast<size_t>(call) % loop.size()], recorded += 3);
    if (round != 0) return {call + 1, round};
  }
  return {0, 0};
}

TEST(Rhythm, ALoopIsKnownAfterTwoRounds) {
  EXPECT_EQ(found({}, {7}, 10), std::pair(2, uint64_t{3}));
  EXPECT_EQ(found({}, {1, 2, 3, 4, 5}, 20), std::pair(10, uint64_t{15}));
  EXPECT_EQ(found({}, {1, 2, 1, 3}, 20), std::pair(8, uint64_t{12}));
}

TEST(Rhythm, RoundsWithinTheLoopGiveWayToIt) {
  // Three equal layers and another call.
  EXPECT_EQ(found({5, 6, 5, 6, 7}, {5, 6, 5, 6, 5, 6, 7}, 0), std::pair(-1, uint64_t{6}));
  Rhythm rhythm;
  uint64_t round = 0;
  const uint64_t loop[] = {5, 6, 5, 6, 5, 6, 7};
  for (uint64_t call = 0; call < 28; ++call) round = rhythm.add(loop[call % 7], call + 1);
  EXPECT_EQ(round, 7u);
}

TEST(Rhythm, WhatComesBeforeTheLoopIsForgotten) {
  std::vector<uint64_t> before;
  for (uint64_t i = 0; i < 5000; ++i) before.push_back(1000 + i);
  const auto [calls, round] = found(before, {1, 2, 3}, 20'000);
  EXPECT_EQ(round, 9u);
}

TEST(Rhythm, NothingIsFoundWhereNothingRepeats) {
  Rhythm rhythm;
  for (uint64_t i = 0; i < 100'000; ++i) ASSERT_EQ(rhythm.add(i * i, i + 1), 0u);
}

}  // namespace
}  // namespace rt
