// check.cpp -- `check`: runs both backends node by node, each node on one set of operands.
#include <algorithm>
#include <cmath>

#include "fallback_cpu/reference.h"
#include "graph/error.h"
#include "tools/rt_graph_dump/commands.h"
#include "tools/rt_graph_dump/numbers.h"

namespace rt::tool {
namespace {

/// Sums grow their rounding errors with the number of their terms: so many elements go into one.
double terms(const Batch& batch, const Batch::Step& step) {
  const auto results = static_cast<double>(numel(batch.sizes(step.result)));
  double most = 1;
  for (const uint32_t operand : batch.operands_of(step))
    if (operand != kNone.id && results > 0)
      most = std::max(most, static_cast<double>(numel(batch.sizes(operand))) / results);
  return most;
}

Tolerance tolerance(const Batch& batch, const Batch::Step& step, const CheckOptions& options) {
  Tolerance tolerance = tolerance_of(batch.values[step.result].dtype);
  const double growth = std::sqrt(terms(batch, step));
  tolerance = {tolerance.relative * growth, tolerance.absolute * growth};
  if (options.relative >= 0) tolerance.relative = options.relative;
  if (options.absolute >= 0) tolerance.absolute = options.absolute;
  return tolerance;
}

/// Runs steps on the reference backend, on operands that another backend computed.
class Judge {
 public:
  Judge(const Batch& batch, const Setup& setup)
      : batch_(batch),
        backend_(make_reference_backend(memory_, setup.threads)),
        values_(batch.values.size()) {
    for (Batch::Item& item : batch_.values) item.device = Device{}.index;
    backend_->seed(setup.seed);
  }

  /// Sets `result` and returns "", or returns the cause of the failure.
  std::string step(uint32_t step, Backend& maker, std::span<const BufferRef> operands,
                   BufferRef& result) {
    const Batch::Step& at = batch_.steps[step];
    for (const uint32_t operand : batch_.operands_of(at))
      if (operand != kNone.id) values_[operand] = here(maker, *operands[operand]);
    Frame frame{values_, batch_.scalars};
    std::string failure;
    try {
      backend_->run_step(batch_, step, frame);
    } catch (const std::exception& error) {
      failure = error.what();
    }
    result = std::exchange(values_[at.result], {});
    for (const uint32_t operand : batch_.operands_of(at))
      if (operand != kNone.id) values_[operand] = {};
    return failure;
  }
  Backend& backend() { return *backend_; }

 private:
  BufferRef here(Backend& maker, Buffer& buffer) {
    if (!buffer.device().is_cuda()) {
      buffer.retain();
      return BufferRef(&buffer);
    }
    return write(*backend_, read(maker, buffer), Device{});
  }

  Batch batch_;
  MemoryCount memory_;
  std::unique_ptr<Backend> backend_;
  std::vector<BufferRef> values_;
};

std::string differing(const Numbers& got, const Numbers& wanted, const Comparison& off,
                      Tolerance tolerance) {
  const auto apart = [&](size_t element) {
    if (wanted.reals.empty()) return std::string();
    const double a = got.reals[element], b = wanted.reals[element];
    if (!std::isfinite(a) || !std::isfinite(b)) return std::string();
    return join(", ", number_text(ulps(a, b, wanted.dtype)), " ULP apart, absolute ",
                number_text(std::abs(a - b)), ", relative ",
                number_text(b == 0 ? HUGE_VAL : std::abs((a - b) / b)));
  };
  const auto told = [&](std::string_view which, size_t element) {
    return join("  ", which, ' ', got.index(element), ": libtorch has ", got.at(element),
                ", reference ", wanted.at(element), apart(element), '\n');
  };
  std::string text =
      join("  ", off.beyond, " of ", counted(static_cast<int64_t>(wanted.count()), "element"),
           " differ by more than ", number_text(tolerance.relative), " relative and ",
           number_text(tolerance.absolute), " absolute\n", told("the first", off.first));
  if (off.worst != off.first) text += told("the worst", off.worst);
  return text;
}

}  // namespace

Status check(Subject& subject, const CheckOptions& options, const Setup& setup) {
  prepare(subject, setup);
  const Batch& batch = subject.batch();
  MemoryCount memory;
  // Without fusion libtorch's own kernels run, and not ours on both sides.
  const auto libtorch = open_backend("libtorch", setup, memory, {.fuse = false});
  const Inputs inputs = make_inputs(*libtorch, subject, setup);
  Judge judge(batch, setup);
  write("", join(subject.path, ": ", counted(std::ssize(batch.steps), "node"),
                 ", libtorch against reference, ", inputs.origin, '\n'));
  Walk walk(*libtorch, batch, inputs, setup.seed);
  int64_t compared = 0, passed_over = 0;
  double most_ulps = 0;
  uint32_t most_at = 0;
  while (!walk.done()) {
    const std::string failure = walk.step();
    const uint32_t step = walk.at();
    const Batch::Step& at = batch.steps[step];
    const bool gpu_draws =
        batch.values[at.result].device >= 0 && info(at.op).rules.effect == Effect::Random;
    if (!walk.ready(step) || gpu_draws) {
      ++passed_over;
      continue;
    }
    BufferRef result;
    const std::string judged = judge.step(step, *libtorch, walk.values(), result);
    if (failure.empty() != judged.empty()) {
      write("", join("\nthe first node that differs:\n", subject.step_text(step), "\n  ",
                     failure.empty() ? "only reference" : "only libtorch",
                     " fails: ", failure.empty() ? judged : failure, '\n'));
      return kFound;
    }
    if (!failure.empty() || info(at.op).rules.ambiguous) {
      ++passed_over;
      continue;
    }
    const Numbers got = read(*libtorch, *walk.value(at.result));
    const Numbers wanted = read(judge.backend(), *result);
    const Tolerance allowed = tolerance(batch, at, options);
    const Comparison off = compare(got, wanted, allowed);
    if (off.beyond > 0) {
      write("", join("\nthe first node that differs, after ", compared, " that agree:\n",
                     subject.step_text(step), '\n', differing(got, wanted, off, allowed)));
      return kFound;
    }
    ++compared;
    if (off.most_ulps > most_ulps) {
      most_ulps = off.most_ulps;
      most_at = step;
    }
  }
  std::string text = join(counted(compared, "node"), compared == 1 ? " agrees" : " agree");
  if (passed_over > 0)
    text += join(", ", passed_over, " not compared: failed on both, or free to differ");
  text += '\n';
  if (most_ulps > 0)
    text += join("furthest apart, by ", number_text(most_ulps), " ULP:\n",
                 subject.step_text(most_at), '\n');
  write("", text);
  return kFine;
}

}  // namespace rt::tool
