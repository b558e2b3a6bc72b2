// rebind.cpp -- calls in place: values stay as they are, and handles go over to new ones.
#include "executor/tape_builder.h"

namespace rt {
namespace {

/// Whether `part` lies within the memory of `whole`, which has no gaps.
bool within(const Layout& part, const Layout& whole) {
  if (!is_contiguous(whole.sizes, whole.strides)) return false;
  if (numel(part.sizes) == 0) return true;
  int64_t last = part.offset;
  for (uint32_t d = 0; d < part.sizes.size(); ++d) last += (part.sizes[d] - 1) * part.strides[d];
  return part.offset >= whole.offset && last < whole.offset + numel(whole.sizes);
}

}  // namespace

/// A handle that sees the memory of the one that is rebound, and how.
struct Engine::Onlooker {
  int64_t handle;
  Layout layout;
};

int64_t Engine::record_updating(Turn& turn, Call& call, Update& update) {
  count(Counter::calls);
  check_limits(turn);
  for (const int64_t handle : update.handles) here(turn, handle);
  complete(turn, update.subject);  // waits, if anything does, so that nothing below has to
  Small<Value, 4> values;
  try {
    values.push_back(append(turn, call, true));
    graph_.hold(values.back());
    TapeBuilder build(turn, false);
    for (const Value value : update.values(build, update.subject.args)) {
      values.push_back(value);
      graph_.hold(value);
    }
    for (uint32_t i = 0; i < update.handles.size(); ++i)
      rebind(turn, update.handles[i], values[i + 1]);
  } catch (...) {
    for (const Value value : values) graph_.release(value);
    throw;
  }
  const int64_t handle = handle_to(values[0]);
  for (const Value value : values) graph_.release(value);
  if (policy_ == Policy::Eager) submit(turn, turn.thread.tape, Reason::Eager);
  return handle;
}

/// Lets a handle stand for another value. What it stood for is not waited for, nor submitted.
void Engine::put(int64_t handle, Value now) {
  Handles::Entry& entry = handles_.at(handle, HandleKind::Tensor);
  const Value before = entry.value;
  graph_.hold(now);
  entry.value = now;
  graph_.release(before);
}

/// The same for a call in place, which leaves the handle's part in gradients as it is.
void Engine::replace(int64_t handle, Value now) {
  graph_.carry_gradient(handles_.at(handle, HandleKind::Tensor).value, now);
  put(handle, now);
}

/// The elements of `layout` in a new value whose first element is at `offset` of the old memory.
Value Engine::as_strided(Turn& turn, Value base, const Layout& layout, int64_t offset) {
  Args args;
  args.op = Op::AsStrided;
  args.operands = {base};
  args.shape = layout.sizes;
  args.words = {layout.offset - offset, static_cast<int64_t>(layout.strides.size())};
  args.words.append(layout.strides);
  return append(turn, args, false);
}

/// All memory that `value` is a part of, as one dimension.
Value Engine::whole_memory(Turn& turn, Value value, const Place& place) {
  if (place.origin == kNone) {
    Value concrete = value;
    while (graph_[concrete].state == State::Pending) concrete = graph_[concrete].operands[0];
    const BufferRef& buffer = graph_[concrete].buffer;
    const int64_t count = buffer->storage()->bytes() / item_size(buffer->dtype());
    BufferRef all(new Buffer(buffer->storage(), buffer->dtype(), {{count}, {1}, 0}));
    return graph_.concrete(std::move(all), turn.thread.place);
  }
  Args args;
  args.op = Op::Flatten;
  args.operands = {place.origin};
  return append(turn, args, false);
}

/// Writes `now` into the memory that `handle` stands for, so far as programs can see: all handles
/// to that memory go over to new values.
void Engine::rebind(Turn& turn, int64_t handle, Value now) {
  const Value before = value_of(turn, handle);
  const Node& node = graph_[before];
  if (node.state == State::Concrete && node.holders == 1 && node.buffer->unique())
    return replace(handle, now);
  const Place place = graph_.place(before);
  std::vector<Onlooker> onlookers;
  bool inside = true, only_itself = true;
  handles_.for_each([&](const Handles::Entry& entry, HandleKind kind) {
    if (kind != HandleKind::Tensor) return;
    if (graph_[entry.value].family != graph_[before].family) return;
    Place seen = graph_.place(entry.value);
    if (!seen.same_memory(place)) return;
    only_itself = only_itself && entry.value == before;
    inside = inside && within(seen.layout, place.layout);
    onlookers.push_back({entry.handle, std::move(seen.layout)});
  });
  if (only_itself) {
    for (const Onlooker& onlooker : onlookers) replace(onlooker.handle, now);
    return;
  }
  Value base = now;
  if (!inside) {
    Args args;
    args.op = Op::AsStridedScatter;
    args.operands = {whole_memory(turn, before, place), now};
    args.words = {place.layout.offset, static_cast<int64_t>(place.layout.sizes.size())};
    args.words.append(place.layout.sizes);
    args.words.push_back(static_cast<int64_t>(place.layout.strides.size()));
    args.words.append(place.layout.strides);
    base = append(turn, args, false);
  }
  const int64_t offset = inside ? place.layout.offset : 0;
  for (const Onlooker& onlooker : onlookers) {
    const bool itself = inside && onlooker.handle == handle;
    replace(onlooker.handle, itself ? now : as_strided(turn, base, onlooker.layout, offset));
  }
}

}  // namespace rt
