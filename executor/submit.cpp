// submit.cpp -- the way of one batch: tape to batch to key to cache, run without the lock, deliver.
#include <algorithm>
#include <chrono>
#include <iostream>

#include "executor/engine.h"
#include "executor/uncancelled.h"
#include "graph/dump.h"
#include "graph/error.h"
#include "graph/passes.h"
#ifndef NDEBUG
#include <unordered_set>

#include "graph/verify.h"
#endif

namespace rt {
namespace {

/// The level of RT_TORCH_DEBUG from which every step is told, and so no program is used.
constexpr int kTellSteps = 4;

std::string_view words_for(Reason reason) {
  switch (reason) {
    case Reason::Shape: return "a shape question";
    case Reason::Free: return "a free";
    case Reason::Read: return "a data read";
    case Reason::Flush: return "a flush";
    case Reason::Limit: return "the limit of pending work";
    case Reason::Eager: return "policy eager";
  }
  return "";
}

bool draws_numbers(const Batch& batch) {
  for (const Batch::Step& step : batch.steps)
    if (info(step.op).rules.effect == Effect::Random) return true;
  return false;
}

#ifndef NDEBUG
/// What every batch keeps to: it is well formed, and its dumps read back to it. The second is
/// looked at once for equal batches, under the engine's lock.
void check(const Batch& batch) {
  static auto& known = *new std::unordered_set<uint64_t>;
  verify(batch, true);
  if (!known.insert(key_of(batch).low).second) return;
  verify_scalars(batch);
  verify_dumps(batch);
}
#endif

}  // namespace

/// "rt_torch_x(self: f32[3,4], dim=0) at train.c:12", and the cause, for a step that failed when
/// it ran.
std::shared_ptr<const std::string> Engine::failure(const Submission& submission, uint32_t step,
                                                   std::string_view cause) {
  const Batch& batch = submission.batch();
  const Batch::Step& at = batch.steps[step];
  const OpInfo& row = info(at.op);
  const WordsView words = batch.words_of(at);
  const auto operands = batch.operands_of(at);
  std::string text = std::string(row.symbol) + "(";
  uint32_t tensor = 0, integer = 0;
  for (const Param& param : row.params) {
    const std::string prefix = text.back() == '(' ? "" : ", ";
    switch (param.kind) {
      case Kind::Tensor:
      case Kind::OptTensor:
        if (const TensorType type = batch.type(operands[tensor++]); !type.none)
          text += prefix + std::string(param.name) + ": " + to_string(type.dtype, type.sizes);
        break;
      case Kind::TensorList:
        text +=
            prefix + std::string(param.name) + ": " + std::to_string(operands.size()) + " tensors";
        break;
      case Kind::Int:
      case Kind::Flag:
        text += prefix + std::string(param.name) + "=" + std::to_string(words.integer(integer++));
        break;
      default: break;
    }
  }
  text += ")";
  if (!submission.labels.empty() && !submission.labels[step].empty())
    text += " \"" + submission.labels[step] + "\"";
  if (const uint32_t place = submission.places[step]) {
    const std::lock_guard lock(mutex_);
    text += " at " + places_.text(place);
  }
  return std::make_shared<const std::string>(text + ": " + std::string(cause));
}

/// One step after the other; a step that fails poisons what depends on it and nothing else.
void Engine::run_steps(Job& job) {
  Submission& submission = job.submission;
  const Batch& batch = submission.batch();
  const LastUses last = batch.steps.size() > 1 ? last_uses(batch) : LastUses{{}, {0}};
  std::vector<BufferRef> values(batch.values.size());
  std::vector<Message> poison(batch.values.size());
  for (uint32_t value = 0, input = 0; value < batch.values.size(); ++value) {
    if (!batch.is_input(value)) continue;
    if (!submission.poison.empty()) poison[value] = submission.poison[input];
    values[value] = std::move(submission.inputs[input++]);
  }
  Frame frame{values, submission.scalars};
  const bool timed = trace_ || config_.debug >= kTellSteps;
  std::vector<int64_t> times;
  if (timed) times.push_back(now_ns());
  for (uint32_t step = 0; step < batch.steps.size(); ++step) {
    const Batch::Step& at = batch.steps[step];
    Message& outcome = poison[at.result];
    for (uint32_t operand : batch.operands_of(at))
      if (operand != kNone.number && poison[operand]) {
        outcome = poison[operand];
        break;
      }
    if (!outcome) {
      try {
        backend_->run_step(batch, step, frame);
      } catch (const std::exception& error) {
        outcome = failure(submission, step, error.what());
      }
    }
    if (config_.debug >= kTellSteps) {
      // One write, lest the lines of several threads mix.
      const std::string told =
          outcome ? join("failed: ", *outcome) : join(now_ns() - times.back(), " ns");
      std::cerr << join("rt_torch: ", step_text(batch, step), "  ", told, '\n');
    }
    for (uint32_t value : last.after(step)) values[value] = {};
    if (timed) times.push_back(now_ns());
  }
  if (trace_) trace_steps(submission, times);
  for (size_t i = 0; i < batch.roots.size(); ++i) {
    job.results[i] = values[batch.roots[i]];
    job.failures[i] = poison[batch.roots[i]];
  }
}

void Engine::trace_steps(const Submission& submission, std::span<const int64_t> times) {
  std::vector<std::string> places;
  DumpNotes notes;
  {
    const std::lock_guard lock(mutex_);
    notes = notes_of(submission, places);
  }
  trace_->ran_steps(submission.batch(), times, notes);
}

/// The whole batch through its program; step by step where there is none, where an input is
/// poisoned, where each step is to be told, or when the program failed.
void Engine::run(Job& job) {
  Submission& submission = job.submission;
  if (!job.program || !submission.poison.empty() || config_.debug >= kTellSteps)
    return run_steps(job);
  const auto before = job.random ? backend_->random_state() : nullptr;
  try {
    job.program->run(submission.inputs, submission.scalars, job.results);
  } catch (const std::exception& error) {
    if (config_.debug > 0)
      std::cerr << join("rt_torch: step by step from here, the program failed: ", error.what(),
                        '\n');
    if (before) backend_->restore(*before);
    job.results.assign(submission.roots.size(), {});
    run_steps(job);
  }
}

/// With the memory of one that has landed.
Engine::JobRef Engine::new_job() {
  if (spare_.empty()) return std::make_unique<Job>();
  JobRef job = std::move(spare_.back());
  spare_.pop_back();
  return job;
}

int64_t Engine::submit(Turn& turn, Tape& tape, Reason reason) {
  if (tape.nodes == 0) return 0;
  const Uncancelled uncancelled;
  if (trace_ && &tape == &turn.thread.tape) trace_->recorded(tape.nodes);
  const TraceScope force(trace_.get(), Track::Forces, words_for(reason),
                         places_.text(turn.thread.place));
  backend();
  if (config_.forbid > 0 && batches_since_flush_ >= config_.forbid && reason != Reason::Flush)
    fail("RT_TORCH_FORBID=", config_.forbid, " allows no further batch before the next flush, and ",
         words_for(reason), " asks for one of ", tape.nodes,
         " nodes; move it behind the flush, or raise the variable");
  JobRef job = new_job();
  Submission& submission = job->submission;
  Cache::Entry* entry = cache_.likely(tape.path);
  if (entry && graph_.matches(tape, *entry->batch, submission)) {
    submission.known = entry->batch;
  } else {
    entry = nullptr;
    for (Value waited; (waited = graph_.build(tape, submission)) != kNone;) {
      wait_for(turn, waited);
      if (tape.nodes == 0) return 0;  // somebody else submitted it meanwhile
    }
  }
#ifndef NDEBUG
  check(submission.batch());
#endif
  // A loop cut at the place where it was cut before comes by here again with the same work.
  const bool repeats = reason == Reason::Limit && tape.trail == tape.began;
  const uint64_t path = tape.path;
  const int64_t bytes = tape.bytes;
  graph_.detach(tape);
  in_flight_nodes_ += submission.nodes;
  ++batches_since_flush_;
  if (reason == Reason::Flush) batches_since_flush_ = 0;
  count(Counter::batches);
  count(forced_by(reason));

  // One-step batches are not worth a program; run_step is one.
  job->thread = &turn.thread;
  ++turn.thread.in_flight;
  job->random = entry ? entry->random : draws_numbers(submission.built);
  int64_t last_ns = -1;
  if (submission.nodes > 1) {
    if (!entry) {
      entry = &cache_.find_or_add(key_of(submission.built), submission.built);
      entry->random = job->random;
    }
    cache_.use(*entry, path);
    ++entry->sightings;
    count(entry->program ? Counter::cache_hits : Counter::cache_misses);
    if (config_.debug > 1 && entry->sightings == 1) explain_miss(submission, *entry);
    if (!entry->program && config_.debug < kTellSteps &&
        (repeats || entry->sightings > config_.compile_after)) {
      const TraceScope compile(trace_.get(), Track::Compile, "compile");
      const int64_t start = now_ns();
      try {
        cache_.set_program(*entry, backend_->compile(*entry->batch));
      } catch (const std::exception& error) {
        if (config_.debug > 0)
          std::cerr << "rt_torch: batch " << to_string(entry->key)
                    << " does not compile: " << error.what() << '\n';
      }
      count(Counter::compile_ns, now_ns() - start);
    }
    job->program = entry->program;
    job->key = entry->key;
    last_ns = entry->run_ns;
    count(Counter::cache_evictions, cache_.shrink());
  }
  if (config_.debug > 0 || capture_.wanted()) announce(*job, reason);

  const int64_t nodes = submission.nodes;
  if (is_worth_a_thread(reason, last_ns, bytes) && hand_over(turn, job)) return nodes;
  // Numbers are drawn in the order of the batches.
  if (jobs_handed_ != jobs_landed_ && job->random) land_jobs(turn.lock);
  run_and_deliver(turn.lock, std::move(job));
  return nodes;
}

/// Runs a detached batch with the lock let go and hands the results to whoever holds the roots.
void Engine::run_and_deliver(std::unique_lock<EngineLock>& lock, JobRef job) {
  Submission& submission = job->submission;
  std::vector<BufferRef>& results = job->results;
  std::vector<Message>& failures = job->failures;
  lock.unlock();
  const int64_t start = now_ns();
  try {
    results.assign(submission.roots.size(), {});
    failures.assign(submission.roots.size(), nullptr);
    run(*job);
  } catch (const std::exception& error) {
    // No memory even to note which step failed: every root has failed.
    results.assign(submission.roots.size(), {});
    failures.assign(submission.roots.size(), std::make_shared<const std::string>(error.what()));
  }
  const int64_t end = trace_ ? trace_->end_of_run() : now_ns();
  if (trace_) trace_batch(submission, job->program != nullptr, start, end);
  lock.lock();

  count(Counter::run_ns, end - start);
  count(Counter::batch_nodes, submission.nodes);
  if (job->program && submission.poison.empty()) {
    const FusedCount fused = job->program->fused();
    count(Counter::fused_groups, fused.groups);
    count(Counter::fused_nodes, fused.steps);
  }
  if (job->program && overlaps_) cache_.note_run(job->key, end - start);
  in_flight_nodes_ -= submission.nodes;
  bool failed = false;
  Message own;  ///< a failure of this batch, not of one before
  for (size_t i = 0; i < submission.roots.size(); ++i) {
    if (failures[i]) {
      if (job->thread->unreported.empty()) job->thread->unreported = *failures[i];
      if (!own && !std::ranges::count(submission.poison, failures[i])) own = failures[i];
      graph_.poison(submission.roots[i], failures[i]);
      failed = true;
    } else {
      graph_.deliver(submission.roots[i], std::move(results[i]));
    }
  }
  if (failed) count(Counter::errors);
  if (--job->thread->in_flight == 0 && job->thread->ended) delete job->thread;
  if (own && capture_.wanted()) {
    capture_.failed(job->noted, *own, places_, *backend_);
    tell_capture();
  }
  submission.inputs.clear();
  job->program.reset();
  std::swap(newest_, job);
  if (job) spare_.push_back(std::move(job));
  landed_.notify_all();
}

void Engine::trace_batch(const Submission& submission, bool compiled, int64_t start, int64_t end) {
  const std::string key = to_string(key_of(submission.batch()));
  trace_->slice(Track::Batches, compiled ? "compiled batch" : "batch, step by step", start, end,
                {{"key", key},
                 {"nodes", submission.nodes},
                 {"roots", static_cast<int64_t>(submission.roots.size())}});
  trace_->flush();
}

void Engine::wait_for(Turn& turn, Value value) {
  const Uncancelled uncancelled;
  const TraceScope wait(trace_.get(), Track::Forces, "wait for a batch");
  graph_.hold(value);
  landed_.wait(turn.lock, [&] { return graph_[value].state != State::InFlight; });
  graph_.release(value);
}

/// The buffer of a value, submitting and waiting as needed; the value is kept alive meanwhile.
BufferRef Engine::settle(Turn& turn, Value value) {
  graph_.hold(value);
  const auto done = [&] { graph_.release(value); };
  try {
    if (graph_[value].state == State::Pending)
      submit(turn, graph_.tape(graph_[value].tape), Reason::Read);
    if (graph_[value].state == State::InFlight) wait_for(turn, value);
    if (graph_[value].state == State::Poisoned) {
      const Message message = graph_.poison_of(value);
      if (turn.thread.unreported == *message) turn.thread.unreported.clear();
      throw Error(*message, true);
    }
  } catch (...) {
    done();
    throw;
  }
  BufferRef buffer = graph_[value].buffer;
  done();
  return buffer;
}

int64_t Engine::flush(Turn& turn) {
  const int64_t nodes = submit(turn, turn.thread.tape, Reason::Flush);
  batches_since_flush_ = 0;
  return nodes;
}

/// Until no thread runs a batch. What batches left to do on CUDA devices goes on.
void Engine::flush_and_land(Turn& turn) {
  flush(turn);
  const Uncancelled uncancelled;
  landed_.wait(turn.lock, [&] { return in_flight_nodes_ == 0; });
}

bool Engine::sync(Turn& turn) {
  flush_and_land(turn);
  for (int i = 0; backend_ && i < backend_->device_count(); ++i)
    backend_->synchronize(Device{static_cast<int8_t>(i)});
  if (turn.thread.unreported.empty()) return true;
  throw Error(std::exchange(turn.thread.unreported, {}), true);
}

}  // namespace rt
