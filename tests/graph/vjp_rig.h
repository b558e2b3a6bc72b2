// vjp_rig.h -- gradients of single rows in f64, by their rules and by differences, on the reference
// backend.
#pragma once
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <list>
#include <set>
#include <vector>

#include "fallback_cpu/reference.h"
#include "graph/batch/backend.h"
#include "graph/batch/batch_builder.h"
#include "graph/ops/vjp.h"
#include "tests/graph/samples.h"

namespace rt::test {

/// An operand of the row. Without `numbers` its floats are distinct values between `least` and
/// `least` + 1, its integers 0.
struct GradOperand {
  std::vector<int64_t> sizes;
  std::vector<double> numbers = {};
  DType dtype = DType::F64;
  bool none = false;
  bool constant = false;  ///< PyTorch gives it no gradient, though the result depends on it
  double least = 0;
};

/// A row, its attributes (scalars as their bits) and its operands.
struct GradCase {
  Args args;
  std::vector<GradOperand> operands;
};

/// The bits of an attribute; a double stands for its bits.
struct GradWord {
  int64_t bits;
  GradWord(int value) : bits(value) {}
  GradWord(int64_t value) : bits(value) {}
  GradWord(double value) : bits(std::bit_cast<int64_t>(value)) {}
};
inline GradCase grad_case(Op op, std::vector<GradOperand> operands,
                          std::initializer_list<GradWord> attributes = {}, Shape shape = {}) {
  GradCase made{{}, std::move(operands)};
  made.args.op = op;
  for (const GradWord& attr : attributes) made.args.attributes.push_back(attr.bits);
  made.args.shape = shape;
  made.args.dtype = DType::F64;
  return made;
}

/// A sample of the row in f64, with scalars of 0 replaced, since 0 is often a special case.
inline GradCase sampled_case(const OpInfo& row, const Batch& batch) {
  const Batch::Step& step = batch.steps.at(0);
  const auto in_f64 = [](DType dtype) { return dtype == DType::F32 ? DType::F64 : dtype; };
  GradCase made;
  made.args.op = row.op;
  made.args.attributes.assign(batch.attributes_of(step).attributes);
  uint32_t scalar = 0;
  for (const Param& param : row.params) {
    if (param.kind != Kind::Float && param.kind != Kind::Index) continue;
    int64_t& attr = made.args.attributes[scalar++];
    attr = batch.scalars[static_cast<size_t>(attr)];
    if (param.kind == Kind::Float && attr == 0) attr = std::bit_cast<int64_t>(.7);
  }
  made.args.shape.assign(batch.sizes(step.result));
  made.args.dtype = in_f64(batch.values[step.result].dtype);
  for (uint32_t i = 0; i < step.operand_count; ++i) {
    const TensorType type = batch.type(batch.operands_of(step)[i]);
    const bool statistic = !row.variadic && takes_no_gradient(row, row.params[i].name);
    made.operands.push_back({.sizes = {type.sizes.begin(), type.sizes.end()},
                             .dtype = in_f64(type.dtype),
                             .constant = statistic});
    if (row.op == Op::Acosh) made.operands.back().least = 1;  // it has results from 1 on alone
  }
  return made;
}

inline GradCase sampled_case(const OpInfo& row) { return sampled_case(row, sample(row)); }

/// Appends to a batch, and throws if a rule uses a value that its row does not save. Rows that are
/// recorded as a decomposition for their gradient are decomposed.
class GradBuilder final : public Builder {
 public:
  explicit GradBuilder(Batch& batch) : build_(batch) {}
  bool forward = true;
  std::set<uint32_t> used;  ///< operands of the steps that rules append

  Value append(Args& args) override {
    const OpInfo& row = info(args.op);
    if (forward && row.rules.graded) {
      build_.infer(args);
      return row.rules.graded(*this, args);
    }
    for (uint32_t i = 0; i < args.operands.size(); ++i) {
      const bool optional =
          !row.variadic && row.params[tensor_param(row, i)].kind == Kind::OptTensor;
      if (args.operands[i] == kNone && !optional) fail(kNotSaved, " (", row.name, ")");
      if (!forward) used.insert(args.operands[i].id);
    }
    return build_.append(args);
  }
  TensorType type(Value value) const override {
    if (value == kNone) fail(kNotSaved);
    return build_.type(value);
  }
  int64_t constant(double value) override { return build_.constant(value); }
  int64_t constant_index(int64_t value) override { return build_.constant_index(value); }

 private:
  static constexpr const char* kNotSaved = "the rule uses a value that its row does not save";
  static size_t tensor_param(const OpInfo& row, uint32_t tensor) {
    for (size_t at = 0; at < row.params.size(); ++at) {
      const Kind kind = row.params[at].kind;
      if ((kind == Kind::Tensor || kind == Kind::OptTensor) && tensor-- == 0) return at;
    }
    fail(row.name, " has fewer operands");
  }
  BatchBuilder build_;
};

/// Records a case and its gradients of the sum of all results, each with a different weight.
class VjpRig {
 public:
  /// The gradient of operand `perturbed` becomes a thousandth too large, so that tests notice.
  explicit VjpRig(const GradCase& of, uint32_t perturbed = kNone.id)
      : case_(of), perturbed_(perturbed), build_(batch_) {
    for (const GradOperand& operand : of.operands) {
      const Value input = operand.none ? kNone : Value{add_input(operand)};
      args_.operands.push_back(input);
    }
    record_forward();
    build_.forward = false;
    record_backward();
    // The operands of a composition are not those of its ops.
    if (perturbed == kNone.id || !info(of.args.op).rules.graded) return;
    if (Expr& gradient = gradients_[args_.operands[perturbed].id]) gradient = gradient * 1.001;
  }

  size_t operands() const { return case_.operands.size(); }
  bool has_gradient(uint32_t operand) const {
    const GradOperand& given = case_.operands[operand];
    return !given.none && !given.constant && is_float(given.dtype);
  }
  /// True if a gradient was recorded for it.
  bool gets_gradient(uint32_t operand) const {
    return static_cast<bool>(gradients_[args_.operands[operand].id]);
  }
  /// The gradient by the rule; throws if there is none.
  std::vector<double> gradient(uint32_t operand) {
    const Expr found = gradients_[args_.operands[operand].id];
    if (!found) fail("operand ", operand, " gets no gradient");
    return numbers_of(*run(batch_.steps.size())[found.value().id]);
  }
  std::vector<double> differences(uint32_t operand) {
    const uint32_t input = args_.operands[operand].id;
    // Half of the digits balances the errors of rounding and of curvature.
    const double step = batch_.values[input].dtype == DType::F64 ? 0x1p-18 : 0x1p-7;
    const std::vector<double> at = inputs_[input_place(input)];
    std::vector<double> slopes(at.size());
    for (size_t i = 0; i < at.size(); ++i) {
      const auto with = [&](double number) {
        inputs_[input_place(input)][i] = number;
        const double value = weighted_sum();
        inputs_[input_place(input)][i] = at[i];
        return value;
      };
      slopes[i] = (with(at[i] + step) - with(at[i] - step)) / (2 * step);
    }
    return slopes;
  }
  /// Values that the row's rule saves but does not use in this case.
  std::vector<std::string> unused() const { return unused_; }
  std::vector<double> result() { return numbers_of(*run(forward_steps_)[result_.id]); }

 private:
  uint32_t add_input(const GradOperand& operand) {
    const uint32_t number = batch_.add_input(operand.dtype, {}, operand.sizes);
    std::vector<double> numbers = operand.numbers;
    if (numbers.empty()) {
      numbers.resize(static_cast<size_t>(numel(operand.sizes)));
      // Multiples of an irrational number modulo 1 are distinct.
      for (double& made_up : numbers)
        made_up = is_float(operand.dtype)
                      ? operand.least + 0.1 + 0.8 * std::fmod(++made_up_ * 0.618033988749895, 1)
                      : 0;
    }
    EXPECT_EQ(numbers.size(), static_cast<size_t>(numel(operand.sizes)));
    inputs_.push_back(numbers);
    return number;
  }
  size_t input_place(uint32_t value) const {
    size_t place = 0;
    for (uint32_t i = 0; i < value; ++i) place += batch_.is_input(i);
    return place;
  }
  size_t count_of(uint32_t value) const { return static_cast<size_t>(numel(batch_.sizes(value))); }

  void record_forward() {
    Args args = case_.args;
    args.operands = args_.operands;
    for (uint32_t i = 0; i < info(args.op).scalars; ++i)
      args.attributes[i] = build_.constant_index(args.attributes[i]);
    result_ = build_.append(args);
    forward_steps_ = batch_.steps.size();
    for (size_t i = 0; i < count_of(result_.id); ++i)
      weights_.push_back(1 + 0.25 * std::sin(static_cast<double>(i + 1)));
    const Value seed{
        batch_.add_input(batch_.values[result_.id].dtype, {}, Shape(batch_.sizes(result_.id)))};
    inputs_.push_back(weights_);
    gradients_.resize(batch_.values.size());
    gradients_[result_.id] = {build_, seed};
  }

  void record_backward() {
    for (size_t i = forward_steps_; i-- > 0;) {
      const Batch::Step step = batch_.steps[i];
      if (gradients_[step.result]) record_rule(step);
    }
  }

  void record_rule(const Batch::Step& step) {
    const OpInfo& row = info(step.op);
    if (!row.rules.vjp && row.rules.effect == Effect::Random) return;  // draws are constants
    Small<int64_t, 10> attributes(batch_.attributes_of(step).attributes);
    for (uint32_t i = 0; i < row.scalars; ++i)
      attributes[i] = batch_.scalars[static_cast<size_t>(attributes[i])];
    const auto span = batch_.operands_of(step);
    const std::vector<uint32_t> numbers(span.begin(), span.end());
    std::list<Shape> sizes;  // a copy, since appending invalidates the sizes of types
    const auto type_of = [&](uint32_t number) {
      TensorType type{.device = {}, .none = true, .sizes = {}};
      if (number == kNone.id) return type;
      type = batch_.type(number);
      type.sizes = sizes.emplace_back(type.sizes);
      return type;
    };
    std::vector<TensorType> types;
    for (const uint32_t number : numbers) types.push_back(type_of(number));
    const TensorType result_type = type_of(step.result);
    for (uint32_t i = 0; i < numbers.size(); ++i) {
      if (types[i].none || !is_float(types[i].dtype)) continue;
      if (!row.rules.vjp) {
        ADD_FAILURE() << row.name << " has no rule";
        continue;
      }
      const int saves = i < std::size(row.rules.saves) ? row.rules.saves[i] : 0;
      std::vector<Value> kept(numbers.size(), kNone);
      for (uint32_t k = 0; k < numbers.size() && k < std::size(row.rules.saves); ++k)
        if (saves & 1 << k) kept[k] = {numbers[k]};
      const Value result = saves & kResult ? Value{step.result} : kNone;
      build_.used.clear();
      const Expr found = row.rules.vjp({build_, row, attributes, kept, types, result, result_type,
                                        gradients_[step.result].value()},
                                       i);
      if (!found) continue;
      note_unused(row, i, saves, kept, step.result, found.value());
      const bool perturbed =
          perturbed_ < args_.operands.size() && args_.operands[perturbed_].id == numbers[i];
      const Expr fit = fitted(perturbed ? found * 1.001 : found, types[i]);
      EXPECT_EQ(to_string(fit.type().dtype, fit.sizes()),
                to_string(types[i].dtype, types[i].sizes));
      Expr& all = gradients_[numbers[i]];
      all = all ? all + fit : fit;
    }
  }

  void note_unused(const OpInfo& row, uint32_t operand, int saves, const std::vector<Value>& kept,
                   uint32_t result, Value found) {
    const auto note = [&](uint32_t number, const std::string& what) {
      if (!build_.used.contains(number) && found.id != number)
        unused_.push_back("operand " + std::to_string(operand) + " of " + std::string(row.name) +
                          " keeps " + what);
    };
    for (size_t k = 0; k < kept.size(); ++k)
      if (kept[k] != kNone) note(kept[k].id, "operand " + std::to_string(k));
    if (saves & kResult) note(result, "the result");
  }

  std::vector<BufferRef> run(size_t steps) {
    std::vector<BufferRef> values(batch_.values.size());
    for (uint32_t i = 0, next = 0; i < batch_.values.size(); ++i)
      if (batch_.is_input(i)) values[i] = buffer_of(i, inputs_[next++]);
    Frame frame{values, batch_.scalars};
    backend_->seed(7);  // random rows draw equal numbers in each run
    for (uint32_t i = 0; i < steps; ++i) backend_->run_step(batch_, i, frame);
    return values;
  }
  BufferRef buffer_of(uint32_t value, const std::vector<double>& numbers) {
    const DType dtype = batch_.values[value].dtype;
    const BufferRef exact =
        backend_->from_host(numbers.data(), DType::F64, batch_.sizes(value), {});
    BufferRef buffer = backend_->allocate(dtype, batch_.sizes(value), {});
    backend_->to_host(*exact, dtype, buffer->data());
    return buffer;
  }
  std::vector<double> numbers_of(const Buffer& buffer) {
    std::vector<double> numbers(static_cast<size_t>(buffer.numel()));
    backend_->to_host(buffer, DType::F64, numbers.data());
    return numbers;
  }
  double weighted_sum() {
    const std::vector<double> numbers = result();
    double sum = 0;
    for (size_t i = 0; i < numbers.size(); ++i) sum += numbers[i] * weights_[i];
    return sum;
  }

  const GradCase& case_;
  uint32_t perturbed_;
  MemoryCount memory_;
  std::unique_ptr<Backend> backend_ = make_reference_backend(memory_, 1);
  Batch batch_;
  GradBuilder build_;
  Args args_;  ///< only its operands are used
  Value result_;
  size_t forward_steps_ = 0;
  double made_up_ = 0;
  std::vector<std::vector<double>> inputs_;
  std::vector<double> weights_;
  std::vector<Expr> gradients_;  ///< indexed by value
  std::vector<std::string> unused_;
};

/// Describes the first element whose gradient is not that of differences.
inline std::string first_difference(VjpRig& rig, const GradCase& of, uint32_t operand,
                                    double tolerance) {
  const double bound = of.operands[operand].dtype == DType::F64 ? tolerance : 1e-2;
  const std::vector<double> got = rig.gradient(operand), wanted = rig.differences(operand);
  for (size_t i = 0; i < wanted.size(); ++i)
    if (!(std::abs(got[i] - wanted[i]) <= bound * std::max(1.0, std::abs(wanted[i]))))
      return join("operand ", operand, ", element ", i, ": ", got[i], ", by differences ",
                  wanted[i]);
  return "";
}

/// Compares the gradients of a case with differences.
inline void expect_gradients(const GradCase& of, double tolerance = 1e-6) {
  SCOPED_TRACE(info(of.args.op).name);
  try {
    VjpRig rig(of);
    for (uint32_t i = 0; i < rig.operands(); ++i) {
      if (!rig.has_gradient(i)) continue;
      EXPECT_EQ(first_difference(rig, of, i, tolerance), "");
    }
  } catch (const Error& error) {
    ADD_FAILURE() << error.text();
  }
}

/// Compares one operand's gradient with these numbers, where PyTorch's convention is not that of
/// differences.
inline void expect_gradient(const GradCase& of, uint32_t operand, const std::vector<double>& wanted,
                            double tolerance = 1e-12) {
  SCOPED_TRACE(info(of.args.op).name);
  try {
    const std::vector<double> got = VjpRig(of).gradient(operand);
    ASSERT_EQ(got.size(), wanted.size());
    for (size_t k = 0; k < got.size(); ++k) {
      const bool same =
          (std::isnan(got[k]) && std::isnan(wanted[k])) || got[k] == wanted[k] ||
          std::abs(got[k] - wanted[k]) <= tolerance * std::max(1.0, std::abs(wanted[k]));
      EXPECT_TRUE(same) << "element " << k << " is " << got[k] << ", wanted " << wanted[k];
    }
  } catch (const Error& error) {
    ADD_FAILURE() << error.text();
  }
}

}  // namespace rt::test
