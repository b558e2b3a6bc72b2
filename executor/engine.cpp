// engine.cpp -- the engine's life: threads come and go, backend and policy, dumps, leaks, counters.
#include "executor/engine.h"

#include <pthread.h>

#include <cstdlib>
#include <fstream>
#include <iostream>

#include "executor/libtorch/libtorch.h"
#include "fallback_cpu/reference.h"
#include "files/safetensors.h"
#include "graph/batch/fuse.h"
#include "graph/dump/diff.h"
#include "graph/dump/html.h"
#include "graph/error.h"
#include "graph/memory/machine_memory.h"
#include "graph/printable.h"
#include "graph/tape/symbols.h"
#include "graph/thread_end.h"
#include "graph/uncancelled.h"

namespace rt {

std::atomic<Engine*> Engine::instance_{nullptr};
constinit thread_local ThreadState* Engine::current_ = nullptr;

/// Held while the engine is made, and by a thread that forks.
static std::mutex making;

/// A child that is forked while another thread holds a lock, or makes the engine, would wait for it
/// for ever. So forks are followed from the library's loading on.
bool Engine::follow_forks() {
  const auto before = [] {
    making.lock();
    if (Engine* const engine = instance_) engine->before_fork();
  };
  const auto after = [] {
    if (Engine* const engine = instance_) engine->after_fork();
    making.unlock();
  };
  const auto after_in_child = [] {
    if (Engine* const engine = instance_) engine->after_fork_in_child();
    making.unlock();
  };
  return pthread_atfork(before, after, after_in_child) == 0;
}
const bool Engine::follows_forks_ = follow_forks();

Engine& Engine::make_instance() {
  const std::lock_guard lock(making);
  if (Engine* const made_meanwhile = instance_) return *made_meanwhile;
  auto* const made = new Engine;
  std::atexit([] { instance().finish(); });
  instance_.store(made, std::memory_order_release);
  return *made;
}

void Engine::before_fork() {
  mutex_.lock();
  // No thread is in the child to end what it has begun to load. And what this thread has submitted
  // is there, as if it had run at once.
  completed_.wait(mutex_, [&] { return !loading_; });
  complete_jobs();
  capture_.before_fork();
  if (trace_) trace_->before_fork();
}

void Engine::after_fork() {
  mutex_.begin_anew();  // that was the fork itself, which copies the tables of all memory
  if (trace_) trace_->after_fork();
  capture_.after_fork();
  mutex_.unlock();
}

/// The locks are this thread's, the other threads are gone and with them their batches.
void Engine::after_fork_in_child() {
  if (trace_) trace_->after_fork_in_child();
  capture_.after_fork();
  mutex_.after_fork();
  new (&completed_) std::condition_variable_any;  // it may count waiters that do not exist here
  forget_jobs();
  if (current_) graph_.close_all_but(current_->tape);
  unlocked_ = 0;
  graph_.abandon(std::make_shared<const std::string>(
      "the value was being computed by another thread when this process was forked; sync before "
      "fork"));
  count(Counter::batch_nodes, std::exchange(in_flight_nodes_, 0));
  if (backend_) backend_->after_fork();
  forked_ = true;
  mutex_.unlock();
}

/// A thread that calls again at its very end, from a destructor of its client, is a new one.
ThreadState& Engine::register_thread() {
  static const ThreadEnd end(
      [](void* ended) { instance().unregister_thread(static_cast<ThreadState*>(ended)); });
  current_ = new ThreadState(graph_);
  end.expect(current_);
  return *current_;
}

Engine::Engine()
    : config_(read_config(environment_error_)),
      capture_(config_.dump, config_.dump_inputs),
      policy_(config_.policy),
      cache_(config_.cache_entries, config_.cache_bytes) {
  if (config_.debug > 0)
    for (const std::string& note : config_.notes) std::cerr << "rt_torch: " << note << '\n';
  try {
    if (!config_.trace.empty()) trace_ = std::make_unique<Trace>(config_.trace);
  } catch (const std::exception& error) {
    const std::string told =
        join("RT_TORCH_TRACE: ", error.what(), "; name a file that can be written");
    std::cerr << "rt_torch: " + told + '\n';
    if (environment_error_.empty()) environment_error_ = told;
  }
  is_watched_ = trace_ || !config_.holds.empty() || !environment_error_.empty();
  overlaps_ = config_.async;
  if (!config_.holds.empty()) mutex_.watch();
  out_of_memory();
  machine_memory();  // reads files, which is not to be done under the lock
}

void Engine::unlock_and_end_dead() {
  std::vector<BufferRef> none;
  std::vector<BufferRef>& dead = current_ ? current_->dead : none;
  graph_.take_dead(dead);
  mutex_.unlock();
  dead.clear();
}

void Engine::begin_watched(CallContext& context) {
  if (trace_) trace_->call();
  if (!config_.holds.empty()) EngineLock::name_holds(context.thread.tape.call);
  is_watched_ = trace_ || !config_.holds.empty();
  if (!environment_error_.empty()) throw Error(std::exchange(environment_error_, {}));
}

/// Runs nothing: what a kernel needs of this thread may be gone. What it leaves pending waits for
/// whoever reads it.
void Engine::unregister_thread(ThreadState* thread) noexcept {
  {
    const std::lock_guard lock(mutex_);
    current_ = nullptr;
    graph_.close(thread->tape);
    locations_.release(thread->location);
    thread->ended = true;
    if (thread->in_flight == 0) delete thread;
  }
  mutex_.forget_this_thread();
}

void CallContext::take_back() noexcept {
  engine.graph_.take_back(thread.tape, engine.graph_.recorded_nodes - recorded);
  try {
    throw;
  } catch (const std::bad_alloc&) {
    engine.graph_.sweep();
  } catch (const std::exception&) {
  }
}

Backend& Engine::backend() {
  if (backend_) return *backend_;
  const Uncancelled uncancelled;
  completed_.wait(mutex_, [&] { return backend_ || !loading_; });
  if (!backend_) backend_ = load_backend(config_.backend);
  return *backend_;
}

/// Makes a backend with the engine's lock let go: libtorch takes seconds. One thread does so at a
/// time, see loading_.
std::unique_ptr<Backend> Engine::load_backend(std::string name) {
  struct Loading {
    Engine& engine;
    explicit Loading(Engine& the_engine) : engine(the_engine) {
      engine.loading_ = true;
      engine.unlock();
    }
    ~Loading() {
      engine.lock();
      engine.loading_ = false;
      engine.completed_.notify_all();
    }
  } const loading(*this);
  std::unique_ptr<Backend> made;
  if (name != "reference") {
    try {
      made = make_libtorch_backend(memory_, config_.threads, config_.libtorch, config_.use);
    } catch (const Error& error) {
      if (name == "libtorch") fail("the libtorch backend is not to be had: ", error.text());
      if (config_.debug > 0)
        std::cerr << "rt_torch: the reference executor serves: " << error.text() << '\n';
    }
  }
  if (!made) made = make_reference_backend(memory_, config_.threads, config_.use);
  if (forked_) made->after_fork();
  if (trace_) made->observe(*trace_);
  made->seed(config_.seed);
  return made;
}

void Engine::check_no_tensors() const {
  if (handles_.live() > 0 || graph_.pending_nodes > 0 || in_flight_nodes_ > 0 || unlocked_ > 0)
    fail("tensors exist; choose the backend before the first one or after the last is freed");
}

void Engine::set_backend(CallContext&, std::string_view name) {
  const Uncancelled uncancelled;
  if (name != "auto" && name != "libtorch" && name != "reference")
    fail("\"", printable(name), "\" is no backend; use auto, libtorch or reference");
  complete_jobs();
  completed_.wait(mutex_, [&] { return !loading_; });
  check_no_tensors();
  std::string chosen(name);
  std::unique_ptr<Backend> made = load_backend(chosen);
  check_no_tensors();  // others had the one before meanwhile
  config_.backend = std::move(chosen);
  std::unique_ptr<Backend> old = std::exchange(backend_, std::move(made));
  if (old) fallback_nodes_ += old->fallback_nodes();
  Cache::List programs = cache_.clear();  // they belong to their backend
  programs.splice(programs.end(), dropped_);
  const Unlocked unlocked(*this);
  capture_.forget();  // likewise the buffers that it holds
  programs.clear();
  old.reset();
}

Device Engine::device(int64_t index) {
  if (index < 0) return {};
  const int devices = backend().device_count();
  if (index < devices) return {static_cast<int8_t>(index)};
  if (falls_back_to_cpu(join("cuda:", index))) return {};
  fail("there is no device cuda:", index, "; this process has ", devices,
       " CUDA devices. RT_TORCH_CUDA_FALLBACK=cpu makes the CPU serve where there are none");
}

/// True where RT_TORCH_CUDA_FALLBACK has the CPU stand for a CUDA device; told once.
bool Engine::falls_back_to_cpu(const std::string& device) {
  if (!config_.cuda_falls_back || backend().device_count() > 0) return false;
  if (config_.debug > 0 && !std::exchange(reported_fallback_, true)) {
    const std::string told =
        join("rt_torch: there is no CUDA device: the CPU is used for ", device, " and any other\n");
    const Unlocked unlocked(*this);
    std::cerr << told;
  }
  return true;
}

Device Engine::default_device() {
  if (config_.device == "cpu") return {};
  const std::string wanted = config_.device;  // the lock may be let go
  const size_t colon = wanted.find(':');
  const int64_t index = colon == std::string::npos ? 0 : std::atoll(wanted.c_str() + colon + 1);
  const int devices = backend().device_count();
  if (index < devices) return {static_cast<int8_t>(index)};
  const bool falls_back = falls_back_to_cpu(wanted);
  if (config_.device_is_order && !falls_back)
    fail("RT_TORCH_DEVICE=", wanted, " and this process has ", devices,
         " CUDA devices; set it to cpu or to one that is there");
  const std::string told =
      join("rt_torch: dl.config.sdn wishes for ", wanted, ", which is not there: cpu serves\n");
  config_.device = "cpu";
  if (config_.debug == 0 || falls_back) return {};
  const Unlocked unlocked(*this);
  std::cerr << told;
  return {};
}

void Engine::seed(CallContext& context, uint64_t seed) {
  flush(context);
  complete_jobs();
  Backend& drawing = backend();
  const Unlocked unlocked(*this);  // another thread may be drawing, which is waited for
  drawing.seed(seed);
}

void Engine::set_policy(CallContext& context, Policy policy) {
  flush(context);
  policy_ = policy;
}

CounterValues Engine::counters() const {
  CounterValues values = counters_;
  const auto set = [&](Counter counter, int64_t value) {
    values[static_cast<size_t>(counter)] += value;
  };
  set(Counter::nodes, graph_.recorded_nodes);
  set(Counter::dead_nodes, graph_.dead_nodes);
  set(Counter::fallback_nodes, fallback_nodes_ + (backend_ ? backend_->fallback_nodes() : 0));
  set(Counter::live_handles, handles_.live());
  set(Counter::pending_nodes, graph_.pending_nodes);
  set(Counter::live_bytes, memory_.live);
  set(Counter::peak_bytes, memory_.peak);
  return values;
}

void Engine::reset_counters() {
  counters_ = {};
  // What is still to run has been recorded before: nodes = batch_nodes + dead_nodes + pending
  // holds.
  graph_.recorded_nodes = graph_.pending_nodes + in_flight_nodes_;
  graph_.dead_nodes = 0;
  fallback_nodes_ = backend_ ? -backend_->fallback_nodes() : 0;
  memory_.peak = memory_.live.load();
}

void Engine::report(CallContext& context, std::string message, std::string_view call,
                    Failure failure) noexcept {
  count(Counter::errors);
  ThreadState& thread = context.thread;
  const bool is_late = failure == Failure::ZeroHandle || failure == Failure::FailedValue;
  const bool follows = is_late && !thread.last_error.empty();
  const bool ran = failure == Failure::Batch || failure == Failure::FailedValue;
  const bool is_cause = !follows && !ran;  // what ran was announced when it failed
  if (wants_errors(is_cause)) try {
      const bool names_call = message.starts_with(call.substr(0, call.find('(') + 1));
      const std::string location =
          thread.location == 0 ? "" : " at " + locations_.text(thread.location);
      const std::string text = names_call ? message : join(call, ": ", message);
      const Unlocked unlocked(*this);
      announce_error(location, text, is_cause);
    } catch (const std::exception&) {  // no memory: it is told by last_error alone
    }
  if (follows) return;
  std::erase_if(*thread.tape.untold, [&](const Message& one) { return *one == message; });
  thread.last_error = std::move(message);
}

/// True where RT_TORCH_DEBUG asks for all errors, or RT_TORCH_ON_ERROR for causes.
bool Engine::wants_errors(bool is_cause) const {
  return config_.debug > 0 || (is_cause && config_.on_error != OnError::Nothing);
}

/// Prints an error to those who want it. The process ends where RT_TORCH_ON_ERROR says so.
void Engine::announce_error(std::string_view location, std::string_view text,
                            bool is_cause) const noexcept {
  if (!wants_errors(is_cause)) return;
  try {  // one write, so that the lines of several threads do not mix
    std::cerr << join("rt_torch: error", location, ": ", text, '\n');
  } catch (const std::exception&) {  // no memory
  }
  if (is_cause && config_.on_error == OnError::Abort) std::abort();
}

std::string Engine::dump(CallContext& context, std::string_view format) {
  if (format.starts_with("torchscript")) backend();
  Submission shown;
  if (context.thread.tape.nodes == 0) {
    complete_jobs();
    if (newest_) shown = newest_->submission;
  } else {
    for (Value waited; (waited = graph_.build(context.thread.tape, shown)) != kNone;)
      wait_for(context, waited);
  }
  std::vector<std::string> texts = locations_of(shown);
  mutex_.begin_anew();  // that was building a batch
  const Unlocked unlocked(*this);
  const std::vector<std::string> locations = std::move(texts);
  const Submission dumped = std::move(shown);
  return dump(dumped, locations, format);
}

/// The texts of the places that its steps come from.
std::vector<std::string> Engine::locations_of(const Submission& submission) const {
  std::vector<std::string> locations;
  locations.reserve(submission.locations.size());
  for (const uint32_t location : submission.locations)
    locations.push_back(locations_.text(location));
  return locations;
}

std::string Engine::dump(const Submission& submission, std::span<const std::string> locations,
                         std::string_view format) {
  const Batch batch = submission.whole();
  if (format == "torchscript") return backend_->script(batch, ScriptForm::Ir);
  if (format == "torchscript module") return backend_->script(batch, ScriptForm::Module);
  const DumpNotes notes{.locations = locations, .labels = submission.labels};
  if (format == "text") return to_text(batch, &notes);
  if (format == "json") return to_json(batch, &notes);
  if (format == "dot") return to_dot(batch, &notes);
  if (format == "html") {
    const std::string title = "Batch " + to_string(key_of(batch)).substr(0, 8);
    const Groups groups = config_.use.fuse ? fusion_groups(batch) : Groups{};
    return to_html(batch, {.notes = notes, .groups = groups.of_step, .title = title});
  }
  fail("\"", printable(format),
       "\" is no such format; there are text, json, dot, html and torchscript");
}

/// Why a batch has no program yet: what sets it apart from the most like of those seen before.
std::string Engine::miss_of(const Job& job, const DumpNotes& notes) {
  if (!job.nearest.batch) return "";
  return join("rt_torch: batch ", to_string(job.key),
              " (B) is new; nearest of those in the cache is ", to_string(job.nearest.key),
              " (A), seen ", job.nearest.sightings,
              job.nearest.sightings == 1 ? " time\n" : " times\n",
              explain_difference(*job.nearest.batch, job.submission.batch(), nullptr, &notes, 1));
}

/// What RT_TORCH_DEBUG and RT_TORCH_DUMP ask to be told of a batch.
void Engine::announce(Job& job, Reason reason) noexcept try {
  const Submission& submission = job.submission;
  std::vector<std::string> texts = locations_of(submission);
  const Unlocked unlocked(*this);
  const std::vector<std::string> locations = std::move(texts);
  // One write, or the lines of several threads mix.
  std::string told = miss_of(job, {.locations = locations, .labels = submission.labels});
  if (config_.debug > 0)
    told += join("rt_torch: batch ", to_string(key_of(submission.batch())), ", ", submission.nodes,
                 " nodes, ", submission.roots.size(), " roots, ", name(forced_by(reason)),
                 job.program || job.compiles ? ", compiled\n" : ", step by step\n");
  if (config_.debug > 1) told += dump(submission, locations, "text");
  if (config_.debug > 2 && backend_->name() == "libtorch")
    told += dump(submission, locations, "torchscript");
  std::cerr << told;
  if (!capture_.wanted()) return;
  job.noted = capture_.note(submission, locations, *backend_);
  report_capture();
} catch (const std::exception&) {  // no memory for it
}

/// Why something that RT_TORCH_DUMP asks for could not be written: once, and each time to those who
/// debug.
void Engine::report_capture() {
  const std::string complaint = capture_.take_complaint();
  if (complaint.empty() || (std::exchange(dump_has_failed_, true) && config_.debug == 0)) return;
  std::cerr << join("rt_torch: RT_TORCH_DUMP: ", complaint, '\n');
}

void Engine::finish() {
  if (trace_) trace_->finish();
  if (!config_.holds.empty()) report_holds();
  if (config_.debug < 1) return;  // a signal's handler that exits may have interrupted a call
  const std::lock_guard lock(mutex_);
  report_leaks();
}

/// How long the lock was held: other threads may have waited for as long.
void Engine::report_holds() const {
  const EngineLock::Holds& longest = mutex_.longest_holds();
  const auto text = [](std::string_view kind, const EngineLock::Hold& hold) {
    return join(kind, ' ', hold.ns, ' ', symbol_text(hold.call), '\n');
  };
  std::ofstream(config_.holds, std::ios::app) << text("computed", longest.computed) +
                                                     text("waited", longest.waited) +
                                                     text("apart", longest.apart);
}

/// When RT_TORCH_DEBUG asks: what was never freed.
void Engine::report_leaks() const {
  if (handles_.live() == 0) return;
  constexpr int64_t kMost = 20;
  std::cerr << "rt_torch: " << handles_.live() << " handles were never freed\n";
  int64_t told = 0;
  handles_.for_each([&](const Handles::Entry& entry, HandleKind kind) {
    if (told++ >= kMost) return;
    if (kind == HandleKind::File)
      std::cerr << "rt_torch:   #" << entry.handle << " the file "
                << printable(files_[entry.value]->path()) << '\n';
    if (kind != HandleKind::Tensor) return;
    const Node& node = graph_[entry.value];
    std::cerr << "rt_torch:   #" << entry.handle << ' ' << to_string(node.dtype, node.shape);
    if (const std::string label = graph_.label(entry.value); !label.empty())
      std::cerr << " \"" << printable(label) << '"';
    if (node.location != 0) std::cerr << " made at " << printable(locations_.text(node.location));
    std::cerr << '\n';
  });
  if (told > kMost) std::cerr << "rt_torch:   and " << told - kMost << " more\n";
}

}  // namespace rt
