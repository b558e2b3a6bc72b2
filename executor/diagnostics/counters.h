// counters.h -- the counters of rt_torch_stat, and the reasons why batches were submitted.
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace rt {

/// The reason why a batch was submitted, in the order of the forced_by_ counters.
enum class Reason : uint8_t { Shape, Free, Read, Flush, Limit, Eager };

/// Counts come first, then levels from live_handles on. A reset keeps the levels except peak_bytes.
enum class Counter : uint8_t {
  calls,
  nodes,
  batches,
  batch_nodes,
  dead_nodes,
  forced_by_shape,
  forced_by_free,
  forced_by_read,
  forced_by_flush,
  forced_by_limit,
  forced_by_eager,
  cache_hits,
  cache_misses,
  cache_evictions,
  compile_ns,
  run_ns,
  fused_groups,
  fused_nodes,
  fallback_nodes,
  errors,
  live_handles,
  pending_nodes,
  live_bytes,
  peak_bytes,
};
inline constexpr size_t kCounters = 24;
using CounterValues = std::array<int64_t, kCounters>;

std::string_view name(Counter counter);
std::optional<Counter> find_counter(std::string_view name);
inline Counter forced_by(Reason reason) {
  return static_cast<Counter>(static_cast<int>(Counter::forced_by_shape) +
                              static_cast<int>(reason));
}
std::string to_json(const CounterValues& values);

}  // namespace rt
