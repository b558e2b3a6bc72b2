// optimizers.h -- optimizers by handles, and their steps over parameters that may share memory.
#pragma once
#include <span>
#include <utility>
#include <vector>

#include "executor/slots.h"
#include "graph/ops/optimizer_rules.h"
#include "graph/ops/schedule.h"
#include "graph/tape/grad.h"

namespace rt {

class Engine;
struct CallContext;

/// One optimizer over leaves, which it does not keep alive.
struct Optimizer {
  struct Parameter {
    Leaf leaf;
    int64_t handle = 0;  ///< a handle to the leaf; it may have been freed
    /// Holders of values; see OptimizerRule::Update.
    Value state[OptimizerRule::kStates] = {kNone, kNone, kNone};
    int64_t steps = 0;
    uint32_t group = 0;  ///< index of its rule
  };
  std::vector<OptimizerRule> groups;
  std::vector<Parameter> parameters;
  Schedule schedule;
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
  /// Adds tensors with the hyperparameters of the first group. Returns the index of their group.
  int64_t add_group(CallContext& context, int64_t handle, Sizes handles);
  /// Records a step for all parameters with a gradient. May release the lock and wait for values
  /// that other threads compute. After an Error the parameters are unchanged.
  void step(CallContext& context, int64_t handle);
  void zero_gradients(CallContext& context, int64_t handle);
  double learning_rate(CallContext& context, int64_t handle);  ///< of the first group
  void set_learning_rate(CallContext& context, int64_t handle, double rate);  ///< of all groups
  double option(CallContext& context, int64_t handle, int64_t group, std::string_view name);
  /// `group` -1 stands for all. After an Error nothing is changed.
  void set_option(CallContext& context, int64_t handle, int64_t group, std::string_view name,
                  double value);
  /// The learning rates from here on follow `schedule`, which begins at its step 0 with the rates
  /// that the groups have.
  void follow(CallContext& context, int64_t handle, const Schedule& schedule);
  /// Goes on to the schedule's next step, and returns the first group's learning rate there.
  double advance(CallContext& context, int64_t handle);
  void remove(CallContext& context, int64_t handle);

  /// Calls visit(optimizer) for every optimizer.
  template <class Visit>
  void for_each(Visit visit) {
    optimizers_.for_each(visit);
  }

 private:
  Optimizer& at(CallContext& context, int64_t handle);
  OptimizerRule& group_at(CallContext& context, int64_t handle, int64_t group);
  void add_parameters(CallContext& context, Optimizer& optimizer, Sizes handles);
  void find_handles(Optimizer& optimizer);
  Value current(const Optimizer::Parameter& parameter);
  template <class Visit>
  void for_each_parameter(CallContext& context, int64_t handle, const Visit& visit);
  void renew(Value& slot, Value now);

  Engine& engine_;
  Slots<Optimizer> optimizers_;
};

}  // namespace rt
