// submit.cpp -- the way of one batch: tape to batch to key to cache, run without the lock, deliver.
// Whatever can fail comes before the batch is taken off its tape, or ends in values that are
// poisoned: a batch that was taken off lands, always.
#include <algorithm>
#include <chrono>
#include <iostream>
#include <thread>
#include <unordered_set>

#include "executor/engine.h"
#include "executor/fallbacks.h"
#include "graph/batch/passes.h"
#include "graph/clock.h"
#include "graph/dump/dump.h"
#include "graph/error.h"
#include "graph/failure.h"
#include "graph/printable.h"
#include "graph/tape/symbols.h"
#include "graph/uncancelled.h"
#ifndef NDEBUG
#include "graph/batch/verify.h"
#endif

namespace rt {
namespace {

/// The level of RT_TORCH_DEBUG from which every step is told, and so no program is used.
constexpr int kPrintSteps = 4;

std::string_view text_of(Reason reason) {
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
/// it ran. A step that its call recorded among others has no names for its operands that the client
/// knows.
Message Engine::failure(const Submission& submission, uint32_t step,
                        std::string_view cause) noexcept try {
  const Batch& batch = submission.batch();
  const Batch::Step& at = batch.steps[step];
  const OpInfo& row = info(at.op);
  const AttributesView attributes = batch.attributes_of(at);
  const auto operands = batch.operands_of(at);
  std::string_view symbol = row.symbol;
  std::string location;
  {
    const std::lock_guard lock(mutex_);
    if (const uint16_t call = submission.calls[step]) symbol = symbol_text(call);
    if (const uint32_t number = submission.locations[step]) location = locations_.text(number);
  }
  const bool named = symbol == row.symbol;
  std::string text = std::string(symbol) + "(";
  const auto put = [&](const Param& param, std::string_view between, const std::string& value) {
    if (text.back() != '(') text += ", ";
    if (named) text += std::string(param.name) + std::string(between);
    text += value;
  };
  uint32_t tensor = 0, integer = 0;
  for (const Param& param : row.params) {
    switch (param.kind) {
      case Kind::Tensor:
      case Kind::OptTensor:
        if (const TensorType type = batch.type(operands[tensor++]); !type.none)
          put(param, ": ", to_string(type.dtype, type.sizes));
        break;
      case Kind::TensorList: put(param, ": ", std::to_string(operands.size()) + " tensors"); break;
      case Kind::Int:
      case Kind::Flag:
        if (named) put(param, "=", std::to_string(attributes.integer(integer++)));
        break;
      default: break;
    }
  }
  text += ")";
  if (!submission.labels.empty() && !submission.labels[step].empty())
    text += join(" \"", printable(submission.labels[step]), '"');
  if (!location.empty()) text += " at " + printable(location);
  return std::make_shared<const std::string>(text + ": " + std::string(cause));
} catch (const std::bad_alloc&) {
  return out_of_memory();
}

/// One step after the other; a step that fails poisons what depends on it and nothing else, and
/// what it was to put in the place of something goes back to that.
void Engine::run_steps(Job& job) {
  Submission& submission = job.submission;
  const Batch& batch = submission.batch();
  const LastUses last = batch.steps.size() > 1 ? last_uses(batch) : LastUses{{}, {0}};
  std::vector<BufferRef> values(batch.values.size());
  std::vector<Message> poison(batch.values.size());
  Fallbacks fallbacks(submission);
  job.reversals.reserve(submission.backs.size());
  job.causes.reserve(batch.steps.size());
  const bool timed = trace_ || config_.debug >= kPrintSteps;
  std::vector<int64_t> times;
  if (timed) times.reserve(batch.steps.size() + 1);
  // From here on only steps may fail: else what has run would be lost.
  for (uint32_t value = 0, input = 0; value < batch.values.size(); ++value) {
    if (!batch.is_input(value)) continue;
    if (!submission.poison.empty()) poison[value] = submission.poison[input];
    values[value] = std::move(submission.inputs[input++]);
  }
  const auto drop = [&](uint32_t value) { values[value] = {}; };
  Frame frame{values, submission.scalars};
  if (timed) times.push_back(now_ns());
  auto pass = submission.passes.begin();
  Message lost;  // why there is nothing to go back through, in the backward pass that a step is of
  for (uint32_t step = 0; step < batch.steps.size(); ++step) {
    const Batch::Step& at = batch.steps[step];
    Message& outcome = poison[at.result];
    for (uint32_t operand : batch.operands_of(at))
      if (operand != kNone.id && poison[operand]) {
        outcome = poison[operand];
        break;
      }
    // Of what has failed there are no gradients, though they may be computed of other things.
    const bool begins = pass != submission.passes.end() && pass->gradient == at.result;
    if (begins) lost = pass->from == kNone.id ? nullptr : poison[pass->from];
    else if (step == 0 || submission.calls[step] != submission.calls[step - 1]) lost = nullptr;
    if (begins) ++pass;
    if (lost) outcome = lost;
    if (!outcome) {
      try {
        backend_->run_step(batch, step, frame);
      } catch (const std::bad_alloc&) {
        outcome = failure(submission, step, *out_of_memory());
      } catch (const std::exception& error) {
        outcome = failure(submission, step, error.what());
      }
      if (outcome) announce_error("", *outcome, true);
      if (outcome) job.causes.push_back(outcome);
    }
    if (config_.debug >= kPrintSteps) {
      // One write, lest the lines of several threads mix.
      const std::string told =
          outcome ? join("failed: ", *outcome) : join(now_ns() - times.back(), " ns");
      std::cerr << join("rt_torch: ", step_text(batch, step), "  ", told, '\n');
    }
    fallbacks.note(at.result, outcome, drop);
    for (uint32_t value : last.after(step))
      if (fallbacks.end(value)) drop(value);
    if (timed) times.push_back(now_ns());
  }
  if (trace_) trace_steps(submission, times);
  settle_roots(job, fallbacks, values, poison);
}

/// Gives each root its result, what it goes back to, or why it failed.
void Engine::settle_roots(Job& job, const Fallbacks& fallbacks, std::span<const BufferRef> values,
                          std::span<const Message> failures) noexcept {
  const Submission& submission = job.submission;
  const auto& roots = submission.batch().roots;
  for (uint32_t i = 0; i < roots.size(); ++i) {
    BufferRef& result = job.results[i];
    Message& failure = job.failures[i];
    failure = failures[roots[i]];
    if (submission.backs.empty()) {
      result = values[roots[i]];
      continue;
    }
    bool went_back = false;
    for (const Submission::Back& back : fallbacks.of(roots[i])) {
      Fallbacks::Way way = fallbacks.way(back, values, failures);
      if (!way.failure) continue;
      const bool by_all = back.undo.leaf == 0 && way.buffer;
      if (by_all) result = way.buffer;
      went_back = went_back || by_all;
      if (!by_all || way.undo->steps >= 0)
        job.reversals.push_back({i, *way.undo, by_all ? BufferRef() : std::move(way.buffer)});
    }
    if (failure && !went_back && fallbacks.of(roots[i]).empty()) {
      try {
        result = fallbacks.view(roots[i], values, failures);
        went_back = static_cast<bool>(result);
      } catch (const std::bad_alloc&) {  // it stays a failure
      }
    }
    if (went_back) failure = nullptr;
    if (!failure && !went_back) result = values[roots[i]];
  }
}

void Engine::trace_steps(const Submission& submission, std::span<const int64_t> times) noexcept
    try {
  std::vector<std::string> locations;
  {
    const std::lock_guard lock(mutex_);
    locations = locations_of(submission);
  }
  trace_->ran_steps(submission.batch(), times,
                    {.locations = locations, .labels = submission.labels});
} catch (const std::exception&) {  // no memory: the batch goes on without
}

/// The whole batch through its program; step by step where there is none, where an input is
/// poisoned, where each step is to be told, or when the program failed.
void Engine::run(Job& job) {
  Submission& submission = job.submission;
  if (!job.program || !submission.poison.empty() || config_.debug >= kPrintSteps)
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

void Engine::Queue::put(JobRef job) noexcept {
  Job* const added = job.get();
  (first ? last->next : first) = std::move(job);
  last = added;
}

Engine::JobRef Engine::Queue::take() noexcept {
  JobRef job = std::move(first);
  first = std::move(job->next);
  return job;
}

/// With the memory of one that has landed.
Engine::JobRef Engine::new_job() {
  if (!spare_) return std::make_unique<Job>();
  JobRef job = std::move(spare_);
  spare_ = std::move(job->next);
  return job;
}

int64_t Engine::submit(CallContext& context, Tape& tape, Reason reason) {
  if (tape.nodes == 0) return 0;
  const Uncancelled uncancelled;
  if (trace_ && &tape == &context.thread.tape) trace_->recorded(tape.nodes);
  const TraceScope force(trace_.get(), Track::Forces, text_of(reason),
                         locations_.text(context.thread.location));
  backend();
  JobRef prepared;
  Cache::Entry* entry = nullptr;
  try {
    prepared = new_job();
    if (!prepare(context, tape, *prepared, entry)) return 0;
  } catch (const std::bad_alloc&) {
    // The call has recorded all that it changes, and nobody waits for it: the next call submits it.
    if (reason == Reason::Eager) return 0;
    throw;
  }
  Job& job = *prepared;
  if (config_.forbid > 0 && batches_since_flush_ >= config_.forbid && reason != Reason::Flush)
    fail("RT_TORCH_FORBID=", config_.forbid, " allows no further batch before the next flush, and ",
         text_of(reason), " asks for one of ", tape.nodes,
         " nodes; move it behind the flush, or raise the variable");
  // A loop cut at the place where it was cut before comes by here again with the same work.
  const bool repeats = reason == Reason::Limit && tape.is_round();
  const int64_t bytes = tape.bytes, nodes = job.submission.nodes;
  take_off(tape, job, reason);
  job.thread = &context.thread;
  ++context.thread.in_flight;
  context.thread.ticket = job.ticket;
  Flight flight{*this, std::move(prepared)};
  mutex_.begin_anew();  // that was building a batch
  int64_t last_ns = -1;
  if (entry) {
    last_ns = entry->run_ns;
    ++entry->sightings;
    count(entry->program ? Counter::cache_hits : Counter::cache_misses);
    job.compiles = has_completed(entry->compiled_by) && config_.debug < kPrintSteps &&
                   (repeats || entry->sightings > config_.compile_after) && entry->is_worth_a_try();
    if (job.compiles) entry->compiled_by = job.ticket;
    if (config_.debug > 1 && entry->sightings == 1) job.nearest = cache_.nearest(*entry);
    drop_beyond_bounds();
  }
  if (config_.debug > 0 || capture_.wanted()) announce(job, reason);
  if (is_worth_a_thread(reason, last_ns, bytes) && hand_over(flight.job)) return nodes;
  // Numbers are drawn in the order of the batches.
  if (jobs_handed_ != jobs_completed_ && job.random) complete_jobs();
  run_and_deliver(flight);
  return nodes;
}

/// Makes all that a batch of what is on the tape needs until it lands. False when another thread
/// has submitted the tape meanwhile.
bool Engine::prepare(CallContext& context, Tape& tape, Job& job, Cache::Entry*& entry) {
  Submission& submission = job.submission;
  if (tape.nodes == 0) return false;
  entry = cache_.likely(tape.path);
  if (entry && graph_.matches(tape, *entry->batch, submission)) {
    submission.known = entry->batch;
  } else {
    entry = nullptr;
    for (Value waited; (waited = graph_.build(tape, submission)) != kNone;) {
      submission.clear();  // another thread may run it meanwhile, and its inputs end then
      wait_for(context, waited);
      if (tape.nodes == 0) return false;
    }
  }
#ifndef NDEBUG
  check(submission.batch());
#endif
  job.results.assign(submission.roots.size(), {});
  job.failures.assign(submission.roots.size(), nullptr);
  job.causes.clear();
  job.reversals.clear();
  job.untold = tape.open ? tape.untold : context.thread.tape.untold;
  // One failure of each batch that shares it finds room.
  job.untold->reserve(job.untold->size() + static_cast<size_t>(job.untold.use_count()));
  job.nearest = {};
  job.compiles = job.is_lost = false;
  job.compile_ns = job.run_ns = 0;
  job.random = entry ? entry->random : draws_numbers(submission.built);
  if (submission.nodes == 1) return true;  // not worth a program: run_step is one
  if (!entry) {
    entry = &cache_.find_or_add(key_of(submission.built), submission.built);
    entry->random = job.random;
    submission.known = entry->batch;
  }
  cache_.use(*entry, tape.path);
  job.program = entry->program;
  job.key = entry->key;
  return true;
}

void Engine::take_off(Tape& tape, Job& job, Reason reason) noexcept {
  graph_.detach(tape);
  in_flight_nodes_ += job.submission.nodes;
  ++batches_since_flush_;
  if (reason == Reason::Flush) batches_since_flush_ = 0;
  count(Counter::batches);
  count(forced_by(reason));
  job.ticket = ++tickets_;
  job.before = youngest_;
  job.after = nullptr;
  (youngest_ ? youngest_->after : oldest_) = &job;
  youngest_ = &job;
}

/// Takes what the cache has room for no more out of it; it ends when the lock is let go.
void Engine::drop_beyond_bounds() noexcept {
  Cache::List dropped = cache_.shrink();
  for (const Cache::Entry& entry : dropped)
    if (entry.program) count(Counter::cache_evictions);
  dropped_.splice(dropped_.end(), dropped);
}

/// Runs a batch that was taken off with the lock let go, and hands the results to whoever holds the
/// roots.
void Engine::run_and_deliver(Flight& flight) {
  {
    Cache::List dropped = std::exchange(dropped_, {});
    const Unlocked unlocked(*this);
    dropped.clear();
    execute(*flight.job);
  }
  std::shared_ptr<Program> program = complete_job(std::move(flight.job));
  const bool is_last = program.use_count() == 1;
  if (dropped_.empty() && !is_last) return;
  Cache::List dropped = std::exchange(dropped_, {});
  const Unlocked unlocked(*this);
  dropped.clear();
  program.reset();
}

/// A root without a result and without a failure is one for which there was no memory.
void Engine::execute(Job& job) {
  try {
    if (job.compiles) compile(job);
    const int64_t start = now_ns();
    run(job);
    const int64_t end = trace_ ? trace_->end_of_run() : now_ns();
    job.run_ns = end - start;
    if (trace_) trace_batch(job, start, end);
  } catch (const std::exception&) {  // no memory even to begin: nothing has run
    for (size_t i = 0; i < job.results.size(); ++i) {
      job.results[i] = before_batch(job.submission, job.submission.batch().roots[i]);
      job.failures[i] = nullptr;
    }
    job.is_lost = true;
  }
  job.submission.inputs.clear();
  job.submission.backs.clear();
  if (!capture_.wanted() || job.causes.empty()) return;
  capture_.failed(job.noted, *job.causes.front(), *backend_);
  report_capture();
}

void Engine::compile(Job& job) {
  const TraceScope compile(trace_.get(), Track::Compile, "compile");
  const int64_t start = now_ns();
  try {
    job.program = backend_->compile(job.submission.batch());
  } catch (const std::exception& error) {
    if (config_.debug > 0)
      std::cerr << join("rt_torch: batch ", to_string(job.key), " does not compile: ", error.what(),
                        '\n');
  }
  job.compile_ns = now_ns() - start;
}

/// Gives each root its result or its failure. Returns whether something failed.
bool Engine::deliver(Job& job) noexcept {
  // Of a large batch so many at once that no other thread waits for long. Where some go back, all
  // is to be seen together.
  constexpr size_t kAtOnce = 512;
  const std::vector<Value>& roots = job.submission.roots;
  bool failed = job.is_lost || !job.causes.empty();
  for (size_t i = 0; i < roots.size(); ++i) {
    if (i % kAtOnce == kAtOnce - 1 && job.reversals.empty()) {
      const Unlocked unlocked(*this);
      std::this_thread::yield();
    }
    if (job.results[i]) {
      graph_.deliver(roots[i], std::move(job.results[i]));
      continue;
    }
    graph_.poison(roots[i], job.failures[i] ? job.failures[i] : out_of_memory());
    failed = true;
  }
  // Buffers that nobody wanted end first: a thread that waits for the batch reads live_bytes next.
  if (graph_.has_dead() && job.reversals.empty()) const Unlocked unlocked(*this);
  return failed;
}

/// Gives back the program that it has run, which may have been dropped from the cache meanwhile.
std::shared_ptr<Program> Engine::complete_job(JobRef job) noexcept {
  Submission& submission = job->submission;
  const bool failed = deliver(*job);
  (job->before ? job->before->after : oldest_) = job->after;
  (job->after ? job->after->before : youngest_) = job->before;
  in_flight_nodes_ -= submission.nodes;
  count(Counter::batch_nodes, submission.nodes);
  count(Counter::run_ns, job->run_ns);
  count(Counter::compile_ns, job->compile_ns);
  if (job->program && submission.poison.empty()) {
    const FusedCount fused = job->program->fused();
    count(Counter::fused_groups, fused.groups);
    count(Counter::fused_nodes, fused.steps);
  }
  if (job->program && (job->compiles || overlaps_))
    if (Cache::Entry* const entry = cache_.find(job->key, submission.batch())) {
      entry->run_ns = job->run_ns;
      if (job->compiles) cache_.set_program(*entry, job->program);
      drop_beyond_bounds();
    }
  if (!job->reversals.empty()) put_back(*job);
  for (Job::Reversal& reversal : job->reversals)
    if (reversal.before) graph_.end(std::move(reversal.before));
  job->reversals.clear();
  if (failed) count(Counter::errors);
  keep_untold(*job);
  if (--job->thread->in_flight == 0 && job->thread->ended) delete job->thread;
  std::shared_ptr<Program> program = std::move(job->program);
  std::swap(newest_, job);
  if (job) {
    job->next = std::move(spare_);
    spare_ = std::move(job);
  }
  completed_.notify_all();
  return program;
}

/// Takes back what stands in places that not all holders of a root share. Optimizers are gone
/// through once for all roots, which are put in order where they lie, so that it needs no memory.
void Engine::put_back(Job& job) noexcept {
  const auto root_of = [&](const Job::Reversal& reversal) {
    return job.submission.roots[reversal.root].id;
  };
  const auto middle =
      std::partition(job.reversals.begin(), job.reversals.end(),
                     [](const Job::Reversal& reversal) { return reversal.undo.leaf != 0; });
  for (Job::Reversal& reversal : std::span(job.reversals.begin(), middle))
    graph_.put_back_gradient(reversal.undo, {root_of(reversal)}, reversal.before);
  const std::span states(middle, job.reversals.end());
  if (states.empty()) return;
  std::ranges::sort(states, {}, root_of);
  optimizers_.for_each([&](Optimizer& optimizer) {
    for (Optimizer::Parameter& parameter : optimizer.parameters)
      for (Value& state : parameter.state) {
        const auto reversal = std::ranges::lower_bound(states, state.id, {}, root_of);
        if (reversal == states.end() || root_of(*reversal) != state.id) continue;
        parameter.steps = reversal->undo.steps;
        if (reversal->undo.before == kNone) graph_.release(std::exchange(state, kNone));
      }
  });
}

/// Keeps the failures of a batch until a call of the thread that recorded it has told them.
void Engine::keep_untold(const Job& job) {
  if (!job.is_lost && job.causes.empty()) return;
  std::vector<Message>& untold = *job.untold;
  const Message& first = job.is_lost ? out_of_memory() : job.causes.front();
  if (std::ranges::none_of(untold, [&](const Message& one) { return *one == *first; }))
    untold.push_back(first);
  try {
    std::unordered_set<std::string_view> known;
    for (const Message& one : untold) known.insert(*one);
    for (const Message& cause : job.causes)
      if (known.insert(*cause).second) untold.push_back(cause);
  } catch (const std::bad_alloc&) {  // there was room for one
  }
}

void Engine::trace_batch(const Job& job, int64_t start, int64_t end) noexcept try {
  trace_->slice(Track::Batches, job.program ? "compiled batch" : "batch, step by step", start, end,
                {{"key", to_string(key_of(job.submission.batch()))},
                 {"nodes", job.submission.nodes},
                 {"roots", static_cast<int64_t>(job.submission.roots.size())}});
  trace_->flush();
} catch (const std::exception&) {  // no memory: the batch goes on without
}

void Engine::wait_for(CallContext&, Value value) {
  const Uncancelled uncancelled;
  const TraceScope wait(trace_.get(), Track::Forces, "wait for a batch");
  graph_.hold(value);
  completed_.wait(mutex_, [&] { return graph_[value].state != State::InFlight; });
  graph_.release(value);
}

/// The buffer of a value, submitting and waiting as needed; the value is kept alive meanwhile.
BufferRef Engine::settle(CallContext& context, Value value) {
  graph_.hold(value);
  const bool had_failed = graph_[value].state == State::Poisoned;
  const auto done = [&] { graph_.release(value); };
  try {
    if (graph_[value].state == State::Pending)
      submit(context, graph_.tape(graph_[value].tape), Reason::Read);
    if (graph_[value].state == State::InFlight) wait_for(context, value);
    if (graph_[value].state == State::Poisoned) {
      const Message message = graph_.poison_of(value);
      throw LaterError(*message, true, had_failed ? Failure::FailedValue : Failure::Batch);
    }
  } catch (...) {
    done();
    throw;
  }
  BufferRef buffer = graph_[value].buffer;
  done();
  return buffer;
}

int64_t Engine::flush(CallContext& context) {
  const int64_t nodes = submit(context, context.thread.tape, Reason::Flush);
  batches_since_flush_ = 0;
  return nodes;
}

/// Until all batches with tickets up to this one are down, whatever is submitted meanwhile. What
/// they left to do on CUDA devices goes on.
void Engine::wait_until_completed(uint64_t ticket) {
  const Uncancelled uncancelled;
  completed_.wait(mutex_, [&] { return has_completed(ticket); });
}

bool Engine::sync(CallContext& context) {
  flush(context);
  wait_until_completed(tickets_);
  if (backend_) {
    const Unlocked unlocked(*this);
    for (int i = 0; i < backend_->device_count(); ++i)
      backend_->synchronize(Device{static_cast<int8_t>(i)});
  }
  const std::vector<Message>& untold = *context.thread.tape.untold;
  if (untold.empty()) return true;
  // Telling it takes it off the list.
  throw LaterError(*untold.front(), true, Failure::Batch);
}

}  // namespace rt
