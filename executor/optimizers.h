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
    int64_t handle = 0;               ///< one of those to the leaf, as long as that is there
    Value state[2] = {kNone, kNone};  ///< held; see OptimizerRule::Update
    int64_t steps = 0;
  };
  OptimizerRule rule;
  std::vector<Parameter> parameters;
  /// The newest lost pass that it has heeded: of those before, no step is refused any more.
  uint64_t lost_pass = 0;
};

class Optimizers {
 public:
  explicit Optimizers(Engine& engine) : engine_(engine) {}

  int64_t add(CallContext& context, OptimizerRule rule, Sizes handles);
  void step(CallContext& context, int64_t handle);
  void zero_gradients(CallContext& context, int64_t handle);
  double learning_rate(CallContext& context, int64_t handle);
  void set_learning_rate(CallContext& context, int64_t handle, double rate);
  void remove(CallContext& context, int64_t handle);

  /// Calls visit(optimizer) for every one.
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
