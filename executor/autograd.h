// autograd.h -- leaves, the backward pass, and the gradients that it adds up.
#pragma once
#include <cstdint>

#include "graph/ops/op.h"

namespace rt {

class Engine;
struct CallContext;

/// A leaf that shares its value with other handles gets a value of its own. All throw Error.
class Autograd {
 public:
  explicit Autograd(Engine& engine) : engine_(engine) {}

  void set_requires_grad(CallContext& context, int64_t handle, bool wanted);
  bool requires_grad(CallContext& context, int64_t handle);
  int64_t detach(CallContext& context, int64_t handle);
  void backward(CallContext& context, int64_t handle);
  int64_t gradient(CallContext& context, int64_t handle);  ///< a handle to a snapshot, 0: none
  void zero_gradient(CallContext& context, int64_t handle);

  // For optimizers.
  Value make_leaf(CallContext& context, int64_t handle);
  Value gradient_of(CallContext& context, Value leaf);
  void clear_gradient(Value leaf);

 private:
  Value detached(CallContext& context, Value value);

  Engine& engine_;
  uint64_t lost_passes_ = 0;  ///< backward passes of all threads that were given handle 0
};

}  // namespace rt
