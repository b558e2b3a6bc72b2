// result.h -- results of a workload, and of a whole run.
#pragma once
#include <string>
#include <vector>

#include "bench/rt_bench/side.h"
#include "bench/rt_bench/statistics.h"

namespace rt_bench {

enum class Way { Lazy, Eager, Libtorch };

/// The name in JSON, and the name in tables.
const char* id(Way way);
const char* title(Way way);

struct WayResult {
  Way way;
  Estimate us;          ///< of a step
  Estimate times_fast;  ///< the baseline's time divided by this one's
  double apart = 0;     ///< distance() from the baseline's results
};

/// A workload on one backend of the engine.
struct Result {
  Info info;
  std::string backend;
  std::vector<WayResult> ways;  ///< lazy first, the baseline last
  double bar = 0;               ///< least ratio, or for batch costs the greatest above_us; 0: none
  double stretch = 0;
  Estimate above_us;  ///< for batch costs: lazy minus baseline
  // Of a step of the lazy way:
  double batches = 0, hits = 0, nodes = 0;
  double bytes = 0;  ///< peak of a step, beyond the bytes before it
  int rounds = 0;
  double other_load = 0;  ///< processors that other programs kept busy

  const WayResult& lazy() const { return ways.front(); }
  const WayResult& baseline() const { return ways.back(); }
  const WayResult* find(Way way) const;
  bool met() const;
  bool agrees() const;
  // Reasons to distrust a result.
  bool is_wide() const;  ///< the ratio's interval is wide
  bool is_disturbed() const;
  bool is_noisy() const { return is_wide() || is_disturbed(); }
  std::string verdict() const;  ///< "met", "missed" or "", with a question mark if it is noisy
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
