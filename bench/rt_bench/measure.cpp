// measure.cpp -- runs a workload in every way, round by round.
#include "bench/rt_bench/measure.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "bench/rt_bench/machine.h"
#include "rt_torch.h"

namespace rt_bench {
namespace {

/// Steps before results are compared: the first run of a batch, its compilation, and cached runs.
constexpr int64_t kCompared = 6;

struct Runner {
  Way way;
  std::unique_ptr<Side> side;
  Clock clock;
  int64_t steps = 1;            // in a round
  std::vector<double> us = {};  // of one step in each round

  double run(int64_t count) {
    if (way != Way::Libtorch) rt_torch_set_policy(way == Way::Lazy ? "observe" : "eager");
    Stopwatch watch(clock);
    side->run(count, watch);
    return watch.us() / static_cast<double>(count);
  }
};

std::vector<Runner> make_runners(const Workload& ours, const Workload* theirs, Clock clock) {
  std::vector<Runner> runners;
  runners.push_back({Way::Lazy, ours.make(), clock});
  if (!ours.info.batch_cost) runners.push_back({Way::Eager, ours.make(), clock});
  if (theirs) runners.push_back({Way::Libtorch, theirs->make(), clock});
  return runners;
}

/// The distance of each runner's result from that of the last, the baseline.
std::vector<double> compare(std::vector<Runner>& runners) {
  std::vector<std::vector<float>> states;
  for (Runner& runner : runners) {
    runner.run(kCompared);
    states.push_back(runner.side->state());
  }
  std::vector<double> apart;
  for (const std::vector<float>& state : states) apart.push_back(distance(state, states.back()));
  return apart;
}

/// Chooses the count of steps in a round.
void calibrate(std::vector<Runner>& runners, double round_us) {
  for (Runner& runner : runners) {
    double us = std::max(runner.run(1), 0.1);
    while (runner.steps * us < round_us) {
      runner.steps = std::max(runner.steps * 2, static_cast<int64_t>(round_us / us / 2));
      us = std::max(runner.run(runner.steps), 0.1);
    }
    runner.steps = std::max<int64_t>(1, std::llround(round_us / us));
  }
}

double bytes_of_step(Runner& lazy) {
  const int64_t before = rt_torch_stat("live_bytes");
  rt_torch_stats_reset();
  lazy.run(1);
  return static_cast<double>(std::max<int64_t>(0, rt_torch_stat("peak_bytes") - before));
}

/// Runs one round of the lazy way, and counts its batches, nodes and bytes.
double counted(Runner& lazy, Result& result) {
  rt_torch_stats_reset();
  const double us = lazy.run(lazy.steps);
  result.batches += static_cast<double>(rt_torch_stat("batches"));
  result.hits += static_cast<double>(rt_torch_stat("cache_hits"));
  result.nodes += static_cast<double>(rt_torch_stat("nodes"));
  return us;
}

void run_rounds(std::vector<Runner>& runners, Result& result, const Plan& plan) {
  Stopwatch spent(Clock::Wall);
  while (result.rounds < plan.rounds &&
         (result.rounds < plan.fewest_rounds || spent.us() < plan.budget_seconds * 1e6)) {
    const int round = result.rounds++;
    if (plan.progress) plan.progress(round, plan.rounds);
    spent.start();
    // Rounds start with each way in turn, because a way leaves data in the caches for the next.
    for (size_t i = 0; i < runners.size(); ++i) {
      Runner& runner = runners[(i + static_cast<size_t>(round)) % runners.size()];
      runner.us.push_back(runner.way == Way::Lazy ? counted(runner, result)
                                                  : runner.run(runner.steps));
    }
    spent.stop();
  }
  const double steps = static_cast<double>(result.rounds) * static_cast<double>(runners[0].steps);
  for (double* count : {&result.batches, &result.hits, &result.nodes}) *count /= steps;
}

/// Bars compare with libtorch on a CPU only.
void choose_bar(Result& result) {
  if (result.baseline().way != Way::Libtorch || setup.cuda) return;
  const Bars& bars = result.info.bars;
  const Bar& bar = result.backend == "reference" ? bars.reference : bars.libtorch;
  const bool one = setup.threads == 1;
  result.bar = one || bar.more_threads == 0 ? bar.one_thread : bar.more_threads;
  if (one) result.stretch = bar.stretch;
  if (result.info.batch_cost) result.bar = bars.above_us;
}

}  // namespace

Result measure(const Workload& ours, const Workload* theirs, const Plan& plan) {
  Result result;
  result.info = ours.info;
  result.backend = rt_torch_backend();
  std::vector<Runner> runners = make_runners(ours, theirs, plan.clock);
  const std::vector<double> apart = compare(runners);
  calibrate(runners, plan.round_us);
  result.bytes = bytes_of_step(runners[0]);
  const OtherLoad load;
  run_rounds(runners, result, plan);
  result.other_load = load.processors();
  const std::vector<double>& baseline = runners.back().us;
  for (size_t i = 0; i < runners.size(); ++i)
    result.ways.push_back(
        {runners[i].way, estimate(runners[i].us), ratio(baseline, runners[i].us), apart[i]});
  result.above_us = difference(runners[0].us, baseline);
  choose_bar(result);
  return result;
}

}  // namespace rt_bench
