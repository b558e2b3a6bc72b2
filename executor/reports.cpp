// reports.cpp -- output for users: errors, batches, dumps, leaks, counters, holds of the lock.
#include "executor/reports.h"

#include <cstdlib>
#include <fstream>
#include <iostream>

#include "executor/engine.h"
#include "files/safetensors.h"
#include "graph/batch/fuse.h"
#include "graph/dump/diff.h"
#include "graph/dump/html.h"
#include "graph/error.h"
#include "graph/printable.h"
#include "graph/tape/symbols.h"

namespace rt {

Reports::Reports(Engine& engine)
    : engine_(engine), capture_(engine.config.dump, engine.config.dump_inputs) {}

void Reports::open_trace(std::string& problem) {
  try {
    if (!engine_.config.trace.empty()) trace_ = std::make_unique<Trace>(engine_.config.trace);
  } catch (const std::exception& error) {
    const std::string text =
        join("RT_TORCH_TRACE: ", error.what(), "; name a file that can be written");
    std::cerr << "rt_torch: " + text + '\n';
    if (problem.empty()) problem = text;
  }
}

void Reports::report(CallContext& context, std::string message, std::string_view call,
                     Failure failure) noexcept {
  engine_.count(Counter::errors);
  ThreadState& thread = context.thread;
  const bool is_late = failure == Failure::ZeroHandle || failure == Failure::FailedValue;
  const bool follows = is_late && !thread.last_error.empty();
  const bool ran = failure == Failure::Batch || failure == Failure::FailedValue;
  const bool is_cause = !follows && !ran;  // a step that failed was announced when it ran
  if (wants_errors(is_cause)) try {
      const bool names_call = message.starts_with(call.substr(0, call.find('(') + 1));
      const std::string location =
          thread.location == 0 ? "" : " at " + engine_.locations.text(thread.location);
      const std::string text = names_call ? message : join(call, ": ", message);
      const Unlocked unlocked(engine_);
      announce_error(location, text, is_cause);
    } catch (const std::exception&) {  // no memory: only last_error gets it
    }
  if (follows) return;
  std::erase_if(*thread.tape.unreported, [&](const Message& one) { return *one == message; });
  thread.last_error = std::move(message);
}

/// True where RT_TORCH_DEBUG asks for all errors, or RT_TORCH_ON_ERROR for causes.
bool Reports::wants_errors(bool is_cause) const {
  return engine_.config.debug > 0 || (is_cause && engine_.config.on_error != OnError::Nothing);
}

void Reports::announce_error(std::string_view location, std::string_view text,
                             bool is_cause) const noexcept {
  if (!wants_errors(is_cause)) return;
  try {  // one write, so that lines of several threads do not mix
    std::cerr << join("rt_torch: error", location, ": ", text, '\n');
  } catch (const std::exception&) {  // no memory
  }
  if (is_cause && engine_.config.on_error == OnError::Abort) std::abort();
}

std::string Reports::dump(CallContext& context, std::string_view format) {
  if (format.starts_with("torchscript")) engine_.backends.get();
  Submission shown;
  if (context.thread.tape.nodes == 0) {
    engine_.scheduler.complete_jobs();
    if (const Job* const newest = engine_.scheduler.newest()) shown = newest->submission;
  } else {
    for (Value waited; (waited = engine_.graph.build(context.thread.tape, shown)) != kNone;)
      engine_.scheduler.wait_for(context, waited);
  }
  std::vector<std::string> texts = locations_of(shown);
  engine_.begin_new_hold();  // the hold until here has built a batch
  const Unlocked unlocked(engine_);
  const std::vector<std::string> locations = std::move(texts);
  const Submission dumped = std::move(shown);
  return dump(dumped, locations, format);
}

/// The source locations of the steps as text.
std::vector<std::string> Reports::locations_of(const Submission& submission) const {
  std::vector<std::string> locations;
  locations.reserve(submission.locations.size());
  for (const uint32_t location : submission.locations)
    locations.push_back(engine_.locations.text(location));
  return locations;
}

std::string Reports::dump(const Submission& submission, std::span<const std::string> locations,
                          std::string_view format) {
  const Batch batch = submission.whole();
  if (format == "torchscript") return engine_.backends.loaded()->script(batch, ScriptForm::Ir);
  if (format == "torchscript module")
    return engine_.backends.loaded()->script(batch, ScriptForm::Module);
  const DumpNotes notes{.locations = locations, .labels = submission.labels};
  if (format == "text") return to_text(batch, &notes);
  if (format == "json") return to_json(batch, &notes);
  if (format == "dot") return to_dot(batch, &notes);
  if (format == "html") {
    const std::string title = "Batch " + to_string(key_of(batch)).substr(0, 8);
    const Groups groups = engine_.config.use.fuse ? fusion_groups(batch) : Groups{};
    return to_html(batch, {.notes = notes, .groups = groups.of_step, .title = title});
  }
  fail("format \"", printable(format), "\" is unknown; use text, json, dot, html or torchscript");
}

/// Explains why the cache has no program for a new batch: the differences to the most similar one.
std::string Reports::miss_of(const Job& job, const DumpNotes& notes) {
  if (!job.nearest.batch) return "";
  return join("rt_torch: batch ", to_string(job.key), " (B) is new; the nearest in the cache is ",
              to_string(job.nearest.key), " (A), seen ", job.nearest.sightings,
              job.nearest.sightings == 1 ? " time\n" : " times\n",
              explain_difference(*job.nearest.batch, job.submission.batch(), nullptr, &notes, 1));
}

void Reports::announce(Job& job, Reason reason) noexcept try {
  const Submission& submission = job.submission;
  std::vector<std::string> texts = locations_of(submission);
  const Unlocked unlocked(engine_);
  const std::vector<std::string> locations = std::move(texts);
  // One write, so that lines of several threads do not mix.
  std::string text = miss_of(job, {.locations = locations, .labels = submission.labels});
  if (engine_.config.debug > 0)
    text += join("rt_torch: batch ", to_string(key_of(submission.batch())), ", ", submission.nodes,
                 " nodes, ", submission.roots.size(), " roots, ", name(forced_by(reason)),
                 job.program || job.compiles ? ", compiled\n" : ", step by step\n");
  if (engine_.config.debug > 1) text += dump(submission, locations, "text");
  if (engine_.config.debug > 2 && engine_.backends.loaded()->name() == "libtorch")
    text += dump(submission, locations, "torchscript");
  std::cerr << text;
  if (!capture_.wanted()) return;
  job.capture_id = capture_.note(submission, locations, *engine_.backends.loaded());
  report_capture();
} catch (const std::exception&) {  // no memory: the batch runs without a report
}

/// Prints why a dump could not be written: the first failure, and with RT_TORCH_DEBUG each one.
void Reports::report_capture() {
  const std::string complaint = capture_.take_complaint();
  if (complaint.empty() || (std::exchange(dump_has_failed_, true) && engine_.config.debug == 0))
    return;
  std::cerr << join("rt_torch: ", complaint, '\n');
}

/// Writes the longest holds of the lock, which are the longest waits of other threads.
void Reports::report_holds() const {
  const EngineLock::Holds& longest = engine_.longest_holds();
  const auto text = [](std::string_view kind, const EngineLock::Hold& hold) {
    return join(kind, ' ', hold.ns, ' ', symbol_text(hold.call), '\n');
  };
  std::ofstream(engine_.config.holds, std::ios::app) << text("computed", longest.computed) +
                                                            text("waited", longest.waited) +
                                                            text("apart", longest.apart);
}

/// Prints the handles that were never freed, at the end of the process.
void Reports::report_leaks() const {
  if (engine_.handles.live() == 0) return;
  constexpr int64_t kMaxLines = 20;
  std::cerr << "rt_torch: " << engine_.handles.live() << " handles were never freed\n";
  int64_t count = 0;
  engine_.handles.for_each([&](const Handles::Entry& entry, HandleKind kind) {
    if (count++ >= kMaxLines) return;
    if (kind == HandleKind::File)
      std::cerr << "rt_torch:   #" << entry.handle << " the file "
                << printable(engine_.files[entry.value]->path()) << '\n';
    if (kind != HandleKind::Tensor) return;
    const Node& node = engine_.graph[entry.value];
    std::cerr << "rt_torch:   #" << entry.handle << ' ' << to_string(node.dtype, node.shape);
    if (const std::string label = engine_.graph.label(entry.value); !label.empty())
      std::cerr << " \"" << printable(label) << '"';
    if (node.location != 0)
      std::cerr << " made at " << printable(engine_.locations.text(node.location));
    std::cerr << '\n';
  });
  if (count > kMaxLines) std::cerr << "rt_torch:   and " << count - kMaxLines << " more\n";
}

CounterValues Reports::counters() const {
  CounterValues values = engine_.counters;
  const auto set = [&](Counter counter, int64_t value) {
    values[static_cast<size_t>(counter)] += value;
  };
  set(Counter::nodes, engine_.graph.recorded_nodes);
  set(Counter::dead_nodes, engine_.graph.dead_nodes);
  set(Counter::fallback_nodes, engine_.backends.fallback_nodes());
  set(Counter::live_handles, engine_.handles.live());
  set(Counter::pending_nodes, engine_.graph.pending_nodes);
  set(Counter::live_bytes, engine_.memory.live);
  set(Counter::peak_bytes, engine_.memory.peak);
  return values;
}

void Reports::reset_counters() {
  engine_.counters = {};
  // Pending nodes and nodes in flight count as recorded after the reset, to keep the equation
  // nodes = batch_nodes + dead_nodes + pending_nodes + nodes in flight.
  engine_.graph.recorded_nodes = engine_.graph.pending_nodes + engine_.scheduler.in_flight_nodes();
  engine_.graph.dead_nodes = 0;
  engine_.backends.reset_fallback_nodes();
  engine_.memory.peak = engine_.memory.live.load();
}

}  // namespace rt
