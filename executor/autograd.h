// autograd.h -- the calls about gradients: leaves, the backward pass, accumulated gradients.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

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

  // clipping.cpp: replace gradients of leaves by bounded ones. Other handles are passed over.
  /// Scales the gradients so that their common p-norm is at most `most`. Returns a handle to the
  /// norm before.
  int64_t clip_norm(CallContext& context, Sizes handles, double most, double p);
  void clip_value(CallContext& context, Sizes handles, double most);

  // For optimizers.
  Value make_leaf(CallContext& context, int64_t handle);
  Value gradient_of(CallContext& context, Value leaf);
  void clear_gradient(Value leaf);

 private:
  struct Gradient {
    Value leaf, value;
  };
  Value detached(CallContext& context, Value value);
  std::vector<Gradient> gradients_of(CallContext& context, Sizes handles);
  void renew(CallContext& context, std::span<const Gradient> gradients, std::span<const Value> now);

  Engine& engine_;
  uint64_t lost_passes_ = 0;  ///< backward passes of all threads that were given handle 0
};

}  // namespace rt
