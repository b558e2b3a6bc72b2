// engine.cpp -- calls about the engine: errors, backend, policy, counters, dumps, source locations.
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>

#include "frontend_abi/calls.h"
#include "graph/error.h"
#include "graph/printable.h"

namespace rt::call {

// ---- Errors.

std::string rt_torch_last_error(CallContext& context) { return context.thread.last_error; }
void rt_torch_clear_error(CallContext& context) { context.thread.last_error.clear(); }

// ---- Backend and policy.

std::string rt_torch_version(CallContext& context) {
  return context.engine.backends.get().version();
}
std::string rt_torch_backend(CallContext& context) {
  return std::string(context.engine.backends.get().name());
}
bool rt_torch_set_backend(CallContext& context, std::string_view name) {
  context.engine.backends.set(context, name);
  return true;
}
std::string rt_torch_policy(CallContext& context) {
  return std::string(name(context.engine.policy));
}
bool rt_torch_set_policy(CallContext& context, std::string_view name) {
  const auto policy = parse_policy(name);
  if (!policy) fail("policy \"", printable(name), "\" is unknown; use observe, data or eager");
  context.engine.scheduler.set_policy(context, *policy);
  return true;
}

// ---- Batches.

int64_t rt_torch_flush(CallContext& context) { return context.engine.scheduler.flush(context); }
bool rt_torch_sync(CallContext& context) { return context.engine.scheduler.sync(context); }
int64_t rt_torch_pending(CallContext& context) { return context.engine.recorder.pending(context); }
int64_t rt_torch_live_handles(CallContext& context) { return context.engine.handles.live(); }
void rt_torch_manual_seed(CallContext& context, int64_t seed) {
  context.engine.scheduler.seed(context, static_cast<uint64_t>(seed));
}

// ---- Counters.

int64_t rt_torch_stat(CallContext& context, std::string_view name) {
  const auto counter = find_counter(name);
  if (!counter) fail("counter \"", printable(name), "\" is unknown; rt_torch_stats_json lists all");
  return context.engine.reports.counters()[static_cast<size_t>(*counter)];
}
std::string rt_torch_stats_json(CallContext& context) {
  return to_json(context.engine.reports.counters());
}
void rt_torch_stats_reset(CallContext& context) { context.engine.reports.reset_counters(); }

// ---- Looking at the graph.

std::string rt_torch_graph_text(CallContext& context) {
  return context.engine.reports.dump(context, "text");
}

bool rt_torch_graph_dump(CallContext& context, std::string_view path, std::string_view format) {
  if (format == "torchscript" && path.ends_with(".pt")) format = "torchscript module";
  else if (format == "torchscript" && !path.ends_with(".txt"))
    fail("format torchscript needs a path that ends in .txt, for text, or in .pt, for a module");
  std::string dumped = context.engine.reports.dump(context, format);
  const Unlocked unlocked(context.engine);
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

bool rt_torch_set_label(CallContext& context, int64_t handle, std::string_view label) {
  context.engine.recorder.set_label(context, handle, std::string(label));
  return true;
}
void rt_torch_set_location(CallContext& context, std::string_view file, int64_t line) {
  context.engine.recorder.set_location(context, file, line);
}
int64_t rt_torch_torchtensor_dtype(CallContext& context, int64_t handle) {
  return static_cast<int64_t>(query(context, handle).dtype);
}

}  // namespace rt::call
