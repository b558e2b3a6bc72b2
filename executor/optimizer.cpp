// optimizer.cpp -- the steps of optimizers, and the calls about them.
#include "executor/optimizer.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>
#include <utility>

#include "executor/rewriting.h"
#include "executor/tape_builder.h"
#include "graph/error.h"
#include "graph/failure.h"

namespace rt {
namespace {

/// Bytes of a step's results from which on it is submitted at once. Were it in one batch with the
/// pass that follows, old and new parameters would be held until that is through, for it may fail.
constexpr int64_t kLargeStep = int64_t{4} << 20;

/// a + alpha * b
Expr add_scaled(Expr a, Expr b, double alpha) {
  return a.apply(Op::AddScaled, b, {a.build().constant(alpha)});
}

Optimizer::Update sgd(const Optimizer& of, Expr state, Expr value, Expr gradient) {
  if (of.weight_decay != 0) gradient = add_scaled(gradient, value, of.weight_decay);
  if (of.momentum != 0 && state) gradient = add_scaled(gradient, state, of.momentum);
  return {add_scaled(value, gradient, -of.learning_rate),
          {of.momentum != 0 ? gradient : Expr(), {}}};
}

Optimizer::Update adam(const Optimizer& of, const Optimizer::Parameter& parameter, Expr value,
                       Expr gradient) {
  Builder& build = value.build();
  const auto state = [&](int i) {
    return parameter.state[i] == kNone ? value.filled(0, value.type().sizes)
                                       : Expr(build, parameter.state[i]);
  };
  if (of.weight_decay != 0) {
    if (of.rule == Optimizer::Rule::AdamW) value = value * (1 - of.learning_rate * of.weight_decay);
    else gradient = add_scaled(gradient, value, of.weight_decay);
  }
  const auto step = static_cast<double>(parameter.steps + 1);
  const double correction1 = 1 - std::pow(of.beta1, step),
               correction2 = 1 - std::pow(of.beta2, step);
  const Expr mean = state(0).apply(Op::Lerp, gradient, {build.constant(1 - of.beta1)});
  const Expr square =
      (state(1) * of.beta2).apply(Op::Addcmul, gradient, gradient, {build.constant(1 - of.beta2)});
  const Expr root = square.apply(Op::Sqrt) / std::sqrt(correction2) + of.eps;
  const double rate = -of.learning_rate / correction1;
  return {value.apply(Op::Addcdiv, mean, root, {build.constant(rate)}), {mean, square}};
}

void check_range(std::string_view name, double value, bool ok, std::string_view range) {
  if (!ok) fail(name, " is ", to_string(value), "; it must be ", range);
}

/// As torch.optim checks them.
void check_numbers(const Optimizer& of) {
  const auto not_negative = [](std::string_view name, double value) {
    check_range(name, value, value >= 0, "at least 0");
  };
  const auto fraction = [](std::string_view name, double value) {
    check_range(name, value, value >= 0 && value < 1, "at least 0 and below 1");
  };
  not_negative("learning_rate", of.learning_rate);
  not_negative("momentum", of.momentum);
  fraction("beta1", of.beta1);
  fraction("beta2", of.beta2);
  not_negative("eps", of.eps);
  not_negative("weight_decay", of.weight_decay);
}

}  // namespace

Optimizer::Update Optimizer::step(const Parameter& parameter, Expr value, Expr gradient) const {
  if (rule != Rule::Sgd) return adam(*this, parameter, value, gradient);
  return sgd(*this, {value.build(), parameter.state[0]}, value, gradient);
}

int64_t Engine::add_optimizer(CallContext& context, Optimizer optimizer, Sizes handles) {
  count(Counter::calls);
  check_numbers(optimizer);
  if (handles.empty()) fail("parameters is empty; give at least one");
  std::unordered_map<int64_t, size_t> numbers;
  for (size_t i = 0; i < handles.size(); ++i) {
    const Value value = value_of(context, handles[i]);
    const Node& node = graph_[value];
    const auto text = [&] {
      return join("parameter ", i, ", #", handles[i], " ", to_string(node.dtype, node.shape), ",");
    };
    if (!graph_.is_leaf(value))
      fail(text(),
           " was computed from other tensors and would not be trained; make it a leaf with "
           "rt_torch_autograd_set_requires_grad");
    if (!is_float(node.dtype)) fail(text(), " has no gradients, only floating point tensors have");
    // A leaf may have several handles. What takes part in nothing yet is another tensor by each.
    const int64_t known_by = node.grad != 0 ? int64_t{node.grad} : -handles[i];
    if (const auto [first, fresh] = numbers.try_emplace(known_by, i); !fresh)
      fail(text(), " is also parameter ", first->second, "; name it once");
    optimizer.parameters.push_back({.leaf = {}, .handle = handles[i]});
  }
  for (Optimizer::Parameter& parameter : optimizer.parameters) {
    // One that takes no part yet may be told to later.
    if (graph_[value_of(context, parameter.handle)].grad == 0)
      graph_.record_of(make_leaf(context, parameter.handle)).wanted = false;
    parameter.leaf = graph_.leaf_of(value_of(context, parameter.handle));
  }
  handles_.make_room();
  optimizer.lost_pass = context.thread.lost_pass;
  return handles_.add(HandleKind::Optimizer, optimizers_.add(std::move(optimizer)));
}

Optimizer& Engine::optimizer(CallContext&, int64_t handle) {
  return optimizers_[handles_.at(handle, HandleKind::Optimizer).value];
}

void Engine::set_learning_rate(CallContext& context, int64_t handle, double rate) {
  count(Counter::calls);
  Optimizer& of = optimizer(context, handle);
  check_range("learning_rate", rate, rate >= 0, "at least 0");
  of.learning_rate = rate;
}

double Engine::learning_rate(CallContext& context, int64_t handle) {
  count(Counter::calls);
  return optimizer(context, handle).learning_rate;
}

void Engine::free_optimizer(CallContext& context, int64_t handle) {
  count(Counter::calls);
  for (const Optimizer::Parameter& parameter : optimizer(context, handle).parameters)
    for (const Value state : parameter.state)
      if (state != kNone) graph_.release(state);
  optimizers_.remove(handles_.at(handle, HandleKind::Optimizer).value);
  handles_.remove(handle);
}

/// Lets each parameter name a handle that is there, where its own was freed and its value has
/// others. Relatives' handles are gone through once for all parameters among them.
void Engine::find_handles(Optimizer& optimizer) {
  struct Stale {
    uint32_t first;  ///< slot of the handles among which one may be
    uint32_t value;
    Optimizer::Parameter* parameter;
  };
  std::vector<Stale> all;
  for (Optimizer::Parameter& parameter : optimizer.parameters) {
    const Value value = graph_.leaf(parameter.leaf);
    if (value == kNone || value_of(parameter) != kNone) continue;
    if (const uint32_t first = graph_.first_relative(value); first != 0)
      all.push_back({first, value.id, &parameter});
  }
  std::ranges::sort(all, {}, [](const Stale& one) { return std::pair(one.first, one.value); });
  for (auto begin = all.begin(); begin != all.end();) {
    const auto end = std::ranges::upper_bound(begin, all.end(), begin->first, {}, &Stale::first);
    for (uint32_t slot = begin->first; slot != 0; slot = handles_.entry(slot).next) {
      const Handles::Entry& entry = handles_.entry(slot);
      const auto found = std::ranges::lower_bound(begin, end, entry.value.id, {}, &Stale::value);
      if (found != end && found->value == entry.value.id) found->parameter->handle = entry.handle;
    }
    begin = end;
  }
}

/// The value of a parameter; kNone where its handle does not stand for it. After find_handles() no
/// handle does then, so that nobody could look at it.
Value Engine::value_of(const Optimizer::Parameter& parameter) {
  const Value value = graph_.leaf(parameter.leaf);
  const Handles::Entry* const entry = handles_.find(parameter.handle, HandleKind::Tensor);
  return entry && entry->value == value ? value : kNone;
}

/// Calls `visit(parameter, value)` for those that are still there.
template <class Visit>
void Engine::for_each_parameter(CallContext& context, int64_t handle, const Visit& visit) {
  for (Optimizer::Parameter& parameter : optimizer(context, handle).parameters)
    if (const Value value = value_of(parameter); value != kNone) visit(parameter, value);
}

void Engine::zero_gradients(CallContext& context, int64_t handle) {
  count(Counter::calls);
  Optimizer& of = optimizer(context, handle);
  find_handles(of);
  of.lost_pass = context.thread.lost_pass;
  for_each_parameter(context, handle, [&](auto&, Value value) { clear_gradient(value); });
}

void Engine::step(CallContext& context, int64_t handle) {
  count(Counter::calls);
  batch_boundary(context);
  batches_since_flush_ = 0;
  if (optimizer(context, handle).lost_pass < context.thread.lost_pass) {
    optimizer(context, handle).lost_pass = context.thread.lost_pass;
    fail(
        "the backward pass before it was given handle 0, so that its gradients are not known; the "
        "parameters stay as they are, and the call that gave the 0 has failed");
  }
  struct Due {
    Optimizer::Parameter* parameter;
    Value value, gradient;
    Optimizer::Update update{};
  };
  std::vector<Due> due;
  due.reserve(optimizer(context, handle).parameters.size());
  const auto elsewhere = [&](const Due& one) {
    const auto& state = one.parameter->state;
    return bring_here(context, one.value) || bring_here(context, one.gradient) ||
           bring_here(context, state[0]) || bring_here(context, state[1]);
  };
  do {
    due.clear();
    find_handles(optimizer(context, handle));
    for_each_parameter(context, handle, [&](Optimizer::Parameter& parameter, Value value) {
      if (graph_[value].grad != 0 && graph_.record_of(value).spoiled) return;
      const Value gradient = gradient_of(context, value);
      if (gradient != kNone) due.push_back({&parameter, value, gradient});
    });
  } while (std::ranges::any_of(due, elsewhere));
  for (const Due& one : due)
    for (const Value value :
         {one.value, one.gradient, one.parameter->state[0], one.parameter->state[1]})
      if (value != kNone && graph_[value].state == State::Poisoned)
        throw LaterError(*graph_.poison_of(value), true, Failure::FailedValue);

  // One after the other, since they may share memory. Nothing changes unless all could be recorded.
  TapeBuilder build(context, false);
  const int64_t bytes = context.thread.tape.bytes;
  Held held(graph_);
  held.reserve(3 * due.size());
  std::vector<int64_t> handles;
  handles.reserve(due.size());
  for (const Due& one : due) handles.push_back(one.parameter->handle);
  Rewriting rewriting(context, handles);
  const Optimizer& of = optimizer(context, handle);
  for (size_t i = 0; i < due.size(); ++i) {
    Due& one = due[i];
    one.update = of.step(*one.parameter, build.expr(rewriting.read(i)), build.expr(one.gradient));
    for (const Expr& made : {one.update.value, one.update.state[0], one.update.state[1]})
      if (made) held.add(made.value());
    rewriting.write(i, one.update.value.value());
  }
  rewriting.prepare();
  for (size_t i = 0; i < due.size(); ++i)
    for (int k = 0; k < 2; ++k)
      if (const Value now = due[i].update.state[k].value(); now != kNone)
        graph_.note_undo(now, {.before = due[i].parameter->state[k],
                               .unit = rewriting.unit(i),
                               .steps = due[i].parameter->steps});
  for (Due& one : due) {
    ++one.parameter->steps;
    for (int i = 0; i < 2; ++i) renew(one.parameter->state[i], one.update.state[i].value());
  }
  rewriting.finish();
  for_each_parameter(context, handle, [&](auto&, Value value) {
    if (graph_[value].grad == 0) return;
    GradRecord& record = graph_.record_of(value);
    record.stepped = !std::exchange(record.spoiled, false);
  });
  const bool is_large = context.thread.tape.bytes - bytes >= kLargeStep;
  try {
    if (policy_ == Policy::Eager) submit(context, context.thread.tape, Reason::Eager);
    else if (is_large) submit(context, context.thread.tape, Reason::Flush);
  } catch (const std::bad_alloc&) {  // all is recorded, and the next call submits it
  }
}

/// Puts a held value, or kNone, in the place of another.
void Engine::renew(Value& slot, Value now) {
  if (now != kNone) graph_.hold(now);
  if (slot != kNone) graph_.release(slot);
  slot = now;
}

}  // namespace rt
