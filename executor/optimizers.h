// optimizers.h -- optimizers by handles, and their steps over parameters that may share memory.
#pragma once
#include <span>
#include <utility>
#include <vector>

#include "executor/slots.h"
#include "graph/ops/optimizer_rules.h"
#include "graph/tape/grad.h"

namespace rt {

class Engine;
struct CallContext;

/// One optimizer over leaves, which it does not keep alive.
struct Optimizer {
  struct Parameter {
    Leaf leaf;
    int64_t handle = 0;               ///< a handle to the leaf; it may have been freed
    Value state[2] = {kNone, kNone};  ///< holders of values; see OptimizerRule::Update
    int64_t steps = 0;
  };
  OptimizerRule rule;
  std::vector<Parameter> parameters;
  /// The newest ThreadState::lost_pass for which a step was refused or gradients were zeroed.
  uint64_t lost_pass = 0;
};

/// Functions with a handle throw Error where that is no optimizer.
class Optimizers {
 public:
  explicit Optimizers(Engine& engine) : engine_(engine) {}

  /// A handle to a new optimizer. Makes leaves of the tensors `handles`. Throws Error for a
  /// hyperparameter out of range, and for a computed or repeated tensor or one without gradients.
  int64_t add(CallContext& context, OptimizerRule rule, Sizes handles);
  /// Records a step for all parameters with a gradient. May release the lock and wait for values
  /// that other threads compute. After an Error the parameters are unchanged.
  void step(CallContext& context, int64_t handle);
  void zero_gradients(CallContext& context, int64_t handle);
  double learning_rate(CallContext& context, int64_t handle);
  void set_learning_rate(CallContext& context, int64_t handle, double rate);
  void remove(CallContext& context, int64_t handle);

  /// Calls visit(optimizer) for every optimizer.
  template <class Visit>
  void for_each(Visit visit) {
    optimizers_.for_each(visit);
  }

 private:
  Optimizer& at(CallContext& context, int64_t handle);
  void find_handles(Optimizer& optimizer);
  Value current(const Optimizer::Parameter& parameter);
  template <class Visit>
  void for_each_parameter(CallContext& context, int64_t handle, const Visit& visit);
  void renew(Value& slot, Value now);

  Engine& engine_;
  Slots<Optimizer> optimizers_;
};

}  // namespace rt
