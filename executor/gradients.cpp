// gradients.cpp -- the calls about gradients: leaves, the backward pass, what has been added up.
#include <algorithm>

#include "executor/tape_builder.h"
#include "graph/error.h"
#include "graph/failure.h"

namespace rt {

/// What a handle stands for, brought here.
Value Engine::here(CallContext& context, int64_t handle) {
  for (;;) {
    const Value value = value_of(context, handle);
    if (!bring_here(context, value)) return value;
  }
}

/// Submits the tape of another thread on which a value is pending, if it is on one, and waits for a
/// value in flight, lest what is recorded depend on how far its batch is. Then other calls may have
/// come in between: what the caller knows has to be looked up again.
bool Engine::bring_here(CallContext& context, Value value) {
  if (value == kNone) return false;
  const Node& node = graph_[value];
  if (node.state == State::InFlight) {
    wait_for(context, value);
    return true;
  }
  if (node.state != State::Pending || node.tape == context.thread.tape.id) return false;
  submit(context, graph_.tape(node.tape), Reason::Read);
  return true;
}

/// The same elements as a value that knows nothing of gradients.
Value Engine::detached(CallContext& context, Value value) {
  Args args;
  args.op = Op::Alias;
  args.operands = {value};
  return append(context, args, false);
}

/// Makes what a handle stands for a leaf, which takes part in gradients. Who else holds the value
/// wants nothing of that.
Value Engine::make_leaf(CallContext& context, int64_t handle) {
  Value value = here(context, handle);
  const Node& node = graph_[value];
  if (node.holders > (node.keeps_itself ? 2u : 1u)) {
    value = detached(context, value);
    put(handle, value);
  }
  graph_.make_leaf(value);
  return value;
}

void Engine::set_requires_grad(CallContext& context, int64_t handle, bool wanted) {
  count(Counter::calls);
  const Value value = here(context, handle);
  const Node& node = graph_[value];
  const bool marked_leaf = node.grad != 0 && graph_.is_leaf(value);
  if (marked_leaf) {
    graph_.record_of(value).wanted = wanted;
    return;
  }
  if (!wanted && node.grad == 0) return;
  const std::string text = join("#", handle, " ", to_string(node.dtype, node.shape));
  if (!wanted)
    fail(text,
         " was computed from tensors that take part in gradients, and only a leaf can stop "
         "to; use rt_torch_autograd_detach, or compute it under no_grad_begin");
  if (!is_float(node.dtype))
    fail(text,
         " has no gradients, only floating point tensors have; convert it with to_float32 "
         "or to_float first");
  make_leaf(context, handle);
}

bool Engine::requires_grad(CallContext& context, int64_t handle) {
  return graph_.takes_part(value_of(context, handle));
}

int64_t Engine::detach(CallContext& context, int64_t handle) {
  count(Counter::calls);
  check_limits(context);
  const Value value = here(context, handle);
  return handle_to(graph_[value].grad == 0 ? value : detached(context, value));
}

void Engine::backward(CallContext& context, int64_t handle) {
  count(Counter::calls);
  if (handle == 0) context.thread.lost_pass = ++lost_passes_;
  batch_boundary(context);
  Value value;
  std::vector<uint32_t> records;
  const auto elsewhere = [&](uint32_t number) {
    const GradRecord& record = graph_.record(number);
    if (bring_here(context, record.result) || bring_here(context, record.gradient)) return true;
    return std::ranges::any_of(record.operands, [&](const GradRecord::Operand& operand) {
      return bring_here(context, operand.saved);
    });
  };
  do {
    value = here(context, handle);
    const Node& node = graph_[value];
    // As if it had been recorded before that was known: its gradients fail, and nothing changes.
    if (node.state == State::Poisoned) return graph_.spoil(value);
    const std::string text = join("#", handle, " ", to_string(node.dtype, node.shape));
    if (!graph_.takes_part(value))
      fail(text,
           " takes no part in gradients; mark what it is computed from with "
           "rt_torch_autograd_set_requires_grad, outside of no_grad_begin and no_grad_end");
    if (numel(node.shape) != 1)
      fail(text, " has ", numel(node.shape),
           " elements and a gradient is of one; take its sum or "
           "mean as a tensor first");
    records = graph_.reach(value);
  } while (std::ranges::any_of(records, elsewhere));
  TapeBuilder build(context, false);
  graph_.backward(build, value, records);
  if (policy_ == Policy::Eager) submit(context, context.thread.tape, Reason::Eager);
}

/// A leaf's gradient as a value, of zeros too; kNone when it has none.
Value Engine::gradient_of(CallContext& context, Value leaf) {
  if (graph_[leaf].grad == 0) return kNone;
  const GradRecord& record = graph_.record_of(leaf);
  if (record.zeros) {
    TapeBuilder build(context, false);
    graph_.renew_gradient(leaf, build.expr(leaf).filled(0, graph_[leaf].shape).value());
  }
  return record.gradient;
}

int64_t Engine::gradient(CallContext& context, int64_t handle) {
  count(Counter::calls);
  Value leaf, gradient;
  do {
    leaf = value_of(context, handle);
    gradient = gradient_of(context, leaf);
  } while (bring_here(context, gradient));
  if (gradient == kNone) return 0;
  // As PyTorch's, which are row-major whatever made them; nobody else sees the difference.
  const Layout layout = graph_.layout(gradient);
  if (!is_contiguous(layout.sizes, layout.strides)) {
    Args args;
    args.op = Op::Contiguous;
    args.operands = {gradient};
    graph_.renew_gradient(leaf, append(context, args, false));
    gradient = graph_.record_of(leaf).gradient;
  }
  return handle_to(gradient);
}

void Engine::zero_gradient(CallContext& context, int64_t handle) {
  count(Counter::calls);
  context.thread.lost_pass = 0;
  clear_gradient(value_of(context, handle));
}

void Engine::clear_gradient(Value leaf) {
  if (graph_[leaf].grad == 0) return;
  GradRecord& record = graph_.record_of(leaf);
  record.spoiled = record.stepped = false;
  if (record.gradient == kNone) return;
  record.zeros = true;
  graph_.release(std::exchange(record.gradient, kNone));
}

}  // namespace rt
