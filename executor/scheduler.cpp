// scheduler.cpp -- the way of one batch: tape, key, cache, a run without the lock, delivery.
// Whatever can fail comes before the batch is taken off its tape, or ends in values that are
// poisoned: a batch that was taken off lands, always.
#include "executor/scheduler.h"

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

Scheduler::Scheduler(Engine& engine)
    : engine_(engine),
      cache_(engine.config.cache_entries, engine.config.cache_bytes),
      overlaps_(engine.config.async) {}

void JobQueue::put(JobRef job) noexcept {
  Job* const added = job.get();
  (first ? last->next : first) = std::move(job);
  last = added;
}

JobRef JobQueue::take() noexcept {
  JobRef job = std::move(first);
  first = std::move(job->next);
  return job;
}

/// With the memory of one that has landed.
JobRef Scheduler::new_job() {
  if (!spare_) return std::make_unique<Job>();
  JobRef job = std::move(spare_);
  spare_ = std::move(job->next);
  return job;
}

int64_t Scheduler::submit(CallContext& context, Tape& tape, Reason reason) {
  if (tape.nodes == 0) return 0;
  const Uncancelled uncancelled;
  if (engine_.reports.trace() && &tape == &context.thread.tape)
    engine_.reports.trace()->recorded(tape.nodes);
  const TraceScope force(engine_.reports.trace(), Track::Forces, text_of(reason),
                         engine_.locations.text(context.thread.location));
  engine_.backends.get();
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
  if (engine_.config.forbid > 0 && batches_since_flush_ >= engine_.config.forbid &&
      reason != Reason::Flush)
    fail("RT_TORCH_FORBID=", engine_.config.forbid,
         " allows no further batch before the next flush, and ", text_of(reason),
         " asks for one of ", tape.nodes,
         " nodes; move it behind the flush, or raise the variable");
  // A loop cut at the place where it was cut before comes by here again with the same work.
  const bool repeats = reason == Reason::Limit && tape.is_round();
  const int64_t bytes = tape.bytes, nodes = job.submission.nodes;
  take_off(tape, job, reason);
  job.thread = &context.thread;
  ++context.thread.in_flight;
  context.thread.ticket = job.ticket;
  Flight flight{*this, std::move(prepared)};
  engine_.begin_new_hold();  // that was building a batch
  int64_t last_ns = -1;
  if (entry) {
    last_ns = entry->run_ns;
    ++entry->sightings;
    engine_.count(entry->program ? Counter::cache_hits : Counter::cache_misses);
    job.compiles = has_completed(entry->compiled_by) && engine_.config.debug < kDebugSteps &&
                   (repeats || entry->sightings > engine_.config.compile_after) &&
                   entry->is_worth_a_try();
    if (job.compiles) entry->compiled_by = job.ticket;
    if (engine_.config.debug > 1 && entry->sightings == 1) job.nearest = cache_.nearest(*entry);
    drop_beyond_bounds();
  }
  if (engine_.config.debug > 0 || engine_.reports.capture().wanted())
    engine_.reports.announce(job, reason);
  if (is_worth_a_thread(reason, last_ns, bytes) && hand_over(flight.job)) return nodes;
  // Numbers are drawn in the order of the batches.
  if (jobs_handed_ != jobs_completed_ && job.random) complete_jobs();
  run_and_deliver(flight);
  return nodes;
}

/// Makes all that a batch of what is on the tape needs until it lands. False when another thread
/// has submitted the tape meanwhile.
bool Scheduler::prepare(CallContext& context, Tape& tape, Job& job, Cache::Entry*& entry) {
  Submission& submission = job.submission;
  if (tape.nodes == 0) return false;
  entry = cache_.likely(tape.path);
  if (entry && engine_.graph.matches(tape, *entry->batch, submission)) {
    submission.known = entry->batch;
  } else {
    entry = nullptr;
    for (Value waited; (waited = engine_.graph.build(tape, submission)) != kNone;) {
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

void Scheduler::take_off(Tape& tape, Job& job, Reason reason) noexcept {
  engine_.graph.detach(tape);
  in_flight_nodes_ += job.submission.nodes;
  ++batches_since_flush_;
  if (reason == Reason::Flush) batches_since_flush_ = 0;
  engine_.count(Counter::batches);
  engine_.count(forced_by(reason));
  job.ticket = ++tickets_;
  job.before = youngest_;
  job.after = nullptr;
  (youngest_ ? youngest_->after : oldest_) = &job;
  youngest_ = &job;
}

/// Takes what the cache has room for no more out of it; it ends when the lock is let go.
void Scheduler::drop_beyond_bounds() noexcept {
  Cache::List dropped = cache_.shrink();
  for (const Cache::Entry& entry : dropped)
    if (entry.program) engine_.count(Counter::cache_evictions);
  dropped_.splice(dropped_.end(), dropped);
}

/// Runs a batch that was taken off with the lock let go, and hands the results to whoever holds the
/// roots.
void Scheduler::run_and_deliver(Flight& flight) {
  {
    Cache::List dropped = std::exchange(dropped_, {});
    const Unlocked unlocked(engine_);
    dropped.clear();
    execute(*flight.job);
  }
  std::shared_ptr<Program> program = complete_job(std::move(flight.job));
  const bool is_last = program.use_count() == 1;
  if (dropped_.empty() && !is_last) return;
  Cache::List dropped = std::exchange(dropped_, {});
  const Unlocked unlocked(engine_);
  dropped.clear();
  program.reset();
}

/// Gives each root its result or its failure. Returns whether something failed.
bool Scheduler::deliver(Job& job) noexcept {
  // Of a large batch so many at once that no other thread waits for long. Where some go back, all
  // is to be seen together.
  constexpr size_t kAtOnce = 512;
  const std::vector<Value>& roots = job.submission.roots;
  bool failed = job.is_lost || !job.causes.empty();
  for (size_t i = 0; i < roots.size(); ++i) {
    if (i % kAtOnce == kAtOnce - 1 && job.reversals.empty()) {
      const Unlocked unlocked(engine_);
      std::this_thread::yield();
    }
    if (job.results[i]) {
      engine_.graph.deliver(roots[i], std::move(job.results[i]));
      continue;
    }
    engine_.graph.poison(roots[i], job.failures[i] ? job.failures[i] : out_of_memory());
    failed = true;
  }
  // Buffers that nobody wanted end first: a thread that waits for the batch reads live_bytes next.
  if (engine_.graph.has_dead() && job.reversals.empty()) const Unlocked unlocked(engine_);
  return failed;
}

/// Gives back the program that it has run, which may have been dropped from the cache meanwhile.
std::shared_ptr<Program> Scheduler::complete_job(JobRef job) noexcept {
  Submission& submission = job->submission;
  const bool failed = deliver(*job);
  (job->before ? job->before->after : oldest_) = job->after;
  (job->after ? job->after->before : youngest_) = job->before;
  in_flight_nodes_ -= submission.nodes;
  engine_.count(Counter::batch_nodes, submission.nodes);
  engine_.count(Counter::run_ns, job->run_ns);
  engine_.count(Counter::compile_ns, job->compile_ns);
  if (job->program && submission.poison.empty()) {
    const FusedCount fused = job->program->fused();
    engine_.count(Counter::fused_groups, fused.groups);
    engine_.count(Counter::fused_nodes, fused.steps);
  }
  if (job->program && (job->compiles || overlaps_))
    if (Cache::Entry* const entry = cache_.find(job->key, submission.batch())) {
      entry->run_ns = job->run_ns;
      if (job->compiles) cache_.set_program(*entry, job->program);
      drop_beyond_bounds();
    }
  if (!job->reversals.empty()) put_back(*job);
  for (Job::Reversal& reversal : job->reversals)
    if (reversal.before) engine_.graph.end(std::move(reversal.before));
  job->reversals.clear();
  if (failed) engine_.count(Counter::errors);
  keep_untold(*job);
  if (--job->thread->in_flight == 0 && job->thread->ended) delete job->thread;
  std::shared_ptr<Program> program = std::move(job->program);
  std::swap(newest_, job);
  if (job) {
    job->next = std::move(spare_);
    spare_ = std::move(job);
  }
  engine_.notify();
  return program;
}

/// Takes back what stands in places that not all holders of a root share. Optimizers are gone
/// through once for all roots, which are put in order where they lie, so that it needs no memory.
void Scheduler::put_back(Job& job) noexcept {
  const auto root_of = [&](const Job::Reversal& reversal) {
    return job.submission.roots[reversal.root].id;
  };
  const auto middle =
      std::partition(job.reversals.begin(), job.reversals.end(),
                     [](const Job::Reversal& reversal) { return reversal.undo.leaf != 0; });
  for (Job::Reversal& reversal : std::span(job.reversals.begin(), middle))
    engine_.graph.put_back_gradient(reversal.undo, {root_of(reversal)}, reversal.before);
  const std::span states(middle, job.reversals.end());
  if (states.empty()) return;
  std::ranges::sort(states, {}, root_of);
  engine_.optimizers.for_each([&](Optimizer& optimizer) {
    for (Optimizer::Parameter& parameter : optimizer.parameters)
      for (Value& state : parameter.state) {
        const auto reversal = std::ranges::lower_bound(states, state.id, {}, root_of);
        if (reversal == states.end() || root_of(*reversal) != state.id) continue;
        parameter.steps = reversal->undo.steps;
        if (reversal->undo.before == kNone) engine_.graph.release(std::exchange(state, kNone));
      }
  });
}

/// Keeps the failures of a batch until a call of the thread that recorded it has told them.
void Scheduler::keep_untold(const Job& job) {
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

void Scheduler::wait_for(CallContext&, Value value) {
  const Uncancelled uncancelled;
  const TraceScope wait(engine_.reports.trace(), Track::Forces, "wait for a batch");
  engine_.graph.hold(value);
  engine_.wait([&] { return engine_.graph[value].state != State::InFlight; });
  engine_.graph.release(value);
}

/// The buffer of a value, submitting and waiting as needed; the value is kept alive meanwhile.
BufferRef Scheduler::settle(CallContext& context, Value value) {
  engine_.graph.hold(value);
  const bool had_failed = engine_.graph[value].state == State::Poisoned;
  const auto done = [&] { engine_.graph.release(value); };
  try {
    if (engine_.graph[value].state == State::Pending)
      submit(context, engine_.graph.tape(engine_.graph[value].tape), Reason::Read);
    if (engine_.graph[value].state == State::InFlight) wait_for(context, value);
    if (engine_.graph[value].state == State::Poisoned) {
      const Message message = engine_.graph.poison_of(value);
      throw LaterError(*message, true, had_failed ? Failure::FailedValue : Failure::Batch);
    }
  } catch (...) {
    done();
    throw;
  }
  BufferRef buffer = engine_.graph[value].buffer;
  done();
  return buffer;
}

int64_t Scheduler::flush(CallContext& context) {
  const int64_t nodes = submit(context, context.thread.tape, Reason::Flush);
  batches_since_flush_ = 0;
  return nodes;
}

/// Until all batches with tickets up to this one are down, whatever is submitted meanwhile. What
/// they left to do on CUDA devices goes on.
void Scheduler::wait_until_completed(uint64_t ticket) {
  const Uncancelled uncancelled;
  engine_.wait([&] { return has_completed(ticket); });
}

bool Scheduler::sync(CallContext& context) {
  flush(context);
  wait_until_completed(tickets_);
  if (engine_.backends.loaded()) {
    const Unlocked unlocked(engine_);
    for (int i = 0; i < engine_.backends.loaded()->device_count(); ++i)
      engine_.backends.loaded()->synchronize(Device{static_cast<int8_t>(i)});
  }
  const std::vector<Message>& untold = *context.thread.tape.untold;
  if (untold.empty()) return true;
  // Telling it takes it off the list.
  throw LaterError(*untold.front(), true, Failure::Batch);
}

void Scheduler::seed(CallContext& context, uint64_t seed) {
  flush(context);
  complete_jobs();
  Backend& drawing = engine_.backends.get();
  const Unlocked unlocked(engine_);  // another thread may be drawing, which is waited for
  drawing.seed(seed);
}

void Scheduler::set_policy(CallContext& context, Policy policy) {
  flush(context);
  engine_.policy = policy;
}

void Scheduler::mark_locations(std::vector<bool>& used) const {
  const auto mark = [&](const Job& job) {
    for (const uint32_t location : job.submission.locations) used[location] = true;
  };
  for (const Job* job = oldest_; job; job = job->after) mark(*job);
  if (newest_) mark(*newest_);
}

Cache::List Scheduler::take_programs() {
  Cache::List programs = cache_.clear();
  programs.splice(programs.end(), dropped_);
  return programs;
}

void Scheduler::after_fork() {
  forget_jobs();
  engine_.count(Counter::batch_nodes, std::exchange(in_flight_nodes_, 0));
}

}  // namespace rt
