// recorder.cpp -- records calls: looks handles up, infers the result, appends a node.
#include "executor/recorder.h"

#include <bit>

#include "executor/holding_builder.h"
#include "executor/tape_builder.h"
#include "graph/error.h"
#include "graph/failure.h"
#include "graph/ops/attributes.h"

namespace rt {
namespace {

/// Multiples of the soft limits of pending work. Up to kPatience a tape waits for the position in
/// the loop at which it began; from kCertainty on a detected round of the loop is trusted.
constexpr double kPatience = 1.25, kCertainty = 1.5;

/// The call with its handles, for the error of one that could not be recorded.
std::string describe(const Call& call, std::span<const TensorType> types) {
  const OpInfo& row = info(call.args.op);
  const TensorType result{call.args.dtype, call.args.device, false, call.args.shape};
  return call_text(call.symbol, row, {row, call.args.attributes}, result,
                   static_cast<uint32_t>(call.handles.size()), [&](uint32_t i) {
                     std::string text = "#" + std::to_string(call.handles[i]);
                     if (i < types.size() && !types[i].none)
                       text += " " + to_string(types[i].dtype, types[i].sizes);
                     return text;
                   });
}

/// True where an inferred call returns its first operand itself. As in PyTorch, the result of such
/// a call on a leaf is that leaf.
[[gnu::cold]] bool is_identity(const Args& args, Graph& graph) {
  const OpInfo& row = info(args.op);
  const Value self = args.operands[0];
  const Node& node = graph[self];
  switch (row.rules.identity) {
    case Identity::Never: break;
    case Identity::EqualDType: return args.dtype == node.dtype;
    case Identity::EqualDevice: return args.device == node.device;
    case Identity::OneDimension: return node.shape.size() == 1;
    case Identity::RowMajor: {
      const Layout layout = graph.layout(self);
      return is_contiguous(layout.sizes, layout.strides);
    }
    case Identity::DropsNothing: {
      const AttributesView attributes{row, args.attributes};
      return attributes.integer(0) == 0 || std::bit_cast<double>(attributes.scalar(0)) == 0 ||
             numel(node.shape) == 0;
    }
  }
  return false;
}

}  // namespace

Value Recorder::value_of(CallContext&, int64_t handle) {
  return engine_.handles.at(handle, HandleKind::Tensor).value;
}

/// The kind of the row's tensor parameter with the index `at` among these.
static Kind kind_of_tensor(const OpInfo& row, uint32_t at) {
  for (const Param& param : row.params) {
    const bool tensor = param.kind == Kind::Tensor || param.kind == Kind::OptTensor;
    if (tensor && at-- == 0) return param.kind;
  }
  return Kind::TensorList;
}

/// Looks the handles up. Submits the tape of another thread on which an operand is pending, and
/// then begins anew, because other threads may have freed handles while it ran.
void Recorder::resolve(CallContext& context, Call& call) {
  const OpInfo& row = info(call.args.op);
  const uint32_t mine = context.thread.tape.id;
  for (uint32_t at = 0; at < call.handles.size();) {
    const int64_t handle = call.handles[at];
    Value value = kNone;
    if (handle != 0 || kind_of_tensor(row, at) != Kind::OptTensor) {
      value = value_of(context, handle);
      const Node& node = engine_.graph[value];
      if (node.state == State::Pending && node.tape != mine) [[unlikely]] {
        engine_.scheduler.submit(context, engine_.graph.tape(node.tape), Reason::Read);
        call.args.operands.clear();
        at = 0;
        continue;
      }
      // Views and calls without a vjp are recorded in another way for concrete operands. They wait,
      // so that the recording does not depend on the time at which a batch completes.
      if (node.state == State::InFlight && (row.rules.view || !row.rules.vjp)) [[unlikely]] {
        engine_.scheduler.wait_for(context, value);
        call.args.operands.clear();
        at = 0;
        continue;
      }
      if (node.state == State::Poisoned) [[unlikely]]
        throw LaterError(*engine_.graph.poison_of(value), true, Failure::FailedValue);
    }
    call.args.operands.push_back(value);
    ++at;
  }
}

/// The value of a handle, brought here. Releases the lock to wait.
Value Recorder::here(CallContext& context, int64_t handle) {
  for (;;) {
    const Value value = value_of(context, handle);
    if (!bring_here(context, value)) return value;
  }
}

/// Submits the tape of another thread on which a value is pending. Waits for a value in flight, so
/// that the recording does not depend on the time at which its batch completes. Returns true where
/// the lock was released, so that the caller must look everything up again.
bool Recorder::bring_here(CallContext& context, Value value) {
  if (value == kNone) return false;
  const Node& node = engine_.graph[value];
  if (node.state == State::InFlight) {
    engine_.scheduler.wait_for(context, value);
    return true;
  }
  if (node.state != State::Pending || node.tape == context.thread.tape.id) return false;
  engine_.scheduler.submit(context, engine_.graph.tape(node.tape), Reason::Read);
  return true;
}

/// The result of a view of a concrete value, which is another layout over its memory. kNone where a
/// node has to be recorded.
Value Recorder::at_once(CallContext& context, const Args& args) {
  const OpInfo& row = info(args.op);
  const Node& source = engine_.graph[args.operands[0]];
  if (source.state != State::Concrete) return kNone;
  Layout layout;
  if (!row.rules.view({row, args.attributes}, args.shape, source.buffer->layout(), layout))
    return kNone;
  BufferRef view(new Buffer(source.buffer->storage(), source.dtype, std::move(layout)));
  return engine_.graph.concrete_view(std::move(view), args.operands[0], context.thread.location);
}

Small<TensorType, 6> Recorder::types(const Args& args) const {
  Small<TensorType, 6> types;
  for (const Value operand : args.operands) types.push_back(engine_.graph.type(operand));
  return types;
}

/// Fills in the operands and the inferred type. Throws Error for a wrong call, with its arguments.
void Recorder::complete(CallContext& context, Call& call) {
  try {
    resolve(context, call);
    if (engine_.graph.infer_alike(call.args)) [[likely]]
      return;
    infer(call.args, types(call.args));
  } catch (const Error& error) {
    if (error.complete()) throw;
    throw LaterError(describe(call, types(call.args)) + ": " + error.text(), true,
                     failure_of(error));
  }
}

Value Recorder::append(CallContext& context, Call& call, bool graded) {
  complete(context, call);
  if (info(call.args.op).rules.identity != Identity::Never) [[unlikely]]
    if (is_identity(call.args, engine_.graph)) return call.args.operands[0];
  return append_inferred(context, call.args, graded && context.thread.no_grad == 0);
}

Value Recorder::append(CallContext& context, Args& args, bool graded) {
  if (!engine_.graph.infer_alike(args)) infer(args, types(args));
  return append_inferred(context, args, graded);
}

/// With `graded` a backward pass can go through the result where an operand wants a gradient. Rows
/// without a vjp are then recorded as the ops that they consist of.
Value Recorder::append_inferred(CallContext& context, const Args& args, bool graded) {
  const Rules& rules = info(args.op).rules;
  graded = graded && engine_.graph.wants_gradient(args);
  if (graded && !rules.vjp) {
    HoldingBuilder build(context, true);
    const Value result = (rules.graded ? rules.graded : rules.decompose)(build, args);
    build.release_but(result);
    return result;
  }
  Value value = rules.view ? at_once(context, args) : kNone;
  if (value == kNone)
    value = engine_.graph.append(context.thread.tape, args, context.thread.location);
  if (graded) engine_.graph.track(value, args);
  return value;
}

/// The result of a plain call, see Graph::append_plain(); kNone for others and for wrong ones.
inline Value Recorder::append_plain(CallContext& context, const Call& call) {
  const size_t count = call.handles.size();
  if (!info(call.args.op).plain || count > Graph::kMostPlain) return kNone;
  Value operands[Graph::kMostPlain];
  for (uint32_t i = 0; i < count; ++i) {
    const Handles::Entry* const entry = engine_.handles.find(call.handles[i], HandleKind::Tensor);
    if (!entry) [[unlikely]]
      return kNone;
    operands[i] = entry->value;
  }
  return engine_.graph.append_plain(context.thread.tape, call.args.op, {operands, count},
                                    call.args.attributes, context.thread.location);
}

int64_t Recorder::record(CallContext& context, Call& call) {
  engine_.count(Counter::calls);
  check_limits(context);
  engine_.handles.make_room();
  Value value = append_plain(context, call);
  if (value == kNone) value = append(context, call, true);
  const int64_t handle = handle_to(value);
  if (engine_.policy != Policy::Eager) [[likely]]
    return handle;
  try {
    engine_.scheduler.submit(context, context.thread.tape, Reason::Eager);
  } catch (...) {
    engine_.graph.remove_handle(value, engine_.handles, Handles::slot_of(handle));
    engine_.handles.remove(handle);
    throw;
  }
  return handle;
}

double Recorder::record_and_read(CallContext& context, Call& call) {
  engine_.count(Counter::calls);
  const Value value = append(context, call, false);
  BufferRef settled = engine_.scheduler.settle(context, value);
  double result = 0;
  Backend& reading = engine_.backends.get();
  const Unlocked unlocked(engine_);
  const BufferRef buffer = std::move(settled);
  reading.to_host(*buffer, DType::F64, &result);
  return result;
}

int64_t Recorder::add_tensor(CallContext& context, BufferRef buffer) {
  engine_.count(Counter::calls);
  engine_.handles.make_room();
  return handle_to(engine_.graph.concrete(std::move(buffer), context.thread.location));
}

int64_t Recorder::alias(CallContext& context, int64_t handle) {
  engine_.count(Counter::calls);
  return handle_to(value_of(context, handle));
}

void Recorder::free(CallContext& context, int64_t handle) {
  engine_.count(Counter::calls);
  const Value value = engine_.handles.at(handle, HandleKind::Tensor).value;
  const Node& node = engine_.graph[value];
  Tape* const forced = engine_.policy == Policy::Observe && node.state == State::Pending &&
                               node.holders == 1 && node.consumers == 0
                           ? &engine_.graph.tape(node.tape)
                           : nullptr;
  engine_.graph.remove_handle(value, engine_.handles, Handles::slot_of(handle));
  engine_.handles.remove(handle);
  if (!forced) return;
  try {
    engine_.scheduler.submit(context, *forced, Reason::Free);
  } catch (const std::bad_alloc&) {  // the handle is freed, and the nodes stay pending
  }
}

TensorType Recorder::type(CallContext& context, int64_t handle) {
  return engine_.graph.type(value_of(context, handle));
}

void Recorder::observe_shape(CallContext& context, int64_t handle) {
  engine_.count(Counter::calls);
  const Node& node = engine_.graph[value_of(context, handle)];
  if (node.state == State::Pending && engine_.policy == Policy::Observe)
    engine_.scheduler.submit(context, engine_.graph.tape(node.tape), Reason::Shape);
}

BufferRef Recorder::read(CallContext& context, int64_t handle) {
  engine_.count(Counter::calls);
  return engine_.scheduler.settle(context, value_of(context, handle));
}

void Recorder::set_label(CallContext& context, int64_t handle, std::string label) {
  engine_.graph.set_label(value_of(context, handle), std::move(label));
}

void Recorder::set_location(CallContext& context, std::string_view file, int64_t line) {
  if (engine_.locations.is_crowded()) [[unlikely]]
    drop_locations();
  context.thread.location = engine_.locations.exchange(file, line, context.thread.location);
}

/// Drops the source locations that nothing refers to.
void Recorder::drop_locations() {
  std::vector<bool> used(engine_.locations.end());
  engine_.graph.mark_locations(used);
  engine_.scheduler.mark_locations(used);
  engine_.locations.keep(used);
}

/// Submits a tape over its soft limit when the loop that records it is back at the position where
/// the tape began, so that all batches of the loop are equal. A tape that does not come back is cut
/// where a round of the loop is detected, and at the hard limit in any case.
void Recorder::cut_where_it_repeats(CallContext& context) {
  constexpr int64_t kHardNodes = 2'000'000, kHardBytes = int64_t{4} << 30;
  Tape& tape = context.thread.tape;
  if (tape.is_round()) {
    engine_.scheduler.submit(context, tape, Reason::Limit);
  } else if (tape.nodes >= kHardNodes || tape.bytes >= kHardBytes) {
    tape.round = 0;
    engine_.scheduler.submit(context, tape, Reason::Limit);
  } else if (over_soft_limit(tape, kPatience)) {
    // Equal layers look like short rounds, and more nodes are needed to tell these from the loop's.
    const uint64_t round = tape.rhythm.add(tape.trail, tape.recorded);
    if (round == 0 || !over_soft_limit(tape, kCertainty)) return;
    tape.round = round;
    engine_.scheduler.submit(context, tape, Reason::Limit);
  }
}

void Recorder::batch_boundary(CallContext& context) {
  // A loop has several batch boundaries. A tape that began at a position of the loop waits for that
  // one, but only up to kPatience, because the loop may not come back there.
  Tape& tape = context.thread.tape;
  check_limits(context);
  if (!over_soft_limit(tape, tape.began == 0 ? 1 : kPatience)) return;
  tape.round = 0;
  engine_.scheduler.submit(context, tape, Reason::Limit);
}

bool Recorder::over_soft_limit(const Tape& tape, double factor) const {
  return static_cast<double>(tape.nodes) >= factor * engine_.config.max_pending_nodes ||
         static_cast<double>(tape.bytes) >= factor * engine_.config.max_pending_bytes;
}

int64_t Recorder::pending(CallContext& context) const { return context.thread.tape.nodes; }

}  // namespace rt
