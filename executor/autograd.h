// autograd.h -- the calls about gradients: leaves, the backward pass, accumulated gradients.
#pragma once
#include <cstdint>

#include "graph/ops/op.h"

namespace rt {

class Engine;
struct CallContext;

/// Every function with a handle throws Error where that is no live tensor. All but requires_grad()
/// and zero_gradient() may release the lock and wait for values that other threads compute.
class Autograd {
 public:
  explicit Autograd(Engine& engine) : engine_(engine) {}

  /// Makes the tensor a leaf, or stops a leaf from collecting gradients. Throws to stop a computed
  /// tensor, and for a dtype without gradients.
  void set_requires_grad(CallContext& context, int64_t handle, bool wanted);
  bool requires_grad(CallContext& context, int64_t handle);
  /// A new handle to the elements, without their gradient history.
  int64_t detach(CallContext& context, int64_t handle);
  /// Records the gradients of a tensor of one element and adds them to those of its leaves.
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
