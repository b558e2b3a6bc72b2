// autograd.cpp -- the calls about gradients: leaves, the backward pass, accumulated gradients.
#include "executor/autograd.h"

#include <algorithm>

#include "executor/engine.h"
#include "executor/tape_builder.h"
#include "graph/error.h"
#include "graph/failure.h"

namespace rt {

/// A new value with these elements and no gradient history.
Value Autograd::detached(CallContext& context, Value value) {
  Args args;
  args.op = Op::Alias;
  args.operands = {value};
  return engine_.recorder.append(context, args, false);
}

/// Makes the value of a handle a leaf. Where other handles or nodes hold the value too, the handle
/// gets a new one, because the others did not ask for gradients.
Value Autograd::make_leaf(CallContext& context, int64_t handle) {
  Value value = engine_.recorder.here(context, handle);
  const Node& node = engine_.graph[value];
  if (node.holders > (node.keeps_itself ? 2u : 1u)) {
    value = detached(context, value);
    engine_.recorder.put(handle, value);
  }
  engine_.graph.make_leaf(value);
  return value;
}

void Autograd::set_requires_grad(CallContext& context, int64_t handle, bool wanted) {
  engine_.count(Counter::calls);
  const Value value = engine_.recorder.here(context, handle);
  const Node& node = engine_.graph[value];
  const bool marked_leaf = node.grad != 0 && engine_.graph.is_leaf(value);
  if (marked_leaf) {
    engine_.graph.record_of(value).wanted = wanted;
    return;
  }
  if (!wanted && node.grad == 0) return;
  const std::string text = join("#", handle, " ", to_string(node.dtype, node.shape));
  if (!wanted)
    fail(text,
         " was computed from tensors that require a gradient, and only a leaf can stop requiring "
         "one; use rt_torch_autograd_detach, or compute it after rt_torch_autograd_no_grad_begin");
  if (!is_float(node.dtype))
    fail(text,
         " can have no gradient, only floating point tensors can; convert it with to_float32 or "
         "to_float first");
  make_leaf(context, handle);
}

bool Autograd::requires_grad(CallContext& context, int64_t handle) {
  return engine_.graph.takes_part(engine_.recorder.value_of(context, handle));
}

int64_t Autograd::detach(CallContext& context, int64_t handle) {
  engine_.count(Counter::calls);
  engine_.recorder.check_limits(context);
  const Value value = engine_.recorder.here(context, handle);
  return engine_.recorder.handle_to(engine_.graph[value].grad == 0 ? value
                                                                   : detached(context, value));
}

void Autograd::backward(CallContext& context, int64_t handle) {
  engine_.count(Counter::calls);
  if (handle == 0) context.thread.lost_pass = ++lost_passes_;
  engine_.recorder.batch_boundary(context);
  Value value;
  std::vector<uint32_t> records;
  const auto elsewhere = [&](uint32_t index) {
    const GradRecord& record = engine_.graph.record(index);
    if (engine_.recorder.bring_here(context, record.result) ||
        engine_.recorder.bring_here(context, record.gradient))
      return true;
    return std::ranges::any_of(record.operands, [&](const GradRecord::Operand& operand) {
      return engine_.recorder.bring_here(context, operand.saved);
    });
  };
  do {
    value = engine_.recorder.here(context, handle);
    const Node& node = engine_.graph[value];
    // The result is that of a pass recorded before the batch failed: its gradients fail.
    if (node.state == State::Poisoned) return engine_.graph.spoil(value);
    const std::string text = join("#", handle, " ", to_string(node.dtype, node.shape));
    if (!engine_.graph.takes_part(value))
      fail(text,
           " requires no gradient; call rt_torch_autograd_set_requires_grad on tensors that it is "
           "computed from, and compute it outside of no_grad_begin and no_grad_end");
    if (numel(node.shape) != 1)
      fail(text, " has ", numel(node.shape),
           " elements, but backward needs a tensor of one; take its sum or mean as a tensor first");
    records = engine_.graph.reach(value);
  } while (std::ranges::any_of(records, elsewhere));
  TapeBuilder build(context, false);
  engine_.graph.backward(build, value, records);
  if (engine_.policy == Policy::Eager)
    engine_.scheduler.submit(context, context.thread.tape, Reason::Eager);
}

/// The gradient of a leaf; kNone where it has none. Records zeros where it was zeroed.
Value Autograd::gradient_of(CallContext& context, Value leaf) {
  if (engine_.graph[leaf].grad == 0) return kNone;
  const GradRecord& record = engine_.graph.record_of(leaf);
  if (record.zeros) {
    TapeBuilder build(context, false);
    engine_.graph.renew_gradient(leaf,
                                 build.expr(leaf).filled(0, engine_.graph[leaf].shape).value());
  }
  return record.gradient;
}

int64_t Autograd::gradient(CallContext& context, int64_t handle) {
  engine_.count(Counter::calls);
  Value leaf, gradient;
  do {
    leaf = engine_.recorder.value_of(context, handle);
    gradient = gradient_of(context, leaf);
  } while (engine_.recorder.bring_here(context, gradient));
  if (gradient == kNone) return 0;
  // Row-major, as gradients in PyTorch.
  const Layout layout = engine_.graph.layout(gradient);
  if (!is_contiguous(layout.sizes, layout.strides)) {
    Args args;
    args.op = Op::Contiguous;
    args.operands = {gradient};
    engine_.graph.renew_gradient(leaf, engine_.recorder.append(context, args, false));
    gradient = engine_.graph.record_of(leaf).gradient;
  }
  return engine_.recorder.handle_to(gradient);
}

void Autograd::zero_gradient(CallContext& context, int64_t handle) {
  engine_.count(Counter::calls);
  context.thread.lost_pass = 0;
  clear_gradient(engine_.recorder.value_of(context, handle));
}

void Autograd::clear_gradient(Value leaf) {
  if (engine_.graph[leaf].grad == 0) return;
  GradRecord& record = engine_.graph.record_of(leaf);
  record.spoiled = record.stepped = false;
  if (record.gradient == kNone) return;
  record.zeros = true;
  engine_.graph.release(std::exchange(record.gradient, kNone));
}

}  // namespace rt
