// optimizer_rules.h -- the steps of optimizers as ops.
#pragma once
#include <cstdint>

#include "graph/ops/expr.h"

namespace rt {

/// How an optimizer changes a parameter. Hyperparameters enter a step as scalars, so that a changed
/// one compiles nothing.
struct OptimizerRule {
  enum class Kind : uint8_t { Sgd, Adam, AdamW };

  Kind kind = Kind::Sgd;
  double learning_rate = 0;
  double momentum = 0;          ///< Sgd
  double beta1 = 0, beta2 = 0;  ///< Adam, AdamW
  double eps = 0;               ///< Adam, AdamW
  double weight_decay = 0;

  /// The values of one parameter after a step.
  struct Update {
    Expr value;
    Expr state[2];  ///< Sgd: the velocity; Adam, AdamW: both moments; empty where there is none
  };
  /// Step number `steps` + 1 of torch.optim's SGD, Adam and AdamW (torch/optim/sgd.py, adam.py,
  /// adamw.py; dampening, nesterov, amsgrad and maximize off). `state` has two values, kNone before
  /// the first step. All have the shape and dtype of `value`.
  Update update(Expr value, Expr gradient, const Value* state, int64_t steps) const;
};

/// Throws Error, as torch.optim does, unless `ok`: "name is value; it must be range".
void check_range(std::string_view name, double value, bool ok, std::string_view range);
/// Throws Error where a hyperparameter is out of its range.
void check_hyperparameters(const OptimizerRule& rule);

}  // namespace rt
