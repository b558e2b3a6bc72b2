// compositions.cpp -- calls that record several ops.
#include <algorithm>

#include "executor/engine.h"
#include "executor/in_place.h"
#include "executor/tape_builder.h"
#include "graph/error.h"
#include "graph/failure.h"

namespace rt {
namespace {

/// Holds all that it appends, so that nothing is left of a composition that fails halfway.
class HoldingBuilder final : public Builder {
 public:
  HoldingBuilder(CallContext& context, bool graded)
      : build_(context, graded), held_(context.engine.graph) {}
  Value append(Args& args) override { return held_.add(build_.append(args)); }
  TensorType type(Value value) const override { return build_.type(value); }
  int64_t constant(double value) override { return build_.constant(value); }
  int64_t constant_index(int64_t value) override { return build_.constant_index(value); }

 private:
  TapeBuilder build_;
  Held held_;
};

}  // namespace

std::vector<int64_t> Recorder::compose(CallContext& context, std::span<const int64_t> handles,
                                       const Composition& composition) {
  engine_.count(Counter::calls);
  check_limits(context);
  std::vector<Value> operands;
  const auto look_up = [&] {
    operands.clear();
    for (const int64_t handle : handles)
      operands.push_back(handle == 0 ? kNone : value_of(context, handle));
  };
  do look_up();
  while (std::ranges::any_of(operands, [&](Value value) { return bring_here(context, value); }));
  for (const Value value : operands)
    if (value != kNone && engine_.graph[value].state == State::Poisoned)
      throw LaterError(*engine_.graph.poison_of(value), true, Failure::FailedValue);
  HoldingBuilder build(context, context.thread.no_grad == 0);
  std::vector<int64_t> results;
  try {
    for (const Value value : composition(build, operands)) results.push_back(handle_to(value));
    if (engine_.policy == Policy::Eager)
      engine_.scheduler.submit(context, context.thread.tape, Reason::Eager);
  } catch (...) {
    for (const int64_t handle : results) {
      engine_.graph.remove_handle(value_of(context, handle), engine_.handles,
                                  Handles::slot_of(handle));
      engine_.handles.remove(handle);
    }
    throw;
  }
  return results;
}

}  // namespace rt
