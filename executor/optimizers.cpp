// optimizers.cpp -- optimizers by handles, and their steps over parameters that may share memory.
#include "executor/optimizers.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "executor/engine.h"
#include "executor/in_place.h"
#include "executor/tape_builder.h"
#include "graph/error.h"
#include "graph/failure.h"

namespace rt {
namespace {

/// A step whose results have this many bytes is submitted at once. In one batch with the next pass
/// it would keep old and new parameters until that batch ends, because the batch may fail.
constexpr int64_t kLargeStep = int64_t{4} << 20;

}  // namespace

int64_t Optimizers::add(CallContext& context, OptimizerRule rule, Sizes handles) {
  engine_.count(Counter::calls);
  check_hyperparameters(rule);
  Optimizer optimizer;
  optimizer.groups = {rule};
  add_parameters(context, optimizer, handles);
  engine_.handles.make_room();
  optimizer.lost_pass = context.thread.lost_pass;
  return engine_.handles.add(HandleKind::Optimizer, optimizers_.add(std::move(optimizer)));
}

int64_t Optimizers::add_group(CallContext& context, int64_t handle, Sizes handles) {
  engine_.count(Counter::calls);
  Optimizer& optimizer = at(context, handle);
  optimizer.groups.push_back(optimizer.groups.front());
  try {
    add_parameters(context, optimizer, handles);
    if (optimizer.schedule.changes_rates())
      optimizer.schedule.begin(optimizer.groups.back().learning_rate);
  } catch (...) {
    optimizer.groups.pop_back();
    throw;
  }
  return static_cast<int64_t>(optimizer.groups.size()) - 1;
}

/// Adds parameters to the last group, all or none.
void Optimizers::add_parameters(CallContext& context, Optimizer& optimizer, Sizes handles) {
  if (handles.empty()) fail("parameters is empty; give at least one");
  const size_t before = optimizer.parameters.size();
  const auto group = static_cast<uint32_t>(optimizer.groups.size() - 1);
  std::vector<Optimizer::Parameter> added;
  std::unordered_map<int64_t, size_t> indices;
  for (size_t i = 0; i < before; ++i)
    if (const Value value = engine_.graph.leaf(optimizer.parameters[i].leaf); value != kNone)
      indices.emplace(engine_.graph[value].grad, i);
  for (size_t i = 0; i < handles.size(); ++i) {
    const Value value = engine_.recorder.value_of(context, handles[i]);
    const Node& node = engine_.graph[value];
    const auto text = [&] {
      return join("parameter ", i, ", #", handles[i], " ", to_string(node.dtype, node.shape), ",");
    };
    if (!engine_.graph.is_leaf(value))
      fail(text(),
           " was computed from other tensors and would not be trained; make it a leaf with "
           "rt_torch_autograd_set_requires_grad");
    if (!is_float(node.dtype))
      fail(text(),
           " can have no gradient, only floating point tensors can; convert it with to_float32 or "
           "to_float first");
    // Several handles may name one leaf. Before it is a leaf, each handle is a tensor of its own.
    const int64_t known_by = node.grad != 0 ? int64_t{node.grad} : -handles[i];
    if (const auto [first, fresh] = indices.try_emplace(known_by, i); !fresh)
      fail(text(), " is also parameter ", first->second, "; name it once");
    added.push_back({.leaf = {}, .handle = handles[i], .group = group});
  }
  optimizer.parameters.reserve(before + added.size());
  for (Optimizer::Parameter& parameter : added) {
    // The client may ask for the gradient of a tensor later.
    if (engine_.graph[engine_.recorder.value_of(context, parameter.handle)].grad == 0)
      engine_.graph.record_of(engine_.autograd.make_leaf(context, parameter.handle)).wanted = false;
    parameter.leaf = engine_.graph.leaf_of(engine_.recorder.value_of(context, parameter.handle));
  }
  optimizer.parameters.insert(optimizer.parameters.end(), added.begin(), added.end());
}

Optimizer& Optimizers::at(CallContext&, int64_t handle) {
  return optimizers_[engine_.handles.at(handle, HandleKind::Optimizer).value];
}

void Optimizers::set_learning_rate(CallContext& context, int64_t handle, double rate) {
  engine_.count(Counter::calls);
  Optimizer& optimizer = at(context, handle);
  check_range("learning_rate", rate, rate >= 0, "at least 0");
  for (OptimizerRule& rule : optimizer.groups) rule.learning_rate = rate;
}

OptimizerRule& Optimizers::group_at(CallContext& context, int64_t handle, int64_t group) {
  std::vector<OptimizerRule>& groups = at(context, handle).groups;
  if (group < 0 || group >= std::ssize(groups))
    fail("group is ", group, " and the optimizer has ", groups.size(),
         "; give 0 for the first, or -1 for all where a value is set");
  return groups[static_cast<size_t>(group)];
}

double Optimizers::option(CallContext& context, int64_t handle, int64_t group,
                          std::string_view name) {
  engine_.count(Counter::calls);
  return hyperparameter(group_at(context, handle, group), name);
}

void Optimizers::set_option(CallContext& context, int64_t handle, int64_t group,
                            std::string_view name, double value) {
  engine_.count(Counter::calls);
  const auto changed = [&](OptimizerRule rule) {
    hyperparameter(rule, name) = value;
    check_hyperparameters(rule);
    return rule;
  };
  if (group != -1) {
    OptimizerRule& rule = group_at(context, handle, group);
    rule = changed(rule);
    return;
  }
  std::vector<OptimizerRule> groups = at(context, handle).groups;
  for (OptimizerRule& rule : groups) rule = changed(rule);
  at(context, handle).groups = std::move(groups);
}

void Optimizers::follow(CallContext& context, int64_t handle, const Schedule& schedule) {
  engine_.count(Counter::calls);
  Optimizer& optimizer = at(context, handle);
  schedule.check();
  Schedule following = schedule;
  for (const OptimizerRule& rule : optimizer.groups) following.begin(rule.learning_rate);
  optimizer.schedule = std::move(following);
  for (size_t i = 0; i < optimizer.groups.size(); ++i)
    optimizer.groups[i].learning_rate = optimizer.schedule.rate(i);
}

double Optimizers::advance(CallContext& context, int64_t handle) {
  engine_.count(Counter::calls);
  Optimizer& optimizer = at(context, handle);
  if (!optimizer.schedule.changes_rates()) return optimizer.groups.front().learning_rate;
  optimizer.schedule.advance();
  for (size_t i = 0; i < optimizer.groups.size(); ++i)
    optimizer.groups[i].learning_rate = optimizer.schedule.rate(i);
  return optimizer.groups.front().learning_rate;
}

double Optimizers::learning_rate(CallContext& context, int64_t handle) {
  engine_.count(Counter::calls);
  return at(context, handle).groups.front().learning_rate;
}

void Optimizers::remove(CallContext& context, int64_t handle) {
  engine_.count(Counter::calls);
  for (const Optimizer::Parameter& parameter : at(context, handle).parameters)
    for (const Value state : parameter.state)
      if (state != kNone) engine_.graph.release(state);
  optimizers_.remove(engine_.handles.at(handle, HandleKind::Optimizer).value);
  engine_.handles.remove(handle);
}

/// Gives each parameter whose handle was freed another handle to its value, if there is one. Walks
/// once over the handles of a family, for all parameters in it.
void Optimizers::find_handles(Optimizer& optimizer) {
  struct Stale {
    uint32_t first;  ///< first slot of the family's handles
    uint32_t value;
    Optimizer::Parameter* parameter;
  };
  std::vector<Stale> all;
  for (Optimizer::Parameter& parameter : optimizer.parameters) {
    const Value value = engine_.graph.leaf(parameter.leaf);
    if (value == kNone || current(parameter) != kNone) continue;
    if (const uint32_t first = engine_.graph.first_relative(value); first != 0)
      all.push_back({first, value.id, &parameter});
  }
  std::ranges::sort(all, {}, [](const Stale& one) { return std::pair(one.first, one.value); });
  for (auto begin = all.begin(); begin != all.end();) {
    const auto end = std::ranges::upper_bound(begin, all.end(), begin->first, {}, &Stale::first);
    for (uint32_t slot = begin->first; slot != 0; slot = engine_.handles.entry(slot).next) {
      const Handles::Entry& entry = engine_.handles.entry(slot);
      const auto found = std::ranges::lower_bound(begin, end, entry.value.id, {}, &Stale::value);
      if (found != end && found->value == entry.value.id) found->parameter->handle = entry.handle;
    }
    begin = end;
  }
}

/// The value of a parameter; kNone where its handle has another value. After find_handles() kNone
/// means that the parameter has no handle, so that no client can see it.
Value Optimizers::current(const Optimizer::Parameter& parameter) {
  const Value value = engine_.graph.leaf(parameter.leaf);
  const Handles::Entry* const entry = engine_.handles.find(parameter.handle, HandleKind::Tensor);
  return entry && entry->value == value ? value : kNone;
}

/// Calls `visit(parameter, value)` for all parameters that still have a handle.
template <class Visit>
void Optimizers::for_each_parameter(CallContext& context, int64_t handle, const Visit& visit) {
  for (Optimizer::Parameter& parameter : at(context, handle).parameters)
    if (const Value value = current(parameter); value != kNone) visit(parameter, value);
}

void Optimizers::zero_gradients(CallContext& context, int64_t handle) {
  engine_.count(Counter::calls);
  Optimizer& of = at(context, handle);
  find_handles(of);
  of.lost_pass = context.thread.lost_pass;
  for_each_parameter(context, handle,
                     [&](auto&, Value value) { engine_.autograd.clear_gradient(value); });
}

void Optimizers::step(CallContext& context, int64_t handle) {
  engine_.count(Counter::calls);
  engine_.recorder.batch_boundary(context);
  engine_.scheduler.begin_round();
  if (at(context, handle).lost_pass < context.thread.lost_pass) {
    at(context, handle).lost_pass = context.thread.lost_pass;
    fail(
        "the backward pass before this step got handle 0, so that the gradients are unknown and no "
        "parameter was changed; check the call that returned the 0, which has failed");
  }
  struct Due {
    Optimizer::Parameter* parameter;
    Value value, gradient;
    OptimizerRule::Update update{};
  };
  std::vector<Due> due;
  due.reserve(at(context, handle).parameters.size());
  const auto elsewhere = [&](const Due& one) {
    const auto brought = [&](Value value) { return engine_.recorder.bring_here(context, value); };
    return brought(one.value) || brought(one.gradient) ||
           std::ranges::any_of(one.parameter->state, brought);
  };
  do {
    due.clear();
    find_handles(at(context, handle));
    for_each_parameter(context, handle, [&](Optimizer::Parameter& parameter, Value value) {
      if (engine_.graph[value].grad != 0 && engine_.graph.record_of(value).spoiled) return;
      const Value gradient = engine_.autograd.gradient_of(context, value);
      if (gradient != kNone) due.push_back({&parameter, value, gradient});
    });
  } while (std::ranges::any_of(due, elsewhere));
  const auto need_sound = [&](Value value) {
    if (value != kNone && engine_.graph[value].state == State::Poisoned)
      throw LaterError(*engine_.graph.poison_of(value), true, Failure::FailedValue);
  };
  for (const Due& one : due) {
    need_sound(one.value);
    need_sound(one.gradient);
    std::ranges::for_each(one.parameter->state, need_sound);
  }

  // In order, because parameters may share memory. Nothing changes unless all can be recorded.
  TapeBuilder build(context, false);
  const int64_t bytes = context.thread.tape.bytes;
  Held held(engine_.graph);
  held.reserve((1 + OptimizerRule::kStates) * due.size());
  std::vector<int64_t> handles;
  handles.reserve(due.size());
  for (const Due& one : due) handles.push_back(one.parameter->handle);
  Rewriting rewriting(context, handles);
  const std::vector<OptimizerRule>& groups = at(context, handle).groups;
  for (size_t i = 0; i < due.size(); ++i) {
    Due& one = due[i];
    const OptimizerRule& rule = groups[one.parameter->group];
    one.update = rule.update(build.expr(rewriting.read(i)), build.expr(one.gradient),
                             one.parameter->state, one.parameter->steps);
    held.add(one.update.value.value());
    for (const Expr& made : one.update.state)
      if (made) held.add(made.value());
    rewriting.write(i, one.update.value.value());
  }
  rewriting.prepare();
  for (size_t i = 0; i < due.size(); ++i)
    for (uint32_t k = 0; k < OptimizerRule::kStates; ++k)
      if (const Value now = due[i].update.state[k].value(); now != kNone)
        engine_.graph.note_undo(now, {.before = due[i].parameter->state[k],
                                      .unit = rewriting.unit(i),
                                      .steps = due[i].parameter->steps});
  for (Due& one : due) {
    ++one.parameter->steps;
    for (uint32_t i = 0; i < OptimizerRule::kStates; ++i)
      renew(one.parameter->state[i], one.update.state[i].value());
  }
  rewriting.finish();
  for_each_parameter(context, handle, [&](auto&, Value value) {
    if (engine_.graph[value].grad == 0) return;
    GradRecord& record = engine_.graph.record_of(value);
    record.stepped = !std::exchange(record.spoiled, false);
  });
  const bool is_large = context.thread.tape.bytes - bytes >= kLargeStep;
  try {
    if (engine_.policy == Policy::Eager)
      engine_.scheduler.submit(context, context.thread.tape, Reason::Eager);
    else if (is_large) engine_.scheduler.submit(context, context.thread.tape, Reason::Flush);
  } catch (const std::bad_alloc&) {  // the step is recorded, and a later call submits it
  }
}

/// Replaces the value of a slot that holds it, or kNone.
void Optimizers::renew(Value& slot, Value now) {
  if (now != kNone) engine_.graph.hold(now);
  if (slot != kNone) engine_.graph.release(slot);
  slot = now;
}

}  // namespace rt
