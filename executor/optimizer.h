// optimizer.h -- what an optimizer keeps between steps, and its step as ops.
#pragma once
#include <vector>

#include "graph/ops/expr.h"
#include "graph/tape/grad.h"

namespace rt {

/// One optimizer over leaves, which it does not keep alive. Hyperparameters enter a step as
/// scalars, so that a changed one compiles nothing.
struct Optimizer {
  enum class Rule : uint8_t { Sgd, Adam, AdamW };
  struct Parameter {
    Leaf leaf;
    int64_t handle = 0;               ///< one of those to the leaf, as long as that is there
    Value state[2] = {kNone, kNone};  ///< held; Sgd: the velocity; Adam, AdamW: both moments
    int64_t steps = 0;
  };

  Rule rule = Rule::Sgd;
  double learning_rate = 0;
  double momentum = 0;          ///< Sgd
  double beta1 = 0, beta2 = 0;  ///< Adam, AdamW
  double eps = 0;               ///< likewise
  double weight_decay = 0;
  std::vector<Parameter> parameters;
  /// The newest lost pass that it has heeded: of those before, no step is refused any more.
  uint64_t lost_pass = 0;

  /// What a step makes of one parameter.
  struct Update {
    Expr value;
    Expr state[2];  ///< empty where there is none
  };
  /// The step number `parameter.steps` + 1, of torch.optim's SGD, Adam and AdamW
  /// (torch/optim/sgd.py, adam.py, adamw.py; dampening, nesterov, amsgrad and maximize off).
  Update step(const Parameter& parameter, Expr value, Expr gradient) const;
};

}  // namespace rt
