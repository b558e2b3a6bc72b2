// optimizer_rules.cpp -- the steps of each optimizer, and its hyperparameters by name.
#include "graph/ops/optimizer_rules.h"

#include <algorithm>
#include <cmath>
#include <initializer_list>

#include "graph/error.h"

namespace rt {
namespace {

using Kind = OptimizerRule::Kind;

/// A step of one parameter.
struct Step {
  const OptimizerRule& rule;
  Expr value, gradient;
  const Value* states;
  double number;  ///< counted from 1

  Builder& build() const { return value.build(); }
  bool has_state(int i) const { return states[i] != kNone; }
  /// State i; before the first step it is filled with `begin`.
  Expr state(int i, double begin = 0) const {
    return has_state(i) ? Expr(build(), states[i]) : value.filled(begin, value.type().sizes);
  }
  int64_t constant(double number) const { return build().constant(number); }
};

/// a + alpha * b
Expr add_scaled(Expr a, Expr b, double alpha) {
  return a.apply(Op::AddScaled, b, {a.build().constant(alpha)});
}
/// a + alpha * b / c
Expr add_quotient(Expr a, Expr b, Expr c, double alpha) {
  return a.apply(Op::Addcdiv, b, c, {a.build().constant(alpha)});
}
/// a + alpha * b * b
Expr add_square(Expr a, Expr b, double alpha) {
  return a.apply(Op::Addcmul, b, b, {a.build().constant(alpha)});
}
/// a + weight * (b - a)
Expr lerp(Expr a, Expr b, double weight) {
  return a.apply(Op::Lerp, b, {a.build().constant(weight)});
}

/// The mean square with a part of the gradient's square.
Expr mean_square(Expr before, Expr gradient, double kept) {
  return add_square(before * kept, gradient, 1 - kept);
}

OptimizerRule::Update sgd(const Step& step) {
  const OptimizerRule& rule = step.rule;
  if (rule.momentum == 0) return {add_scaled(step.value, step.gradient, -rule.learning_rate), {}};
  Expr velocity = step.gradient;
  if (step.has_state(0)) {
    velocity = rule.dampening == 0
                   ? add_scaled(step.gradient, step.state(0), rule.momentum)
                   : add_scaled(step.state(0) * rule.momentum, step.gradient, 1 - rule.dampening);
  }
  const Expr along =
      rule.nesterov != 0 ? add_scaled(step.gradient, velocity, rule.momentum) : velocity;
  return {add_scaled(step.value, along, -rule.learning_rate), {velocity}};
}

OptimizerRule::Update adam(const Step& step) {
  const OptimizerRule& rule = step.rule;
  const double correction1 = 1 - std::pow(rule.beta1, step.number),
               correction2 = 1 - std::pow(rule.beta2, step.number);
  const Expr mean = lerp(step.state(0), step.gradient, 1 - rule.beta1);
  const Expr square = mean_square(step.state(1), step.gradient, rule.beta2);
  const Expr most = rule.amsgrad != 0 ? step.state(2).apply(Op::Maximum, square) : Expr();
  const Expr root = (most ? most : square).apply(Op::Sqrt) / std::sqrt(correction2) + rule.eps;
  return {add_quotient(step.value, mean, root, -rule.learning_rate / correction1),
          {mean, square, most}};
}

OptimizerRule::Update rmsprop(const Step& step) {
  const OptimizerRule& rule = step.rule;
  const Expr square = mean_square(step.state(0), step.gradient, rule.alpha);
  Expr mean, spread = square;
  if (rule.centered != 0) {
    mean = lerp(step.state(2), step.gradient, 1 - rule.alpha);
    spread = add_square(square, mean, -1);
  }
  const Expr root = spread.apply(Op::Sqrt) + rule.eps;
  if (rule.momentum == 0)
    return {add_quotient(step.value, step.gradient, root, -rule.learning_rate), {square, {}, mean}};
  const Expr velocity = add_quotient(step.state(1) * rule.momentum, step.gradient, root, 1);
  return {add_scaled(step.value, velocity, -rule.learning_rate), {square, velocity, mean}};
}

OptimizerRule::Update adagrad(const Step& step) {
  const OptimizerRule& rule = step.rule;
  const double rate = rule.learning_rate / (1 + (step.number - 1) * rule.learning_rate_decay);
  const Expr sum = add_square(step.state(0, rule.initial_accumulator_value), step.gradient, 1);
  return {add_quotient(step.value, step.gradient, sum.apply(Op::Sqrt) + rule.eps, -rate), {sum}};
}

OptimizerRule::Update adamax(const Step& step) {
  const OptimizerRule& rule = step.rule;
  const Expr mean = lerp(step.state(0), step.gradient, 1 - rule.beta1);
  const Expr most =
      (step.state(1) * rule.beta2).apply(Op::Maximum, step.gradient.apply(Op::Abs) + rule.eps);
  const double rate = rule.learning_rate / (1 - std::pow(rule.beta1, step.number));
  return {add_quotient(step.value, mean, most, -rate), {mean, most}};
}

OptimizerRule::Update lion(const Step& step) {
  const OptimizerRule& rule = step.rule;
  const Expr before = step.state(0);
  const Expr way = lerp(before, step.gradient, 1 - rule.beta1).apply(Op::Sign);
  return {add_scaled(step.value, way, -rule.learning_rate),
          {lerp(before, step.gradient, 1 - rule.beta2)}};
}

bool decays_apart(Kind kind) { return kind == Kind::AdamW || kind == Kind::Lion; }

// ---- Hyperparameters.

struct Hyperparameter {
  std::string_view name;
  double OptimizerRule::*member;
  enum Range { NotNegative, Fraction, Flag, Any } range;
  std::initializer_list<Kind> kinds;  ///< the optimizers that have it; empty: all
};
const Hyperparameter kAll[] = {
    {"learning_rate", &OptimizerRule::learning_rate, Hyperparameter::NotNegative, {}},
    {"momentum", &OptimizerRule::momentum, Hyperparameter::NotNegative, {Kind::Sgd, Kind::RmsProp}},
    {"dampening", &OptimizerRule::dampening, Hyperparameter::Any, {Kind::Sgd}},
    {"nesterov", &OptimizerRule::nesterov, Hyperparameter::Flag, {Kind::Sgd}},
    {"beta1",
     &OptimizerRule::beta1,
     Hyperparameter::Fraction,
     {Kind::Adam, Kind::AdamW, Kind::Adamax, Kind::Lion}},
    {"beta2",
     &OptimizerRule::beta2,
     Hyperparameter::Fraction,
     {Kind::Adam, Kind::AdamW, Kind::Adamax, Kind::Lion}},
    {"amsgrad", &OptimizerRule::amsgrad, Hyperparameter::Flag, {Kind::Adam, Kind::AdamW}},
    {"alpha", &OptimizerRule::alpha, Hyperparameter::NotNegative, {Kind::RmsProp}},
    {"centered", &OptimizerRule::centered, Hyperparameter::Flag, {Kind::RmsProp}},
    {"eps",
     &OptimizerRule::eps,
     Hyperparameter::NotNegative,
     {Kind::Adam, Kind::AdamW, Kind::RmsProp, Kind::Adagrad, Kind::Adamax}},
    {"learning_rate_decay",
     &OptimizerRule::learning_rate_decay,
     Hyperparameter::NotNegative,
     {Kind::Adagrad}},
    {"initial_accumulator_value",
     &OptimizerRule::initial_accumulator_value,
     Hyperparameter::NotNegative,
     {Kind::Adagrad}},
    {"weight_decay", &OptimizerRule::weight_decay, Hyperparameter::NotNegative, {}},
    {"maximize", &OptimizerRule::maximize, Hyperparameter::Flag, {}},
};

bool has(Kind kind, const Hyperparameter& one) {
  return one.kinds.size() == 0 ||
         std::find(one.kinds.begin(), one.kinds.end(), kind) != one.kinds.end();
}

}  // namespace

OptimizerRule::Update OptimizerRule::update(Expr value, Expr gradient, const Value* state,
                                            int64_t steps) const {
  if (maximize != 0) gradient = -gradient;
  if (weight_decay != 0) {
    if (decays_apart(kind)) value = value * (1 - learning_rate * weight_decay);
    else gradient = add_scaled(gradient, value, weight_decay);
  }
  const Step step{*this, value, gradient, state, static_cast<double>(steps + 1)};
  switch (kind) {
    case Kind::Sgd: return sgd(step);
    case Kind::Adam:
    case Kind::AdamW: return adam(step);
    case Kind::RmsProp: return rmsprop(step);
    case Kind::Adagrad: return adagrad(step);
    case Kind::Adamax: return adamax(step);
    case Kind::Lion: return lion(step);
  }
  fail("unknown optimizer");
}

void check_range(std::string_view name, double value, bool ok, std::string_view range) {
  if (!ok) fail(name, " is ", to_string(value), "; it must be ", range);
}

void check_hyperparameters(const OptimizerRule& rule) {
  for (const Hyperparameter& one : kAll) {
    const double value = rule.*one.member;
    switch (one.range) {
      case Hyperparameter::NotNegative:
        check_range(one.name, value, value >= 0, "at least 0");
        break;
      case Hyperparameter::Fraction:
        check_range(one.name, value, value >= 0 && value < 1, "at least 0 and below 1");
        break;
      case Hyperparameter::Flag:
        check_range(one.name, value, value == 0 || value == 1, "0 or 1");
        break;
      case Hyperparameter::Any: check_range(one.name, value, value == value, "a number"); break;
    }
  }
  if (rule.nesterov != 0 && (rule.momentum == 0 || rule.dampening != 0))
    fail("nesterov is 1 with momentum ", to_string(rule.momentum), " and dampening ",
         to_string(rule.dampening), "; it needs a momentum above 0 and no dampening");
}

double& hyperparameter(OptimizerRule& rule, std::string_view name) {
  std::string known;
  for (const Hyperparameter& one : kAll) {
    if (!has(rule.kind, one)) continue;
    if (one.name == name) return rule.*one.member;
    known += join(known.empty() ? "" : ", ", one.name);
  }
  fail("this optimizer has no hyperparameter ", name, "; it has ", known);
}

}  // namespace rt
