// engine.cpp -- calls about the engine itself: errors, backend, policy, counters, dumps, places.
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>

#include "frontend_abi/calls.h"
#include "graph/error.h"

namespace rt::call {

// ---- Errors.

std::string rt_torch_last_error(Turn& turn) { return turn.thread.last_error; }
void rt_torch_clear_error(Turn& turn) { turn.thread.last_error.clear(); }

// ---- Backend and policy.

std::string rt_torch_version(Turn& turn) { return turn.engine.backend().version(); }
std::string rt_torch_backend(Turn& turn) { return std::string(turn.engine.backend().name()); }
bool rt_torch_set_backend(Turn& turn, std::string_view name) {
  turn.engine.set_backend(turn, name);
  return true;
}
std::string rt_torch_policy(Turn& turn) { return std::string(name(turn.engine.policy())); }
bool rt_torch_set_policy(Turn& turn, std::string_view name) {
  const auto policy = parse_policy(name);
  if (!policy) fail("there is no such policy; there are observe, data, eager");
  turn.engine.set_policy(turn, *policy);
  return true;
}

// ---- Batches.

int64_t rt_torch_flush(Turn& turn) { return turn.engine.flush(turn); }
bool rt_torch_sync(Turn& turn) { return turn.engine.sync(turn); }
int64_t rt_torch_pending(Turn& turn) { return turn.engine.pending(turn); }
int64_t rt_torch_live_handles(Turn& turn) { return turn.engine.live_handles(); }
void rt_torch_manual_seed(Turn& turn, int64_t seed) {
  turn.engine.seed(turn, static_cast<uint64_t>(seed));
}

// ---- Counters.

int64_t rt_torch_stat(Turn& turn, std::string_view name) {
  const auto counter = find_counter(name);
  if (!counter) fail("there is no such counter; rt_torch_stats_json names them all");
  return turn.engine.counters()[static_cast<size_t>(*counter)];
}
std::string rt_torch_stats_json(Turn& turn) { return to_json(turn.engine.counters()); }
void rt_torch_stats_reset(Turn& turn) { turn.engine.reset_counters(); }

// ---- Looking at the graph.

std::string rt_torch_graph_text(Turn& turn) { return turn.engine.dump(turn, "text"); }

bool rt_torch_graph_dump(Turn& turn, std::string_view path, std::string_view format) {
  if (format == "torchscript" && path.ends_with(".pt")) format = "torchscript module";
  else if (format == "torchscript" && !path.ends_with(".txt"))
    fail("torchscript is text in a .txt file or a module in a .pt file; the path has neither end");
  std::string dumped = turn.engine.dump(turn, format);
  const Unlocked unlocked(turn.engine);
  const std::string text = std::move(dumped);
  const std::string name(path);
  const auto close = [](std::FILE* file) { std::fclose(file); };
  std::unique_ptr<std::FILE, decltype(close)> file(std::fopen(name.c_str(), "wb"), close);
  if (!file) fail("the file cannot be opened: ", std::string(std::strerror(errno)));
  bool written = std::fwrite(text.data(), 1, text.size(), file.get()) == text.size();
  written = std::fclose(file.release()) == 0 && written;
  if (!written) fail("the file cannot be written: ", std::string(std::strerror(errno)));
  return true;
}

bool rt_torch_set_label(Turn& turn, int64_t handle, std::string_view label) {
  turn.engine.set_label(turn, handle, std::string(label));
  return true;
}
void rt_torch_set_location(Turn& turn, std::string_view file, int64_t line) {
  turn.engine.set_location(turn, file, line);
}
int64_t rt_torch_torchtensor_dtype(Turn& turn, int64_t handle) {
  return static_cast<int64_t>(query(turn, handle).dtype);
}

}  // namespace rt::call
