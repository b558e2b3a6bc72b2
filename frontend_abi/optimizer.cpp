// optimizer.cpp -- calls about optimizers.
#include "frontend_abi/calls.h"

namespace rt::call {
namespace {

int64_t adam(CallContext& context, Optimizer::Rule rule, Sizes parameters, double learning_rate,
             double beta1, double beta2, double eps, double weight_decay) {
  Optimizer adam;
  adam.rule = rule;
  adam.learning_rate = learning_rate;
  adam.beta1 = beta1;
  adam.beta2 = beta2;
  adam.eps = eps;
  adam.weight_decay = weight_decay;
  return context.engine.add_optimizer(context, std::move(adam), parameters);
}

}  // namespace

int64_t rt_torch_sgd_new(CallContext& context, Sizes parameters, double learning_rate,
                         double momentum, double weight_decay) {
  Optimizer sgd;
  sgd.learning_rate = learning_rate;
  sgd.momentum = momentum;
  sgd.weight_decay = weight_decay;
  return context.engine.add_optimizer(context, std::move(sgd), parameters);
}

int64_t rt_torch_adam_new(CallContext& context, Sizes parameters, double learning_rate,
                          double beta1, double beta2, double eps, double weight_decay) {
  return adam(context, Optimizer::Rule::Adam, parameters, learning_rate, beta1, beta2, eps,
              weight_decay);
}

int64_t rt_torch_adamw_new(CallContext& context, Sizes parameters, double learning_rate,
                           double beta1, double beta2, double eps, double weight_decay) {
  return adam(context, Optimizer::Rule::AdamW, parameters, learning_rate, beta1, beta2, eps,
              weight_decay);
}

int64_t rt_torch_optimizer_step(CallContext& context, int64_t optimizer) {
  context.engine.step(context, optimizer);
  return 0;
}

int64_t rt_torch_optimizer_zero_grad(CallContext& context, int64_t optimizer) {
  context.engine.zero_gradients(context, optimizer);
  return 0;
}

double rt_torch_optimizer_get_lr(CallContext& context, int64_t optimizer) {
  return context.engine.learning_rate(context, optimizer);
}

int64_t rt_torch_optimizer_set_lr(CallContext& context, int64_t optimizer, double learning_rate) {
  context.engine.set_learning_rate(context, optimizer, learning_rate);
  return 0;
}

int64_t rt_torch_optimizer_free(CallContext& context, int64_t optimizer) {
  context.engine.free_optimizer(context, optimizer);
  return 0;
}

}  // namespace rt::call
