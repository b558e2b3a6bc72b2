// measure.h -- runs a workload in all ways, round by round.
#pragma once
#include <functional>

#include "bench/rt_bench/result.h"

namespace rt_bench {

struct Plan {
  Clock clock = Clock::Processor;
  int rounds = 60;
  double round_us = 1e4;       ///< of each way, at least one step
  int fewest_rounds = 15;      ///< whatever they take
  double budget_seconds = 15;  ///< no more rounds after these
  std::function<void(int round, int rounds)> progress;
};

/// `theirs` is the baseline; where it is null, policy eager is. The engine's backend must have been
/// chosen. Throws std::runtime_error with the library's message when a call fails.
Result measure(const Workload& ours, const Workload* theirs, const Plan& plan);

}  // namespace rt_bench
