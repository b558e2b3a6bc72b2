// compose.h -- short forms for calls that record several ops.
#pragma once
#include <initializer_list>
#include <span>
#include <utility>
#include <vector>

#include "frontend_abi/boundary.h"
#include "graph/error.h"
#include "graph/ops/formulas.h"
#include "graph/ops/infer.h"

namespace rt::compose {

/// A call of `op` under the name that the client used.
inline Call call_of(CallContext& context, Op op) {
  Call call;
  call.symbol = symbol_text(context.thread.tape.call);
  call.args.op = op;
  return call;
}

inline void check_probability(std::string_view name, double p) {
  if (!(p >= 0 && p <= 1)) fail(name, " is ", to_string(p), "; it must be from 0 to 1");
}

inline Expr optional(Builder& build, Value value) {
  return value == kNone ? Expr() : Expr(build, value);
}
inline std::vector<Expr> optionals(Builder& build, std::span<const Value> values) {
  std::vector<Expr> all;
  for (const Value value : values) all.push_back(optional(build, value));
  return all;
}

inline std::vector<TensorType> types_of(Builder& build, const Args& args) {
  std::vector<TensorType> types;
  for (const Value operand : args.operands) types.push_back(build.type(operand));
  return types;
}

inline Expr linear(Expr input, Expr weight, Expr bias) {
  Builder& build = input.build();
  return {build, build.op(Op::Linear, {input.value(), weight.value(), bias.value()})};
}

/// Looks up the handles that must be tensors, so that 0 is refused among them.
inline void need_tensors(CallContext& context, std::span<const int64_t> handles,
                         std::initializer_list<size_t> required) {
  for (const size_t i : required) context.engine.recorder.value_of(context, handles[i]);
}

/// Records what `body(build, operands)` gives: one Expr.
template <class Body>
int64_t one(CallContext& context, std::span<const int64_t> handles, const Body& body) {
  return context.engine.recorder.compose(context, handles,
                                         [&](Builder& build, std::span<const Value> operands) {
                                           return std::vector<Value>{body(build, operands).value()};
                                         })[0];
}

/// Records what `body(build, operands)` gives, a list of values, and returns their count.
template <class Body>
int64_t list(CallContext& context, std::span<const int64_t> handles, abi::OutputList<int64_t>& out,
             const Body& body) {
  int64_t count = 0;
  const auto counted = [&](Builder& build, std::span<const Value> operands) {
    std::vector<Value> values = body(build, operands);
    count = static_cast<int64_t>(values.size());
    if (out.room() < count) values.resize(static_cast<size_t>(out.room()));
    return values;
  };
  for (const int64_t handle : context.engine.recorder.compose(context, handles, counted))
    out.put(handle);
  return count;
}

/// one() and list() for calls whose handles must all be tensors.
template <class Body>
int64_t of_tensors(CallContext& context, std::span<const int64_t> handles, const Body& body) {
  for (const int64_t handle : handles) context.engine.recorder.value_of(context, handle);
  return one(context, handles, body);
}
template <class Body>
int64_t list_of_tensors(CallContext& context, std::span<const int64_t> handles,
                        abi::OutputList<int64_t>& out, const Body& body) {
  for (const int64_t handle : handles) context.engine.recorder.value_of(context, handle);
  return list(context, handles, out, body);
}

}  // namespace rt::compose
