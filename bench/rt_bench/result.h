// result.h -- what was measured: of a workload, and of a whole run.
#pragma once
#include <string>
#include <vector>

#include "bench/rt_bench/side.h"
#include "bench/rt_bench/statistics.h"

namespace rt_bench {

enum class Way { Lazy, Eager, Libtorch };

/// The name in JSON, and the one that a reader sees.
const char* id(Way way);
const char* title(Way way);

struct WayResult {
  Way way;
  Estimate us;          ///< of a step
  Estimate times_fast;  ///< the baseline's time through this one's
  double apart = 0;     ///< from the baseline's results, see distance()
};

/// A workload on one backend of the engine.
struct Result {
  Info info;
  std::string backend;
  std::vector<WayResult> ways;  ///< lazy first, the baseline last
  double bar = 0;               ///< least ratio, of batch costs most above_us; 0: none
  double stretch = 0;
  Estimate above_us;  ///< of batch costs: lazy minus baseline
  // Of the lazy way, a step:
  double batches = 0, hits = 0, nodes = 0;
  double bytes = 0;  ///< most that a step held at once, beyond what was there before it
  int rounds = 0;
  double other_load = 0;  ///< processors busy with the work of others

  const WayResult& lazy() const { return ways.front(); }
  const WayResult& baseline() const { return ways.back(); }
  const WayResult* find(Way way) const;
  bool met() const;
  bool agrees() const;
  // Why the numbers may not count.
  bool is_wide() const;  ///< the ratio's interval
  bool is_disturbed() const;
  bool is_noisy() const { return is_wide() || is_disturbed(); }
  std::string verdict() const;  ///< met, missed, or "", with a question mark where it is noisy
};

struct Run {
  std::string date, processor, libtorch, variables;
  int processors = 0;
  Setup setup;
  Clock clock = Clock::Wall;
  bool quick = false;
  std::vector<Result> results;
};

}  // namespace rt_bench
