// batch_check.cpp -- compares the steps and the compiled programs of two backends.
#include "tests/fuzz/batch_check.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "graph/batch/verify.h"
#include "graph/dump/dump.h"
#include "tests/fuzz/suitable.h"

namespace rt::fuzz {
namespace {

using Verb = Instruction::Verb;
constexpr double kInf = std::numeric_limits<double>::infinity();

// ---- Programs as batches.

class Former {
 public:
  explicit Former(bool views_at_once) : views_at_once_(views_at_once) {}

  Form run(const Program& program) {
    for (const Instruction& one : program.list) {
      if (!outline_.add(one)) continue;
      if (one.verb == Verb::Data) sources_[one.id] = {&one.literal, outline_.find(one.id)->layout};
      if (one.verb == Verb::Call && !at_once(one)) add_step(one);
      if (one.verb == Verb::Free) freed_.insert(one.operands[0]);
    }
    choose_roots();
    form_.batch.free_scalars = static_cast<uint32_t>(form_.batch.scalars.size());
    return std::move(form_);
  }

 private:
  struct Source {
    const Literal* literal;
    Layout layout;
  };

  bool at_once(const Instruction& call) {
    const OpInfo& row = info(call.args.op);
    if (!views_at_once_ || !row.rules.view) return false;
    const auto source = sources_.find(call.operands[0]);
    if (source == sources_.end()) return false;
    Args args = call.args;
    Layout layout;
    outline_.infer(args, call.operands);
    if (!row.rules.view({row, args.attributes}, args.shape, source->second.layout, layout))
      return false;
    sources_[call.id] = {source->second.literal, std::move(layout)};
    return true;
  }
  void add_step(const Instruction& call) {
    Args args = call.args;
    outline_.infer(args, call.operands);
    std::vector<uint32_t> operands;
    for (const uint32_t id : call.operands) operands.push_back(number_of(id));
    Batch& batch = form_.batch;
    for (uint32_t i = 0; i < info(args.op).scalars; ++i) {
      batch.scalars.push_back(args.attributes[i]);
      args.attributes[i] = static_cast<int64_t>(batch.scalars.size() - 1);
    }
    form_.numbers[call.id] =
        batch.add_step(args.op, operands, args.attributes, args.dtype, args.device, args.shape);
  }
  /// Inputs get their index at the first use.
  uint32_t number_of(uint32_t id) {
    if (id == kAbsent) return kNone.id;
    const auto [place, added] = form_.numbers.try_emplace(id);
    if (added) {
      const Source& source = sources_.at(id);
      const Layout& layout = source.layout;
      const bool plain = numel(layout.sizes) == 0 || is_contiguous(layout.sizes, layout.strides);
      place->second = form_.batch.add_input(source.literal->dtype, {}, layout.sizes,
                                            plain ? Sizes{} : Sizes(layout.strides));
      form_.inputs.push_back(gather(*source.literal, layout));
    }
    return place->second;
  }
  static Tensor gather(const Literal& literal, const Layout& layout) {
    Tensor tensor{literal.dtype, layout.sizes, {}, {}};
    for (int64_t i = 0, count = numel(layout.sizes); i < count; ++i) {
      int64_t rest = i, at = layout.offset;
      for (uint32_t d = layout.sizes.size(); d-- > 0; rest /= layout.sizes[d])
        at += rest % layout.sizes[d] * layout.strides[d];
      if (is_float(literal.dtype)) tensor.reals.push_back(literal.reals[static_cast<size_t>(at)]);
      else tensor.integers.push_back(literal.integers[static_cast<size_t>(at)]);
    }
    return tensor;
  }
  /// Roots are the values alive at the end, and those that no step uses.
  void choose_roots() {
    Batch& batch = form_.batch;
    std::vector<bool> root(batch.values.size(), true);
    for (const uint32_t operand : batch.operands)
      if (operand != kNone.id) root[operand] = false;
    for (const auto& [id, number] : form_.numbers)
      if (!freed_.contains(id)) root[number] = true;
    for (const Batch::Step& step : batch.steps)
      if (root[step.result]) batch.roots.push_back(step.result);
  }

  bool views_at_once_;
  Form form_;
  Outline outline_;
  std::map<uint32_t, Source> sources_;
  std::set<uint32_t> freed_;
};

// ---- Error bounds, from operands that are perturbed by a few units in the last place.

constexpr int kTrials = 6;

double unit_of(DType dtype) { return dtype == DType::F32 ? 0x1p-23 : 0x1p-52; }

/// Moves each element by up to 4 units, where a unit is at least `least`. An exact 0 moves only
/// with `zeros`.
void perturb(Tensor& tensor, double unit, double least, bool zeros, Dice& dice) {
  const bool single = tensor.dtype == DType::F32;
  least = std::max(least, single ? 0x1p-149 : 0x1p-1074);
  for (double& value : tensor.reals) {
    const double by = value == 0 && !zeros ? 0 : std::max(std::abs(value) * unit, least);
    const double moved = value + 4 * by * (2 * dice.unit() - 1);
    value = single ? static_cast<float>(moved) : moved;
  }
}

/// The growth of rounding errors in a step's sums: the square root of the count of elements that go
/// into each result.
double growth(const Batch& batch, const Batch::Step& step) {
  double most = 1;
  const auto results = static_cast<double>(numel(batch.sizes(step.result)));
  for (const uint32_t operand : batch.operands_of(step))
    if (operand != kNone.id && results > 0)
      most = std::max(most, static_cast<double>(numel(batch.sizes(operand))) / results);
  return std::sqrt(most);
}

/// Perturbs a result by this step's rounding error. Near 0 the error is absolute, as in 1 + erf(x)
/// or in a range from -1 to 1.
void perturb_result(Tensor& tensor, const Batch& batch, const Batch::Step& step, Dice& dice) {
  if (info(step.op).has(kMoves)) return;
  const double unit = unit_of(tensor.dtype) * std::max(1.0, growth(batch, step) / 2);
  perturb(tensor, unit, unit / 4, step.operand_count == 0, dice);
}

/// Widens `slack` to the difference of a value and a perturbed run's.
void widen(std::vector<double>& slack, const Tensor& value, const Tensor& perturbed) {
  const bool real = is_float(value.dtype);
  slack.resize(real ? value.reals.size() : value.integers.size());
  for (size_t i = 0; i < slack.size(); ++i) {
    if (!real) {
      if (value.integers[i] != perturbed.integers[i]) slack[i] = kInf;
      continue;
    }
    const double a = value.reals[i], b = perturbed.reals[i];
    if (a == b || (std::isnan(a) && std::isnan(b))) continue;
    const double off = 8 * std::abs(a - b);
    slack[i] = std::isfinite(off) ? std::max(slack[i], off) : kInf;
  }
}

bool mostly_noise(const Tensor& value, const std::vector<double>& slack) {
  for (size_t i = 0; i < slack.size(); ++i)
    if (slack[i] > 0 && (value.reals.empty() || slack[i] > 0.01 * std::abs(value.reals[i])))
      return true;
  return false;
}

/// True if squares or short sums may overflow: a backend that sums in a wider type has numbers
/// where another has infinities.
bool has_huge(const Tensor& tensor) {
  const double limit = tensor.dtype == DType::F64 ? 0x1p500 : 0x1p54;
  const auto huge = [&](auto value) {
    const double size = std::abs(static_cast<double>(value));
    return size > limit && std::isfinite(size);
  };
  return std::ranges::any_of(tensor.reals, huge) || std::ranges::any_of(tensor.integers, huge);
}

/// True if backends may give unrelated results for this operand.
bool is_beyond(const Batch::Step& step, const Tensor& operand) {
  const auto finite = [](double value) { return std::isfinite(value); };
  return has_huge(operand) ||
         (needs_finite(step.op) && !std::ranges::all_of(operand.reals, finite));
}

/// Rows of floats that jump where a whole number is reached.
constexpr Op kStepFunctions[] = {Op::Floor,       Op::Ceil,
                                 Op::Round,       Op::Trunc,
                                 Op::Frac,        Op::Sign,
                                 Op::Fmod,        Op::FmodScalar,
                                 Op::Remainder,   Op::RemainderScalar,
                                 Op::FloorDivide, Op::FloorDivideScalar};

/// True if a result may be discontinuous in the operands.
bool has_jumps(const Batch& batch, const Batch::Step& step) {
  if (std::ranges::find(kStepFunctions, step.op) != std::end(kStepFunctions)) return true;
  if (shares_nothing(step.op)) return true;
  bool any_float = false, all_float = true;
  for (const uint32_t operand : batch.operands_of(step)) {
    const bool real = operand != kNone.id && is_float(batch.values[operand].dtype);
    any_float |= real;
    all_float &= real;
  }
  if (!any_float) return false;
  return !is_float(batch.values[step.result].dtype) || (info(step.op).can_fail() && all_float);
}

// ---- Running.

std::vector<BufferRef> inputs_of(Backend& backend, const Form& form) {
  const Batch& batch = form.batch;
  std::vector<BufferRef> buffers;
  for (uint32_t i = 0; i < batch.values.size(); ++i) {
    if (!batch.is_input(i)) continue;
    const bool strided = batch.values[i].flags & Batch::kStrided;
    buffers.push_back(
        write(backend, form.inputs[buffers.size()], strided ? batch.strides(i) : Sizes{}));
  }
  return buffers;
}

/// One buffer per value; those of inputs are set.
std::vector<BufferRef> values_of(const Batch& batch, const std::vector<BufferRef>& inputs) {
  std::vector<BufferRef> values(batch.values.size());
  for (uint32_t i = 0, next = 0; i < values.size(); ++i)
    if (batch.is_input(i)) values[i] = inputs[next++];
  return values;
}

/// True if all operands were computed.
bool ready(const Batch& batch, const Batch::Step& step, const std::vector<BufferRef>& values) {
  for (const uint32_t operand : batch.operands_of(step))
    if (operand != kNone.id && !values[operand]) return false;
  return true;
}

/// Runs a step. Returns the error's text, "" on success.
std::string attempt(Backend& backend, const Batch& batch, uint32_t step,
                    std::vector<BufferRef>& values) {
  Frame frame{values, batch.scalars};
  try {
    backend.run_step(batch, step, frame);
  } catch (const std::exception& error) {
    return join(error.what(), ".");
  }
  return "";
}

// ---- The check.

class Check {
 public:
  Check(const Program& program, Backend& subject, Backend& judge, Tally& tally)
      : program_(program),
        subject_(subject),
        judge_(judge),
        tally_(tally),
        form_(to_batch(program, program.seed % 2 == 0)),
        batch_(form_.batch) {}

  std::optional<Failure> run() {
    ++tally_.programs;
    for (const auto step : {&Check::form, &Check::steps, &Check::compiled, &Check::whole}) {
      (this->*step)();
      if (failure_) break;
    }
    return failure_;
  }

 private:
  std::string row_of(uint32_t value) const {
    for (const Batch::Step& step : batch_.steps)
      if (step.result == value) return std::string(info(step.op).name);
    return "input";
  }
  void report(std::string kind, std::string row, std::string detail) {
    if (!failure_) failure_ = {std::move(kind), std::move(row), std::move(detail)};
  }

  void form() {
    try {
      verify(batch_, true);
      const std::string text = to_text(batch_);
      if (!same_work(batch_, parse_text(text)) || to_text(parse_text(text)) != text)
        report("dump", "", "the text reads back to another batch:\n" + text);
      if (!same_work(batch_, parse_json(to_json(batch_))))
        report("dump", "", "the JSON reads back to another batch:\n" + to_json(batch_));
    } catch (const Error& error) {
      report("form", "", join(error.text(), "\n", to_text(batch_)));
    }
  }

  // Compares each step on the subject's operands.
  void steps() {
    subject_.seed(program_.seed);
    judge_.seed(program_.seed);
    values_ = values_of(batch_, inputs_of(subject_, form_));
    judged_ = values_of(batch_, inputs_of(judge_, form_));
    for (uint32_t i = 0; i < batch_.steps.size() && !failure_; ++i) {
      const Batch::Step& next = batch_.steps[i];
      if (!ready(batch_, next, values_)) any_failed_ = true;
      else if (ready(batch_, next, judged_)) step(i);
      else attempt(subject_, batch_, i, values_);  // only the judge failed before
    }
  }
  void step(uint32_t number) {
    const Batch::Step& step = batch_.steps[number];
    const std::string row(info(step.op).name);
    ++tally_.steps;
    ++tally_.rows[row];
    const std::string failed = attempt(subject_, batch_, number, values_);
    const std::string judged = attempt(judge_, batch_, number, judged_);
    if (failed.empty() != judged.empty() && !near_failure(number, failed.empty()))
      report(
          "step fails", row,
          join(failed.empty() ? judge_.name() : subject_.name(), " alone fails: ", failed, judged));
    if (!failed.empty()) {
      any_failed_ = true;
      ++tally_.failing_steps;
    }
    if (!failed.empty() || !judged.empty()) return;
    const Tensor got = read(subject_, *values_[step.result]);
    const Tensor wanted = read(judge_, *judged_[step.result]);
    const std::string inferred =
        to_string(batch_.values[step.result].dtype, batch_.sizes(step.result));
    if (to_string(got.dtype, got.sizes) != inferred)
      report("step type", row,
             join("inferred is ", inferred, ", it is ", to_string(got.dtype, got.sizes)));
    else compare_step(number, got, wanted);
    // The judge continues with the subject's value. Views stay its own, since they are equal and
    // have the inferred layout.
    if (!info(step.op).rules.view) judged_[step.result] = write(judge_, got);
  }
  /// True if one backend may fail alone, since a perturbed matrix is singular: then the results of
  /// such matrices are unrelated or missing.
  bool near_failure(uint32_t number, bool subject_passed) {
    const Batch::Step& step = batch_.steps[number];
    if (!is_decomposing(step.op) || subject_.name() == judge_.name()) return false;
    Backend& passing = subject_passed ? subject_ : judge_;
    const std::vector<BufferRef>& values = subject_passed ? values_ : judged_;
    const Tensor result = read(passing, *values[step.result]);
    std::vector<double> slack;
    Dice dice(program_.seed);
    for (int trial = 0; trial < kTrials; ++trial) {
      std::vector<BufferRef> moved = values;
      for (const uint32_t operand : batch_.operands_of(step)) {
        Tensor tensor = read(passing, *values[operand]);
        if (is_beyond(step, tensor)) return true;
        perturb(tensor, unit_of(tensor.dtype), 0, false, dice);
        moved[operand] = write(passing, tensor);
      }
      if (!attempt(passing, batch_, number, moved).empty()) return true;
      widen(slack, result, read(passing, *moved[step.result]));
    }
    return mostly_noise(result, slack);
  }
  void compare_step(uint32_t number, const Tensor& got, const Tensor& wanted) {
    const bool one_backend = subject_.name() == judge_.name();
    const Op op = batch_.steps[number].op;
    if (!one_backend && (info(op).rules.ambiguous || shares_nothing(op)))
      return compare_free(number, got, wanted);
    std::string off = difference(got, wanted);
    if (one_backend ? same_bits(got, wanted) : off.empty()) return;
    if (one_backend) off = "the last bits differ";
    else off = difference(got, wanted, step_slack(number, wanted));
    if (off.empty()) ++tally_.by_slack;
    else
      report("step value", std::string(info(batch_.steps[number].op).name),
             join("on the same operands ", off));
  }
  void compare_free(uint32_t number, const Tensor& got, const Tensor& wanted) {
    const Batch::Step& step = batch_.steps[number];
    const Tensor operand = read(judge_, *judged_[batch_.operands_of(step)[0]]);
    double size = 1;
    for (const double value : operand.reals) size += std::abs(value);
    const Tensor a = shared_part(step.op, got), b = shared_part(step.op, wanted);
    const double slack = is_beyond(step, operand) ? kInf : 64 * unit_of(got.dtype) * size;
    const std::string off = difference(a, b, std::vector<double>(a.reals.size(), slack));
    if (!off.empty())
      report("step value", std::string(info(step.op).name),
             join("on the same operands, in what no sign or order changes, ", off));
  }
  /// The change of the judge's result under perturbed operands.
  std::vector<double> step_slack(uint32_t number, const Tensor& wanted) {
    const Batch::Step& step = batch_.steps[number];
    std::vector<double> slack(std::max(wanted.reals.size(), wanted.integers.size()));
    const DType result = batch_.values[step.result].dtype;
    const auto operands = batch_.operands_of(step);
    if (step.op == Op::Cast) return cast_slack(batch_.values[operands[0]], operands[0], result);
    // Discontinuous results are equal for equal operands. Random rows have no operands.
    if (!is_float(result) || operands.empty()) return slack;
    for (const uint32_t operand : operands)
      if (operand != kNone.id && is_beyond(step, read(judge_, *judged_[operand])))
        std::ranges::fill(slack, kInf);
    for (size_t i = 0; i < slack.size(); ++i)
      slack[i] = std::max(slack[i],
                          2 * unit_of(result) * growth(batch_, step) * std::abs(wanted.reals[i]));
    if (is_decomposing(step.op)) {  // errors are relative to the whole matrix
      double size = 0;
      for (const double value : read(judge_, *judged_[operands[0]]).reals) size += std::abs(value);
      for (double& each : slack) each = std::max(each, 64 * unit_of(result) * size);
    }
    Dice dice(program_.seed);
    for (int trial = 0; trial < kTrials; ++trial) {
      std::vector<BufferRef> moved = judged_;
      for (const uint32_t operand : operands) {
        if (operand == kNone.id) continue;
        Tensor tensor = read(judge_, *judged_[operand]);
        perturb(tensor, std::max(unit_of(tensor.dtype), unit_of(result)), 0, false, dice);
        moved[operand] = write(judge_, tensor);
      }
      if (attempt(judge_, batch_, number, moved).empty())
        widen(slack, wanted, read(judge_, *moved[step.result]));
    }
    return slack;
  }
  /// The cast of a float beyond the target's range is undefined.
  std::vector<double> cast_slack(const Batch::Item& from, uint32_t operand, DType to) {
    std::vector<double> slack;
    if (!is_float(from.dtype) || is_float(to)) return slack;
    const double limit = to == DType::I32 ? 0x1p31 : 0x1p63;
    for (const double value : read(judge_, *judged_[operand]).reals)
      slack.push_back(std::abs(value) < limit || to == DType::Bool ? 0 : kInf);
    return slack;
  }

  // Compares the compiled program with the steps.
  void compiled() {
    if (batch_.roots.empty()) return;
    std::unique_ptr<rt::Program> compiled;
    try {
      compiled = subject_.compile(batch_);
    } catch (const std::exception& error) {
      return report("compile", "", error.what());
    }
    const std::vector<BufferRef> given = inputs_of(subject_, form_);
    const std::vector<BufferRef> held = given;  // so that runs do not write over the inputs
    for (int round = 0; round < 2 && !failure_; ++round) {
      std::vector<BufferRef> roots(batch_.roots.size());
      subject_.seed(program_.seed);
      try {
        compiled->run(given, batch_.scalars, roots);
        if (any_failed_) report("program fails", "", "a step fails and the program does not");
      } catch (const std::exception& error) {
        if (!any_failed_) report("program fails", "", join("no step does, but: ", error.what()));
        continue;
      }
      compare_roots(roots);
    }
    for (size_t i = 0; i < given.size() && !failure_; ++i)
      if (!same_bits(read(subject_, *given[i]), form_.inputs[i]))
        report("program inputs", "", "the program wrote to its inputs");
  }
  void compare_roots(const std::vector<BufferRef>& roots) {
    for (size_t i = 0; i < roots.size() && !failure_; ++i) {
      if (!roots[i]) return report("program value", "", "a root is missing");
      const Tensor got = read(subject_, *roots[i]);
      const Tensor wanted = read(subject_, *values_[batch_.roots[i]]);
      if (!same_bits(got, wanted))
        report("program value", "",
               join("compiled, the ", row_of(batch_.roots[i]), " of value ", batch_.roots[i],
                    " differs from its step: ", difference(got, wanted)));
    }
  }

  // Compares whole programs, each on its backend's own values.
  void whole() {
    const std::vector<BufferRef> own = run_steps(judge_, form_, program_.seed);
    std::vector<bool> excused = after_jumps(batch_);
    std::optional<Bounds> bounds;
    for (const uint32_t root : batch_.roots) {
      ++tally_.roots;
      if (excused[root] || !values_[root] || !own[root]) {
        ++tally_.excused_roots;
        continue;
      }
      const Tensor got = read(subject_, *values_[root]), wanted = read(judge_, *own[root]);
      if (difference(got, wanted).empty()) continue;
      if (!bounds) excused = (bounds = error_bounds(judge_, form_, program_.seed))->excused;
      if (excused[root]) continue;
      const std::string off = difference(got, wanted, bounds->slack[root]);
      if (!off.empty())
        return report("whole value", "",
                      join("run whole, the ", row_of(root), " of value ", root, " differs: ", off));
      ++tally_.by_slack;
    }
  }

  const Program& program_;
  Backend &subject_, &judge_;
  Tally& tally_;
  Form form_;
  const Batch& batch_;
  std::vector<BufferRef> values_, judged_;
  bool any_failed_ = false;
  std::optional<Failure> failure_;
};

}  // namespace

Form to_batch(const Program& program, bool views_at_once) {
  return Former(views_at_once).run(program);
}

std::vector<BufferRef> run_steps(Backend& backend, const Form& form, uint64_t seed) {
  const Batch& batch = form.batch;
  backend.seed(seed);
  std::vector<BufferRef> values = values_of(batch, inputs_of(backend, form));
  for (uint32_t i = 0; i < batch.steps.size(); ++i)
    if (ready(batch, batch.steps[i], values)) attempt(backend, batch, i, values);
  return values;
}

std::vector<bool> after_jumps(const Batch& batch) {
  std::vector<bool> excused(batch.values.size());
  for (const Batch::Step& step : batch.steps) {
    excused[step.result] = has_jumps(batch, step);
    for (const uint32_t operand : batch.operands_of(step))
      if (operand != kNone.id && excused[operand]) excused[step.result] = true;
  }
  return excused;
}

Bounds error_bounds(Backend& judge, const Form& form, uint64_t seed) {
  const Batch& batch = form.batch;
  const std::vector<BufferRef> own = run_steps(judge, form, seed);
  Bounds bounds{after_jumps(batch), std::vector<std::vector<double>>(batch.values.size())};
  Dice dice(seed);
  for (int trial = 0; trial < kTrials; ++trial) {
    std::vector<BufferRef> values = values_of(batch, inputs_of(judge, form));
    // Inputs are exact, but their sums may cancel.
    for (BufferRef& input : values) {
      if (!input || !is_float(input->dtype())) continue;
      Tensor tensor = read(judge, *input);
      perturb(tensor, unit_of(tensor.dtype), 0, false, dice);
      input = write(judge, tensor);
    }
    judge.seed(seed);
    for (uint32_t i = 0; i < batch.steps.size(); ++i) {
      const uint32_t result = batch.steps[i].result;
      if (!ready(batch, batch.steps[i], values) || !attempt(judge, batch, i, values).empty())
        continue;
      Tensor tensor = read(judge, *values[result]);
      perturb_result(tensor, batch, batch.steps[i], dice);
      if (own[result]) widen(bounds.slack[result], read(judge, *own[result]), tensor);
      values[result] = write(judge, tensor);
    }
  }
  std::vector<bool> loose(batch.values.size());
  for (uint32_t value = 0; value < batch.values.size(); ++value) {
    if (!own[value]) continue;
    const Tensor tensor = read(judge, *own[value]);
    loose[value] = mostly_noise(tensor, bounds.slack[value]);
  }
  for (const Batch::Step& step : batch.steps)
    for (const uint32_t operand : batch.operands_of(step))
      if (operand != kNone.id && (bounds.excused[operand] || loose[operand] || !own[operand] ||
                                  is_beyond(step, read(judge, *own[operand]))))
        bounds.excused[step.result] = true;
  return bounds;
}

std::optional<Failure> check_batch(const Program& program, Backend& subject, Backend& judge,
                                   Tally& tally) {
  return Check(program, subject, judge, tally).run();
}

}  // namespace rt::fuzz
