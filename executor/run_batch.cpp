// run_batch.cpp -- compiles a batch and runs it, as a program or step by step.
#include <iostream>

#include "executor/engine.h"
#include "executor/fallbacks.h"
#include "graph/batch/passes.h"
#include "graph/clock.h"
#include "graph/error.h"
#include "graph/failure.h"
#include "graph/ops/attributes.h"
#include "graph/printable.h"
#include "graph/tape/symbols.h"

namespace rt {

/// "rt_torch_x(self=f32[3,4], dim=0) at train.c:12: cause", for a step that failed at run time.
/// Where the client's call recorded several steps, only the operands are shown, without names,
/// because the client does not know those of the step.
Message Scheduler::failure(const Submission& submission, uint32_t step,
                           std::string_view cause) noexcept try {
  const Batch& batch = submission.batch();
  const Batch::Step& at = batch.steps[step];
  const OpInfo& row = info(at.op);
  const auto operands = batch.operands_of(at);
  std::string_view symbol = row.symbol;
  std::string location;
  {
    const std::lock_guard lock(engine_);
    if (const uint16_t call = submission.calls[step]) symbol = symbol_text(call);
    if (const uint32_t index = submission.locations[step]) location = engine_.locations.text(index);
  }
  const auto operand = [&](uint32_t i) {
    const TensorType type = batch.type(operands[i]);
    return type.none ? std::string() : to_string(type.dtype, type.sizes);
  };
  std::string text;
  if (symbol == row.symbol) {
    const Small<int64_t, 10> attributes = batch.bound_attributes(at, submission.scalars);
    text = call_text(symbol, row, {row, attributes}, batch.type(at.result),
                     static_cast<uint32_t>(operands.size()), operand);
  } else {
    for (uint32_t i = 0; i < operands.size(); ++i)
      if (const std::string type = operand(i); !type.empty())
        text += (text.empty() ? "" : ", ") + type;
    text = join(symbol, "(", text, ")");
  }
  if (!submission.labels.empty() && !submission.labels[step].empty())
    text += join(" \"", printable(submission.labels[step]), '"');
  if (!location.empty()) text += " at " + printable(location);
  return std::make_shared<const std::string>(text + ": " + std::string(cause));
} catch (const std::bad_alloc&) {
  return out_of_memory();
}

/// Runs one step after the other. A step that fails poisons only the values that depend on it, and
/// its changes in place go back.
void Scheduler::run_steps(Job& job) {
  Submission& submission = job.submission;
  const Batch& batch = submission.batch();
  const LastUses last = batch.steps.size() > 1 ? last_uses(batch) : LastUses{{}, {0}};
  std::vector<BufferRef> values(batch.values.size());
  std::vector<Message> poison(batch.values.size());
  Fallbacks fallbacks(submission);
  job.reversals.reserve(submission.backs.size());
  job.causes.reserve(batch.steps.size());
  const bool timed = engine_.reports.trace() || engine_.config.debug >= kDebugSteps;
  std::vector<int64_t> times;
  if (timed) times.reserve(batch.steps.size() + 1);
  // From here on only steps may throw, because the results of steps that have run must be kept.
  for (uint32_t value = 0, input = 0; value < batch.values.size(); ++value) {
    if (!batch.is_input(value)) continue;
    if (!submission.poison.empty()) poison[value] = submission.poison[input];
    values[value] = std::move(submission.inputs[input++]);
  }
  const auto drop = [&](uint32_t value) { values[value] = {}; };
  Frame frame{values, submission.scalars};
  if (timed) times.push_back(now_ns());
  auto pass = submission.passes.begin();
  Message lost;  // the failure of the value from which the current step's backward pass started
  for (uint32_t step = 0; step < batch.steps.size(); ++step) {
    const Batch::Step& at = batch.steps[step];
    Message& outcome = poison[at.result];
    for (uint32_t operand : batch.operands_of(at))
      if (operand != kNone.id && poison[operand]) {
        outcome = poison[operand];
        break;
      }
    // A failed value gives no gradients, even where these are computed from other values.
    const bool begins = pass != submission.passes.end() && pass->gradient == at.result;
    if (begins) lost = pass->from == kNone.id ? nullptr : poison[pass->from];
    else if (step == 0 || submission.calls[step] != submission.calls[step - 1]) lost = nullptr;
    if (begins) ++pass;
    if (lost) outcome = lost;
    if (!outcome) {
      try {
        engine_.backends.loaded()->run_step(batch, step, frame);
      } catch (const std::bad_alloc&) {
        outcome = failure(submission, step, *out_of_memory());
      } catch (const std::exception& error) {
        outcome = failure(submission, step, error.what());
      }
      if (outcome) engine_.reports.announce_error("", *outcome, true);
      if (outcome) job.causes.push_back(outcome);
    }
    if (engine_.config.debug >= kDebugSteps) {
      // One write, so that lines of several threads do not mix.
      const std::string text =
          outcome ? join("failed: ", *outcome) : join(now_ns() - times.back(), " ns");
      std::cerr << join("rt_torch: ", step_text(batch, step), "  ", text, '\n');
    }
    fallbacks.note(at.result, outcome, drop);
    for (uint32_t value : last.after(step))
      if (fallbacks.end(value)) drop(value);
    if (timed) times.push_back(now_ns());
  }
  if (engine_.reports.trace()) trace_steps(submission, times);
  settle_roots(job, fallbacks, values, poison);
}

/// Gives each root its result, the buffer that it goes back to, or its failure.
void Scheduler::settle_roots(Job& job, const Fallbacks& fallbacks,
                             std::span<const BufferRef> values,
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
      } catch (const std::bad_alloc&) {  // the root keeps its failure
      }
    }
    if (went_back) failure = nullptr;
    if (!failure && !went_back) result = values[roots[i]];
  }
}

void Scheduler::trace_steps(const Submission& submission, std::span<const int64_t> times) noexcept
    try {
  std::vector<std::string> locations;
  {
    const std::lock_guard lock(engine_);
    locations = engine_.reports.locations_of(submission);
  }
  engine_.reports.trace()->ran_steps(submission.batch(), times,
                                     {.locations = locations, .labels = submission.labels});
} catch (const std::exception&) {  // no memory: the batch goes on without these events
}

/// Runs the program of a batch. The batch runs step by step without a program, with a poisoned
/// input, where each step is printed, and after a failure of the program.
void Scheduler::run(Job& job) {
  Submission& submission = job.submission;
  if (!job.program || !submission.poison.empty() || engine_.config.debug >= kDebugSteps)
    return run_steps(job);
  const auto before = job.random ? engine_.backends.loaded()->random_state() : nullptr;
  try {
    job.program->run(submission.inputs, submission.scalars, job.results);
  } catch (const std::exception& error) {
    if (engine_.config.debug > 0)
      std::cerr << join("rt_torch: the compiled batch ", to_string(job.key),
                        " failed, running it step by step: ", error.what(), '\n');
    if (before) engine_.backends.loaded()->restore(*before);
    job.results.assign(submission.roots.size(), {});
    run_steps(job);
  }
}

/// Compiles and runs a job. A root that has neither result nor failure afterwards had no memory.
void Scheduler::execute(Job& job) {
  try {
    if (job.compiles) compile(job);
    const int64_t start = now_ns();
    run(job);
    const int64_t end = engine_.reports.trace() ? engine_.reports.trace()->end_of_run() : now_ns();
    job.run_ns = end - start;
    if (engine_.reports.trace()) trace_batch(job, start, end);
  } catch (const std::exception&) {  // no memory to begin: no step has run
    for (size_t i = 0; i < job.results.size(); ++i) {
      job.results[i] = before_batch(job.submission, job.submission.batch().roots[i]);
      job.failures[i] = nullptr;
    }
    job.is_lost = true;
  }
  job.submission.inputs.clear();
  job.submission.backs.clear();
  if (!engine_.reports.capture().wanted() || job.causes.empty()) return;
  engine_.reports.capture().failed(job.capture_id, *job.causes.front(), *engine_.backends.loaded());
  engine_.reports.report_capture();
}

void Scheduler::compile(Job& job) {
  const TraceScope compile(engine_.reports.trace(), Track::Compile, "compile");
  const int64_t start = now_ns();
  try {
    job.program = engine_.backends.loaded()->compile(job.submission.batch());
  } catch (const std::exception& error) {
    if (engine_.config.debug > 0)
      std::cerr << join("rt_torch: batch ", to_string(job.key),
                        " cannot be compiled, running it step by step: ", error.what(), '\n');
  }
  job.compile_ns = now_ns() - start;
}

void Scheduler::trace_batch(const Job& job, int64_t start, int64_t end) noexcept try {
  engine_.reports.trace()->slice(Track::Batches,
                                 job.program ? "compiled batch" : "batch, step by step", start, end,
                                 {{"key", to_string(key_of(job.submission.batch()))},
                                  {"nodes", job.submission.nodes},
                                  {"roots", static_cast<int64_t>(job.submission.roots.size())}});
  engine_.reports.trace()->flush();
} catch (const std::exception&) {  // no memory: the batch goes on without this event
}

}  // namespace rt
