// autograd.cpp -- calls about gradients.
#include "frontend_abi/calls.h"
#include "graph/error.h"

namespace rt::call {

void rt_torch_autograd_set_requires_grad(Turn& turn, int64_t handle, bool requires_grad) {
  turn.engine.set_requires_grad(turn, handle, requires_grad);
}

bool rt_torch_autograd_requires_grad(Turn& turn, int64_t handle) {
  turn.engine.count(Counter::calls);
  return turn.engine.requires_grad(turn, handle);
}

int64_t rt_torch_autograd_grad(Turn& turn, int64_t handle) {
  return turn.engine.gradient(turn, handle);
}

void rt_torch_autograd_backward(Turn& turn, int64_t handle) { turn.engine.backward(turn, handle); }

void rt_torch_autograd_zero_grad(Turn& turn, int64_t handle) {
  turn.engine.zero_gradient(turn, handle);
}

int64_t rt_torch_autograd_detach(Turn& turn, int64_t handle) {
  return turn.engine.detach(turn, handle);
}

void rt_torch_autograd_no_grad_begin(Turn& turn) { ++turn.thread.no_grad; }

void rt_torch_autograd_no_grad_end(Turn& turn) {
  if (turn.thread.no_grad == 0)
    fail("no rt_torch_autograd_no_grad_begin of this thread waits for its end; pair them");
  --turn.thread.no_grad;
}

}  // namespace rt::call
