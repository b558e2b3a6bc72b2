// measure.h -- runs a workload in every way, round by round.
#pragma once
#include <functional>

#include "bench/rt_bench/result.h"

namespace rt_bench {

struct Plan {
  Clock clock = Clock::Processor;
  int rounds = 60;
  double round_us = 1e4;       ///< length of a round of one way; at least one step
  int fewest_rounds = 15;      ///< run even beyond the budget
  double budget_seconds = 15;  ///< no further rounds after these
  std::function<void(int round, int rounds)> progress;
};

/// `theirs` is the baseline; if null, policy eager is. The engine's backend must have been chosen.
/// Throws std::runtime_error with the library's message when a call fails.
Result measure(const Workload& ours, const Workload* theirs, const Plan& plan);

}  // namespace rt_bench
