// optimizer.cpp -- calls about optimizers.
#include "frontend_abi/calls.h"

namespace rt::call {
namespace {

int64_t adam(CallContext& context, OptimizerRule::Kind kind, Sizes parameters, double learning_rate,
             double beta1, double beta2, double eps, double weight_decay) {
  OptimizerRule adam;
  adam.kind = kind;
  adam.learning_rate = learning_rate;
  adam.beta1 = beta1;
  adam.beta2 = beta2;
  adam.eps = eps;
  adam.weight_decay = weight_decay;
  return context.engine.optimizers.add(context, adam, parameters);
}

}  // namespace

int64_t rt_torch_sgd_new(CallContext& context, Sizes parameters, double learning_rate,
                         double momentum, double weight_decay) {
  OptimizerRule sgd;
  sgd.learning_rate = learning_rate;
  sgd.momentum = momentum;
  sgd.weight_decay = weight_decay;
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
