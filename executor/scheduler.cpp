// scheduler.cpp -- submits and completes batches. All work that can throw comes before the batch is
// taken off its tape. Later failures poison values, so that a batch that was taken off completes.
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
    case Reason::Shape: return "a shape query";
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
/// Checks that a batch is well formed and that its dumps are read back as an equal batch. The
/// dumps of equal batches are checked once. Needs the engine's lock.
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

/// A job, if possible one that has completed, for its memory.
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
    // The call is recorded, and no call waits for its batch: the next call submits it.
    if (reason == Reason::Eager) return 0;
    throw;
  }
  Job& job = *prepared;
  if (engine_.config.forbid > 0 && batches_since_flush_ >= engine_.config.forbid &&
      reason != Reason::Flush)
    fail("RT_TORCH_FORBID is ", engine_.config.forbid, ", and ", text_of(reason),
         " would run one more batch, of ", tape.nodes,
         " nodes, before the next flush; move it after the flush, or raise the variable");
  // A loop that is cut at the position of its previous cut will repeat this batch.
  const bool repeats = reason == Reason::Limit && tape.is_round();
  const int64_t bytes = tape.bytes, nodes = job.submission.nodes;
  take_off(tape, job, reason);
  job.thread = &context.thread;
  ++context.thread.in_flight;
  context.thread.ticket = job.ticket;
  Flight flight{*this, std::move(prepared)};
  engine_.begin_new_hold();  // the hold until here has built a batch
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
  // Random numbers are drawn in the order of the batches.
  if (jobs_handed_ != jobs_completed_ && job.random) complete_jobs();
  run_and_deliver(flight);
  return nodes;
}

/// Builds the batch of a tape and allocates all that it needs until it completes. Releases the lock
/// where it has to wait. False where another thread has submitted the tape meanwhile.
bool Scheduler::prepare(CallContext& context, Tape& tape, Job& job, Cache::Entry*& entry) {
  Submission& submission = job.submission;
  if (tape.nodes == 0) return false;
  entry = cache_.likely(tape.path);
  if (entry && engine_.graph.matches(tape, *entry->batch, submission)) {
    submission.known = entry->batch;
  } else {
    entry = nullptr;
    for (Value waited; (waited = engine_.graph.build(tape, submission)) != kNone;) {
      submission.clear();  // another thread may submit the tape during the wait and free its values
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
  job.unreported = tape.open ? tape.unreported : context.thread.tape.unreported;
  // Room for one failure of each batch that shares the list.
  job.unreported->reserve(job.unreported->size() + static_cast<size_t>(job.unreported.use_count()));
  job.nearest = {};
  job.compiles = job.is_lost = false;
  job.compile_ns = job.run_ns = 0;
  job.random = entry ? entry->random : draws_numbers(submission.built);
  if (submission.nodes == 1) return true;  // a program would not be faster than run_step
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

/// Moves cache entries beyond the bounds to dropped_, to be destroyed with the lock released.
void Scheduler::drop_beyond_bounds() noexcept {
  Cache::List dropped = cache_.shrink();
  for (const Cache::Entry& entry : dropped)
    if (entry.program) engine_.count(Counter::cache_evictions);
  dropped_.splice(dropped_.end(), dropped);
}

/// Runs a batch that was taken off, with the lock released, and completes it.
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

/// Gives each root its result or its failure. Returns true where something failed.
bool Scheduler::deliver(Job& job) noexcept {
  // Releases the lock after each kAtOnce roots, so that no thread waits long. With reversals it is
  // kept, because other threads must see all changes at once.
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
  // Frees buffers without a holder now, before a thread that waits for the batch reads live_bytes.
  if (engine_.graph.has_dead() && job.reversals.empty()) const Unlocked unlocked(engine_);
  return failed;
}

/// Delivers the results and ends the flight of the job. Returns its program, which the cache may
/// have dropped, so that the caller destroys it with the lock released.
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
  keep_unreported(*job);
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

/// Undoes failed changes of gradients and of optimizers' states. Sorts the reversals in place, so
/// that one walk over all optimizers suffices and no memory is needed.
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

/// Keeps the failures of a batch until a call of the thread that recorded it reports them.
void Scheduler::keep_unreported(const Job& job) {
  if (!job.is_lost && job.causes.empty()) return;
  std::vector<Message>& unreported = *job.unreported;
  const Message& first = job.is_lost ? out_of_memory() : job.causes.front();
  if (std::ranges::none_of(unreported, [&](const Message& one) { return *one == *first; }))
    unreported.push_back(first);
  try {
    std::unordered_set<std::string_view> known;
    for (const Message& one : unreported) known.insert(*one);
    for (const Message& cause : job.causes)
      if (known.insert(*cause).second) unreported.push_back(cause);
  } catch (const std::bad_alloc&) {  // prepare() has reserved room for the first
  }
}

void Scheduler::wait_for(CallContext&, Value value) {
  const Uncancelled uncancelled;
  const TraceScope wait(engine_.reports.trace(), Track::Forces, "wait for a batch");
  engine_.graph.hold(value);
  engine_.wait([&] { return engine_.graph[value].state != State::InFlight; });
  engine_.graph.release(value);
}

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

/// Waits with the lock released for all batches with tickets up to this one, but neither for later
/// ones nor for work that they have enqueued on CUDA devices.
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
  const std::vector<Message>& unreported = *context.thread.tape.unreported;
  if (unreported.empty()) return true;
  // Reports::report() removes it from the list.
  throw LaterError(*unreported.front(), true, Failure::Batch);
}

void Scheduler::seed(CallContext& context, uint64_t seed) {
  flush(context);
  complete_jobs();
  Backend& drawing = engine_.backends.get();
  const Unlocked unlocked(engine_);  // seed() waits for a thread that draws
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
