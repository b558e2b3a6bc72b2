// optimizer.cpp -- calls about optimizers.
#include "frontend_abi/calls.h"

namespace rt::call {
namespace {

Schedule schedule_of(Schedule::Kind kind, int64_t steps, int64_t warmup) {
  Schedule schedule;
  schedule.kind = kind;
  schedule.steps = steps;
  schedule.warmup = warmup;
  return schedule;
}
int64_t follow(CallContext& context, int64_t optimizer, const Schedule& schedule) {
  context.engine.optimizers.follow(context, optimizer, schedule);
  return 0;
}

OptimizerRule rule_of(OptimizerRule::Kind kind, double learning_rate, double weight_decay) {
  OptimizerRule rule;
  rule.kind = kind;
  rule.learning_rate = learning_rate;
  rule.weight_decay = weight_decay;
  return rule;
}

int64_t adam(CallContext& context, OptimizerRule::Kind kind, Sizes parameters, double learning_rate,
             double beta1, double beta2, double eps, double weight_decay) {
  OptimizerRule adam = rule_of(kind, learning_rate, weight_decay);
  adam.beta1 = beta1;
  adam.beta2 = beta2;
  adam.eps = eps;
  return context.engine.optimizers.add(context, adam, parameters);
}

}  // namespace

int64_t rt_torch_sgd_new(CallContext& context, Sizes parameters, double learning_rate,
                         double momentum, double weight_decay) {
  OptimizerRule sgd = rule_of(OptimizerRule::Kind::Sgd, learning_rate, weight_decay);
  sgd.momentum = momentum;
  return context.engine.optimizers.add(context, sgd, parameters);
}

int64_t rt_torch_adam_new(CallContext& context, Sizes parameters, double learning_rate,
                          double beta1, double beta2, double eps, double weight_decay) {
  return adam(context, OptimizerRule::Kind::Adam, parameters, learning_rate, beta1, beta2, eps,
              weight_decay);
}

int64_t rt_torch_adamw_new(CallContext& context, Sizes parameters, double learning_rate,
                           double beta1, double beta2, double eps, double weight_decay) {
  return adam(context, OptimizerRule::Kind::AdamW, parameters, learning_rate, beta1, beta2, eps,
              weight_decay);
}

int64_t rt_torch_rmsprop_new(CallContext& context, Sizes parameters, double learning_rate,
                             double alpha, double eps, double weight_decay, double momentum) {
  OptimizerRule rule = rule_of(OptimizerRule::Kind::RmsProp, learning_rate, weight_decay);
  rule.alpha = alpha;
  rule.eps = eps;
  rule.momentum = momentum;
  return context.engine.optimizers.add(context, rule, parameters);
}

int64_t rt_torch_adagrad_new(CallContext& context, Sizes parameters, double learning_rate,
                             double learning_rate_decay, double weight_decay,
                             double initial_accumulator_value, double eps) {
  OptimizerRule rule = rule_of(OptimizerRule::Kind::Adagrad, learning_rate, weight_decay);
  rule.learning_rate_decay = learning_rate_decay;
  rule.initial_accumulator_value = initial_accumulator_value;
  rule.eps = eps;
  return context.engine.optimizers.add(context, rule, parameters);
}

int64_t rt_torch_adamax_new(CallContext& context, Sizes parameters, double learning_rate,
                            double beta1, double beta2, double eps, double weight_decay) {
  return adam(context, OptimizerRule::Kind::Adamax, parameters, learning_rate, beta1, beta2, eps,
              weight_decay);
}

int64_t rt_torch_lion_new(CallContext& context, Sizes parameters, double learning_rate,
                          double beta1, double beta2, double weight_decay) {
  return adam(context, OptimizerRule::Kind::Lion, parameters, learning_rate, beta1, beta2, 0,
              weight_decay);
}

int64_t rt_torch_optimizer_add_param_group(CallContext& context, int64_t optimizer,
                                           Sizes parameters) {
  return context.engine.optimizers.add_group(context, optimizer, parameters);
}

int64_t rt_torch_optimizer_set_option(CallContext& context, int64_t optimizer, int64_t group,
                                      std::string_view option, double value) {
  context.engine.optimizers.set_option(context, optimizer, group, option, value);
  return 0;
}

double rt_torch_optimizer_get_option(CallContext& context, int64_t optimizer, int64_t group,
                                     std::string_view option) {
  return context.engine.optimizers.option(context, optimizer, group, option);
}

int64_t rt_torch_optimizer_schedule_step(CallContext& context, int64_t optimizer, int64_t step_size,
                                         double gamma, int64_t warmup_steps) {
  Schedule schedule = schedule_of(Schedule::Kind::Step, step_size, warmup_steps);
  schedule.gamma = gamma;
  return follow(context, optimizer, schedule);
}

int64_t rt_torch_optimizer_schedule_exponential(CallContext& context, int64_t optimizer,
                                                double gamma, int64_t warmup_steps) {
  Schedule schedule = schedule_of(Schedule::Kind::Exponential, 1, warmup_steps);
  schedule.gamma = gamma;
  return follow(context, optimizer, schedule);
}

int64_t rt_torch_optimizer_schedule_cosine(CallContext& context, int64_t optimizer,
                                           int64_t total_steps, double eta_min,
                                           int64_t warmup_steps) {
  Schedule schedule = schedule_of(Schedule::Kind::Cosine, total_steps, warmup_steps);
  schedule.least = eta_min;
  return follow(context, optimizer, schedule);
}

int64_t rt_torch_optimizer_schedule_linear(CallContext& context, int64_t optimizer,
                                           double start_factor, double end_factor,
                                           int64_t total_steps) {
  Schedule schedule = schedule_of(Schedule::Kind::Linear, total_steps, 0);
  schedule.first_factor = start_factor;
  schedule.last_factor = end_factor;
  return follow(context, optimizer, schedule);
}

int64_t rt_torch_optimizer_schedule_one_cycle(CallContext& context, int64_t optimizer,
                                              double max_lr, int64_t total_steps, double pct_start,
                                              double div_factor, double final_div_factor) {
  Schedule schedule = schedule_of(Schedule::Kind::OneCycle, total_steps, 0);
  schedule.most = max_lr;
  schedule.rising = pct_start;
  schedule.first_divisor = div_factor;
  schedule.last_divisor = final_div_factor;
  return follow(context, optimizer, schedule);
}

double rt_torch_optimizer_schedule_advance(CallContext& context, int64_t optimizer) {
  return context.engine.optimizers.advance(context, optimizer);
}

int64_t rt_torch_optimizer_step(CallContext& context, int64_t optimizer) {
  context.engine.optimizers.step(context, optimizer);
  return 0;
}

int64_t rt_torch_optimizer_zero_grad(CallContext& context, int64_t optimizer) {
  context.engine.optimizers.zero_gradients(context, optimizer);
  return 0;
}

double rt_torch_optimizer_get_lr(CallContext& context, int64_t optimizer) {
  return context.engine.optimizers.learning_rate(context, optimizer);
}

int64_t rt_torch_optimizer_set_lr(CallContext& context, int64_t optimizer, double learning_rate) {
  context.engine.optimizers.set_learning_rate(context, optimizer, learning_rate);
  return 0;
}

int64_t rt_torch_optimizer_free(CallContext& context, int64_t optimizer) {
  context.engine.optimizers.remove(context, optimizer);
  return 0;
}

}  // namespace rt::call
