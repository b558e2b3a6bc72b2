// counters.cpp -- the counters' names, and all of them as JSON.
#include "executor/diagnostics/counters.h"

namespace rt {
namespace {

// In the order of Counter; the assertions below check the count.
constexpr auto kNames = std::to_array<std::string_view>({
    "calls",           "nodes",          "batches",        "batch_nodes",     "dead_nodes",
    "forced_by_shape", "forced_by_free", "forced_by_read", "forced_by_flush", "forced_by_limit",
    "forced_by_eager", "cache_hits",     "cache_misses",   "cache_evictions", "compile_ns",
    "run_ns",          "fused_groups",   "fused_nodes",    "fallback_nodes",  "errors",
    "live_handles",    "pending_nodes",  "live_bytes",     "peak_bytes",
});
static_assert(kNames.size() == kCounters);
static_assert(static_cast<size_t>(Counter::peak_bytes) + 1 == kCounters);

}  // namespace

std::string_view name(Counter counter) { return kNames[static_cast<size_t>(counter)]; }

std::optional<Counter> find_counter(std::string_view name) {
  for (size_t i = 0; i < kNames.size(); ++i)
    if (kNames[i] == name) return static_cast<Counter>(i);
  return std::nullopt;
}

std::string to_json(const CounterValues& values) {
  std::string text = "{";
  for (size_t i = 0; i < kCounters; ++i) {
    if (i > 0) text += ", ";
    text += '"';
    text += kNames[i];
    text += "\": " + std::to_string(values[i]);
  }
  return text + '}';
}

}  // namespace rt
