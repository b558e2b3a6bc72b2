// measure.h -- runs a workload in all ways, round by round.
#pragma once
#include <functional>

#include "bench/rt_bench/result.h"

namespace rt_bench {

struct Plan {
  Clock clock = Clock::Processor;
  int rounds = 60;
  double round_us = 1e4;       ///< of each way, at least one step
  double budget_seconds = 15;  ///< of a workload; fewer rounds then, but not below `fewest_rounds`
  int fewest_rounds = 15;
  std::function<void(int round, int rounds)> progress;
};

/// `theirs` is the baseline; where it is null, policy eager is. The engine's backend must have been
/// chosen. Throws std::runtime_error with the library's message when a call fails.
Result measure(const Workload& ours, const Workload* theirs, const Plan& plan);

}  // namespace rt_bench
