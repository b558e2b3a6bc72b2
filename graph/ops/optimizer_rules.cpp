// optimizer_rules.cpp -- SGD, Adam and AdamW.
#include "graph/ops/optimizer_rules.h"

#include <cmath>

#include "graph/error.h"

namespace rt {
namespace {

/// a + alpha * b
Expr add_scaled(Expr a, Expr b, double alpha) {
  return a.apply(Op::AddScaled, b, {a.build().constant(alpha)});
}

OptimizerRule::Update sgd(const OptimizerRule& rule, Expr velocity, Expr value, Expr gradient) {
  if (rule.weight_decay != 0) gradient = add_scaled(gradient, value, rule.weight_decay);
  if (rule.momentum != 0 && velocity) gradient = add_scaled(gradient, velocity, rule.momentum);
  return {add_scaled(value, gradient, -rule.learning_rate),
          {rule.momentum != 0 ? gradient : Expr(), {}}};
}

OptimizerRule::Update adam(const OptimizerRule& rule, Expr value, Expr gradient,
                           const Value* states, int64_t steps) {
  Builder& build = value.build();
  const auto state = [&](int i) {
    return states[i] == kNone ? value.filled(0, value.type().sizes) : Expr(build, states[i]);
  };
  if (rule.weight_decay != 0) {
    if (rule.kind == OptimizerRule::Kind::AdamW)
      value = value * (1 - rule.learning_rate * rule.weight_decay);
    else gradient = add_scaled(gradient, value, rule.weight_decay);
  }
  const auto step = static_cast<double>(steps + 1);
  const double correction1 = 1 - std::pow(rule.beta1, step),
               correction2 = 1 - std::pow(rule.beta2, step);
  const Expr mean = state(0).apply(Op::Lerp, gradient, {build.constant(1 - rule.beta1)});
  const Expr square = (state(1) * rule.beta2)
                          .apply(Op::Addcmul, gradient, gradient, {build.constant(1 - rule.beta2)});
  const Expr root = square.apply(Op::Sqrt) / std::sqrt(correction2) + rule.eps;
  const double rate = -rule.learning_rate / correction1;
  return {value.apply(Op::Addcdiv, mean, root, {build.constant(rate)}), {mean, square}};
}

}  // namespace

OptimizerRule::Update OptimizerRule::update(Expr value, Expr gradient, const Value* state,
                                            int64_t steps) const {
  if (kind != Kind::Sgd) return adam(*this, value, gradient, state, steps);
  return sgd(*this, {value.build(), state[0]}, value, gradient);
}

void check_range(std::string_view name, double value, bool ok, std::string_view range) {
  if (!ok) fail(name, " is ", to_string(value), "; it must be ", range);
}

void check_hyperparameters(const OptimizerRule& rule) {
  const auto not_negative = [](std::string_view name, double value) {
    check_range(name, value, value >= 0, "at least 0");
  };
  const auto fraction = [](std::string_view name, double value) {
    check_range(name, value, value >= 0 && value < 1, "at least 0 and below 1");
  };
  not_negative("learning_rate", rule.learning_rate);
  not_negative("momentum", rule.momentum);
  fraction("beta1", rule.beta1);
  fraction("beta2", rule.beta2);
  not_negative("eps", rule.eps);
  not_negative("weight_decay", rule.weight_decay);
}

}  // namespace rt
