// autograd.cpp -- calls about gradients.
#include "frontend_abi/calls.h"
#include "graph/error.h"

namespace rt::call {

void rt_torch_autograd_set_requires_grad(CallContext& context, int64_t handle, bool requires_grad) {
  context.engine.autograd.set_requires_grad(context, handle, requires_grad);
}

bool rt_torch_autograd_requires_grad(CallContext& context, int64_t handle) {
  context.engine.count(Counter::calls);
  return context.engine.autograd.requires_grad(context, handle);
}

int64_t rt_torch_autograd_grad(CallContext& context, int64_t handle) {
  return context.engine.autograd.gradient(context, handle);
}

void rt_torch_autograd_backward(CallContext& context, int64_t handle) {
  context.engine.autograd.backward(context, handle);
}

void rt_torch_autograd_zero_grad(CallContext& context, int64_t handle) {
  context.engine.autograd.zero_gradient(context, handle);
}

int64_t rt_torch_nn_clip_grad_norm(CallContext& context, std::span<const int64_t> parameters,
                                   double max_norm, double norm_type) {
  return context.engine.autograd.clip_norm(context, parameters, max_norm, norm_type);
}

void rt_torch_nn_clip_grad_value(CallContext& context, std::span<const int64_t> parameters,
                                 double clip_value) {
  context.engine.autograd.clip_value(context, parameters, clip_value);
}

int64_t rt_torch_autograd_detach(CallContext& context, int64_t handle) {
  return context.engine.autograd.detach(context, handle);
}

void rt_torch_autograd_no_grad_begin(CallContext& context) { ++context.thread.no_grad; }

void rt_torch_autograd_no_grad_end(CallContext& context) {
  if (context.thread.no_grad == 0)
    fail("this thread is in no rt_torch_autograd_no_grad_begin; call begin and end in pairs");
  --context.thread.no_grad;
}

}  // namespace rt::call
