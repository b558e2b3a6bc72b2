// compositions.cpp -- calls that record several ops.
#include <algorithm>

#include "executor/engine.h"
#include "executor/holding_builder.h"
#include "graph/error.h"
#include "graph/failure.h"

namespace rt {

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
  std::vector<int64_t> results;
  try {
    {
      HoldingBuilder build(context, context.thread.no_grad == 0);
      for (const Value value : composition(build, operands)) results.push_back(handle_to(value));
    }
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
