// optimizer_rules.h -- the steps of optimizers as ops.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "graph/ops/expr.h"

namespace rt {

/// How an optimizer changes a parameter. Hyperparameters enter a step as scalars, so that a changed
/// one compiles nothing. Names and meaning are torch.optim's; a flag is 1 or 0.
struct OptimizerRule {
  enum class Kind : uint8_t { Sgd, Adam, AdamW, RmsProp, Adagrad, Adamax, Lion };

  Kind kind = Kind::Sgd;
  double learning_rate = 0;
  double momentum = 0, dampening = 0, nesterov = 0;
  double beta1 = 0, beta2 = 0;
  double alpha = 0;  ///< RmsProp: how much of the mean square a step keeps
  double centered = 0, amsgrad = 0;
  double eps = 0;
  double learning_rate_decay = 0, initial_accumulator_value = 0;
  double weight_decay = 0, maximize = 0;

  /// Values of an optimizer's state for one parameter.
  static constexpr uint32_t kStates = 3;
  /// The values of one parameter after a step. The states that there are: Sgd the velocity; Adam,
  /// AdamW and Adamax both moments, and with amsgrad the largest second moment; RmsProp the mean
  /// square, the velocity and the mean; Adagrad the sum of squares; Lion the velocity.
  struct Update {
    Expr value;
    Expr state[kStates];
  };
  /// Step number `steps` + 1 of torch.optim's optimizer of this name (torch/optim/*.py); Lion is
  /// that of Chen et al., "Symbolic Discovery of Optimization Algorithms", algorithm 2. `state` has
  /// kStates values, kNone before the first step. All have the shape and dtype of `value`.
  Update update(Expr value, Expr gradient, const Value* state, int64_t steps) const;
};

/// Throws Error, as torch.optim does, unless `ok`: "name is value; it must be range".
void check_range(std::string_view name, double value, bool ok, std::string_view range);
/// Throws Error where a hyperparameter is out of its range.
void check_hyperparameters(const OptimizerRule& rule);

/// The hyperparameter of this name. Throws Error, with the names that there are, where an optimizer
/// of this kind has none of it.
double& hyperparameter(OptimizerRule& rule, std::string_view name);

}  // namespace rt
