// optimizer.cpp -- calls about optimizers.
#include "frontend_abi/calls.h"

namespace rt::call {
namespace {

int64_t adam(Turn& turn, Optimizer::Rule rule, Sizes parameters, double learning_rate, double beta1,
             double beta2, double eps, double weight_decay) {
  Optimizer adam;
  adam.rule = rule;
  adam.learning_rate = learning_rate;
  adam.beta1 = beta1;
  adam.beta2 = beta2;
  adam.eps = eps;
  adam.weight_decay = weight_decay;
  return turn.engine.add_optimizer(turn, std::move(adam), parameters);
}

}  // namespace

int64_t rt_torch_sgd_new(Turn& turn, Sizes parameters, double learning_rate, double momentum,
                         double weight_decay) {
  Optimizer sgd;
  sgd.learning_rate = learning_rate;
  sgd.momentum = momentum;
  sgd.weight_decay = weight_decay;
  return turn.engine.add_optimizer(turn, std::move(sgd), parameters);
}

int64_t rt_torch_adam_new(Turn& turn, Sizes parameters, double learning_rate, double beta1,
                          double beta2, double eps, double weight_decay) {
  return adam(turn, Optimizer::Rule::Adam, parameters, learning_rate, beta1, beta2, eps,
              weight_decay);
}

int64_t rt_torch_adamw_new(Turn& turn, Sizes parameters, double learning_rate, double beta1,
                           double beta2, double eps, double weight_decay) {
  return adam(turn, Optimizer::Rule::AdamW, parameters, learning_rate, beta1, beta2, eps,
              weight_decay);
}

int64_t rt_torch_optimizer_step(Turn& turn, int64_t optimizer) {
  turn.engine.step(turn, optimizer);
  return 0;
}

int64_t rt_torch_optimizer_zero_grad(Turn& turn, int64_t optimizer) {
  turn.engine.zero_gradients(turn, optimizer);
  return 0;
}

double rt_torch_optimizer_get_lr(Turn& turn, int64_t optimizer) {
  return turn.engine.learning_rate(turn, optimizer);
}

int64_t rt_torch_optimizer_set_lr(Turn& turn, int64_t optimizer, double learning_rate) {
  turn.engine.set_learning_rate(turn, optimizer, learning_rate);
  return 0;
}

int64_t rt_torch_optimizer_free(Turn& turn, int64_t optimizer) {
  turn.engine.free_optimizer(turn, optimizer);
  return 0;
}

}  // namespace rt::call
