// record.cpp -- the way of one recorded call: handles to values, inference, a node, a handle.
#include <bit>

#include "executor/tape_builder.h"
#include "graph/error.h"
#include "graph/failure.h"

namespace rt {
namespace {

/// In soft limits of pending work: how far to wait for the place where a tape began, and from where
/// on to trust in a loop that has gone round.
constexpr double kPatience = 1.25, kCertainty = 1.5;

/// "symbol(self=#12 f32[2,3], dim=1)", for the error of a call that was not recorded.
std::string describe(const Call& call, std::span<const TensorType> types) {
  const OpInfo& row = info(call.args.op);
  const AttributesView attributes{row, call.args.attributes};
  std::string text = std::string(call.symbol) + "(";
  uint32_t tensor = 0, scalar = 0, integer = 0, list = 0;
  const auto put_tensor = [&] {
    text += "#" + std::to_string(call.handles[tensor]);
    if (tensor < types.size() && !types[tensor].none)
      text += " " + to_string(types[tensor].dtype, types[tensor].sizes);
    ++tensor;
  };
  for (const Param& param : row.params) {
    if (text.back() != '(') text += ", ";
    text += std::string(param.name) + "=";
    switch (param.kind) {
      case Kind::Tensor:
      case Kind::OptTensor: put_tensor(); break;
      case Kind::TensorList:
        text += "[";
        while (tensor < call.handles.size()) {
          if (tensor > 0) text += ", ";
          put_tensor();
        }
        text += "]";
        break;
      case Kind::Float:
        text += to_string(std::bit_cast<double>(attributes.scalar(scalar++)));
        break;
      case Kind::Index: text += std::to_string(attributes.scalar(scalar++)); break;
      case Kind::Int:
      case Kind::Flag: text += std::to_string(attributes.integer(integer++)); break;
      case Kind::IntList: text += to_string(attributes.list(list++)); break;
      case Kind::Sizes: text += to_string(call.args.shape); break;
      case Kind::DType: text += name(call.args.dtype); break;
      default: text += name(call.args.device); break;
    }
  }
  return text + ")";
}

/// A call, inferred, whose result is its first operand's very value, where PyTorch gives the tensor
/// itself: a leaf that goes through such a call is the same leaf.
bool is_identity(const Args& args, Graph& graph) {
  switch (args.op) {
    case Op::Cast: return args.dtype == graph[args.operands[0]].dtype;
    case Op::Move: return args.device == graph[args.operands[0]].device;
    case Op::Flatten: return graph[args.operands[0]].shape.size() == 1;
    case Op::Contiguous: {
      const Layout layout = graph.layout(args.operands[0]);
      return is_contiguous(layout.sizes, layout.strides);
    }
    case Op::Dropout: {
      const AttributesView attributes{info(args.op), args.attributes};
      return attributes.integer(0) == 0 || std::bit_cast<double>(attributes.scalar(0)) == 0 ||
             numel(graph[args.operands[0]].shape) == 0;
    }
    default: return false;
  }
}

}  // namespace

Value Engine::value_of(CallContext&, int64_t handle) {
  return handles_.at(handle, HandleKind::Tensor).value;
}

/// The kind of a row's tensor parameter by its place among them.
static Kind kind_of_tensor(const OpInfo& row, uint32_t at) {
  for (const Param& param : row.params) {
    const bool tensor = param.kind == Kind::Tensor || param.kind == Kind::OptTensor;
    if (tensor && at-- == 0) return param.kind;
  }
  return Kind::TensorList;
}

/// Looks the handles up. A value that is pending on another thread's tape submits that tape, and
/// since others may free handles while it runs, all are looked up again then.
void Engine::resolve(CallContext& context, Call& call) {
  const OpInfo& row = info(call.args.op);
  const uint32_t mine = context.thread.tape.id;
  for (uint32_t at = 0; at < call.handles.size();) {
    const int64_t handle = call.handles[at];
    Value value = kNone;
    if (handle != 0 || kind_of_tensor(row, at) != Kind::OptTensor) {
      value = value_of(context, handle);
      const Node& node = graph_[value];
      if (node.state == State::Pending && node.tape != mine) [[unlikely]] {
        submit(context, graph_.tape(node.tape), Reason::Read);
        call.args.operands.clear();
        at = 0;
        continue;
      }
      // What is recorded is not to depend on whether a batch is down already.
      if (node.state == State::InFlight && (row.rules.view || !row.rules.vjp)) [[unlikely]] {
        wait_for(context, value);
        call.args.operands.clear();
        at = 0;
        continue;
      }
      if (node.state == State::Poisoned) [[unlikely]]
        throw LaterError(*graph_.poison_of(value), true, Failure::FailedValue);
    }
    call.args.operands.push_back(value);
    ++at;
  }
}

/// View rows over a concrete value are a matter of strides: their result is concrete at once. kNone
/// where a node has to be recorded.
Value Engine::at_once(CallContext& context, const Args& args) {
  const OpInfo& row = info(args.op);
  const Node& source = graph_[args.operands[0]];
  if (source.state != State::Concrete) return kNone;
  Layout layout;
  if (!row.rules.view({row, args.attributes}, args.shape, source.buffer->layout(), layout))
    return kNone;
  BufferRef view(new Buffer(source.buffer->storage(), source.dtype, std::move(layout)));
  return graph_.concrete_view(std::move(view), args.operands[0], context.thread.location);
}

Small<TensorType, 6> Engine::types(const Args& args) const {
  Small<TensorType, 6> types;
  for (const Value operand : args.operands) types.push_back(graph_.type(operand));
  return types;
}

/// Fills in the operands and what inference makes of the call. Throws what is wrong with the call.
void Engine::complete(CallContext& context, Call& call) {
  try {
    resolve(context, call);
    if (graph_.infer_alike(call.args)) [[likely]]
      return;
    infer(call.args, types(call.args));
  } catch (const Error& error) {
    if (error.complete()) throw;
    throw LaterError(describe(call, types(call.args)) + ": " + error.text(), true,
                     failure_of(error));
  }
}

Value Engine::append(CallContext& context, Call& call, bool graded) {
  complete(context, call);
  if (is_identity(call.args, graph_)) return call.args.operands[0];
  return append_inferred(context, call.args, graded && context.thread.no_grad == 0);
}

/// An op of the engine's own over values that are there.
Value Engine::append(CallContext& context, Args& args, bool graded) {
  if (!graph_.infer_alike(args)) infer(args, types(args));
  return append_inferred(context, args, graded);
}

/// With `graded`, so that a backward pass can go through the result where one of the operands wants
/// it: rows without a rule of their own are recorded as what they are made of.
Value Engine::append_inferred(CallContext& context, const Args& args, bool graded) {
  const Rules& rules = info(args.op).rules;
  graded = graded && graph_.wants_gradient(args);
  if (graded && !rules.vjp) {
    TapeBuilder build(context, true);
    return (rules.graded ? rules.graded : rules.decompose)(build, args);
  }
  Value value = rules.view ? at_once(context, args) : kNone;
  if (value == kNone) value = graph_.append(context.thread.tape, args, context.thread.location);
  if (graded) graph_.track(value, args);
  return value;
}

int64_t Engine::record(CallContext& context, Call& call) {
  count(Counter::calls);
  check_limits(context);
  handles_.make_room();
  const Value value = append(context, call, true);
  const int64_t handle = handle_to(value);
  if (policy_ != Policy::Eager) [[likely]]
    return handle;
  try {
    submit(context, context.thread.tape, Reason::Eager);
  } catch (...) {
    graph_.remove_handle(value, handles_, Handles::slot_of(handle));
    handles_.remove(handle);
    throw;
  }
  return handle;
}

double Engine::record_and_read(CallContext& context, Call& call) {
  count(Counter::calls);
  const Value value = append(context, call, false);
  BufferRef settled = settle(context, value);
  double result = 0;
  Backend& reading = backend();
  const Unlocked unlocked(*this);
  const BufferRef buffer = std::move(settled);
  reading.to_host(*buffer, DType::F64, &result);
  return result;
}

int64_t Engine::add_tensor(CallContext& context, BufferRef buffer) {
  count(Counter::calls);
  handles_.make_room();
  return handle_to(graph_.concrete(std::move(buffer), context.thread.location));
}

int64_t Engine::alias(CallContext& context, int64_t handle) {
  count(Counter::calls);
  return handle_to(value_of(context, handle));
}

void Engine::free(CallContext& context, int64_t handle) {
  count(Counter::calls);
  const Value value = handles_.at(handle, HandleKind::Tensor).value;
  const Node& node = graph_[value];
  Tape* const forced = policy_ == Policy::Observe && node.state == State::Pending &&
                               node.holders == 1 && node.consumers == 0
                           ? &graph_.tape(node.tape)
                           : nullptr;
  graph_.remove_handle(value, handles_, Handles::slot_of(handle));
  handles_.remove(handle);
  if (!forced) return;
  try {
    submit(context, *forced, Reason::Free);
  } catch (const std::bad_alloc&) {  // the handle is gone, and the work stays pending
  }
}

TensorType Engine::type(CallContext& context, int64_t handle) {
  return graph_.type(value_of(context, handle));
}

void Engine::observe_shape(CallContext& context, int64_t handle) {
  count(Counter::calls);
  const Node& node = graph_[value_of(context, handle)];
  if (node.state == State::Pending && policy_ == Policy::Observe)
    submit(context, graph_.tape(node.tape), Reason::Shape);
}

BufferRef Engine::read(CallContext& context, int64_t handle) {
  count(Counter::calls);
  return settle(context, value_of(context, handle));
}

void Engine::set_label(CallContext& context, int64_t handle, std::string label) {
  graph_.set_label(value_of(context, handle), std::move(label));
}

void Engine::set_location(CallContext& context, std::string_view file, int64_t line) {
  if (locations_.is_crowded()) [[unlikely]]
    drop_locations();
  context.thread.location = locations_.exchange(file, line, context.thread.location);
}

/// Those that nothing names any more.
void Engine::drop_locations() {
  std::vector<bool> used(locations_.end());
  const auto mark = [&](const Job& job) {
    for (const uint32_t location : job.submission.locations) used[location] = true;
  };
  graph_.mark_locations(used);
  for (const Job* job = oldest_; job; job = job->after) mark(*job);
  if (newest_) mark(*newest_);
  locations_.keep(used);
}

/// Over its soft limit a tape is cut where the loop that records it comes by the place where the
/// tape began, so that the batches between cuts are alike. One that does not come by there is cut
/// where it is seen to go round, and at the hard limit wherever it stands.
void Engine::cut_where_it_repeats(CallContext& context) {
  constexpr int64_t kHardNodes = 2'000'000, kHardBytes = int64_t{4} << 30;
  Tape& tape = context.thread.tape;
  if (tape.is_round()) {
    submit(context, tape, Reason::Limit);
  } else if (tape.nodes >= kHardNodes || tape.bytes >= kHardBytes) {
    tape.round = 0;
    submit(context, tape, Reason::Limit);
  } else if (over_soft_limit(tape, kPatience)) {
    // Layers that are alike go round within the loop; it takes a while to tell them from it.
    const uint64_t round = tape.rhythm.add(tape.trail, tape.recorded);
    if (round == 0 || !over_soft_limit(tape, kCertainty)) return;
    tape.round = round;
    submit(context, tape, Reason::Limit);
  }
}

void Engine::batch_boundary(CallContext& context) {
  // A loop has several seams: one that is cut at another than it began at waits for that, but not
  // for long, since it may not come by there again.
  Tape& tape = context.thread.tape;
  check_limits(context);
  if (!over_soft_limit(tape, tape.began == 0 ? 1 : kPatience)) return;
  tape.round = 0;
  submit(context, tape, Reason::Limit);
}

bool Engine::over_soft_limit(const Tape& tape, double factor) const {
  return static_cast<double>(tape.nodes) >= factor * config_.max_pending_nodes ||
         static_cast<double>(tape.bytes) >= factor * config_.max_pending_bytes;
}

}  // namespace rt
