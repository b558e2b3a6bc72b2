// in_place.cpp -- calls in place: finds the handles to written memory, and their new values.
#include "executor/in_place.h"

#include <algorithm>
#include <functional>
#include <unordered_map>
#include <unordered_set>

#include "executor/tape_builder.h"

namespace rt {
namespace {

/// True where all elements of `part` lie among those of `whole`, and `whole` has no gaps.
bool within(const Layout& part, const Layout& whole) {
  if (!is_contiguous(whole.sizes, whole.strides)) return false;
  if (numel(part.sizes) == 0) return true;
  int64_t last = part.offset;
  for (uint32_t d = 0; d < part.sizes.size(); ++d) last += (part.sizes[d] - 1) * part.strides[d];
  return part.offset >= whole.offset && last < whole.offset + numel(whole.sizes);
}

bool same_layout(const Layout& a, const Layout& b) {
  return a.offset == b.offset && a.sizes == b.sizes && a.strides == b.strides;
}

/// The layout without dimensions of one element, and with dimensions merged that can be one.
Layout even(const Layout& layout) {
  Layout out;
  out.offset = layout.offset;
  for (uint32_t d = 0; d < layout.sizes.size(); ++d) {
    const int64_t size = layout.sizes[d], stride = layout.strides[d];
    if (size == 1) continue;
    if (!out.sizes.empty() && out.strides.back() == size * stride) {
      out.sizes.back() *= size;
      out.strides.back() = stride;
    } else {
      out.sizes.push_back(size);
      out.strides.push_back(stride);
    }
  }
  return out;
}

}  // namespace

int64_t Recorder::record_updating(CallContext& context, Call& call, InPlaceUpdate& update) {
  engine_.count(Counter::calls);
  check_limits(context);
  for (const int64_t handle : update.handles) here(context, handle);
  complete(context, update.subject);  // does all waits, so that the lock is held from here on
  Held held(engine_.graph);
  const Value result = held.add(append(context, call, true));
  TapeBuilder build(context, false);
  Rewriting rewriting(context, update.handles);
  rewriting.change_together();
  engine_.handles.make_room();
  const Small<Value, 4> values = update.values(build, update.subject.args);
  for (const Value value : values) held.add(value);
  for (uint32_t i = 0; i < values.size(); ++i) rewriting.write(i, values[i]);
  rewriting.prepare();
  const int64_t handle = handle_to(result);
  rewriting.finish();
  try {
    if (engine_.policy == Policy::Eager)
      engine_.scheduler.submit(context, context.thread.tape, Reason::Eager);
  } catch (...) {
    engine_.graph.remove_handle(result, engine_.handles, Handles::slot_of(handle));
    engine_.handles.remove(handle);
    throw;
  }
  return handle;
}

/// Binds a handle to another value. Neither submits nor waits.
void Recorder::put(int64_t handle, Value now) {
  Handles::Entry& entry = engine_.handles.at(handle, HandleKind::Tensor);
  const uint32_t slot = Handles::slot_of(handle);
  engine_.graph.make_room_for_handle(now);
  engine_.graph.hold(now);  // its only holder may be the value that is replaced
  engine_.graph.remove_handle(entry.value, engine_.handles, slot);
  engine_.graph.add_handle(now, engine_.handles, slot);
  engine_.graph.release(now);
  entry.value = now;
}

/// As put(), for a call in place: the handle keeps its leaf and its gradient.
void Recorder::replace(int64_t handle, Value now) {
  engine_.graph.carry_gradient(engine_.handles.at(handle, HandleKind::Tensor).value, now);
  put(handle, now);
}

Rewriting::Rewriting(CallContext& context, std::span<const int64_t> handles)
    : engine_(context.engine), context_(context), held_(engine_.graph) {
  Graph& graph = engine_.graph;
  parts_.reserve(handles.size());
  replacements_.reserve(handles.size());
  held_.reserve(handles.size());
  for (const int64_t handle : handles) {
    Part& part = parts_.emplace_back(Part{.handle = handle, .layout = {}});
    const Value value = engine_.recorder.value_of(context, handle);
    if (engine_.handles.entry(graph.first_relative(value)).handle == handle &&
        engine_.handles.entry(graph.first_relative(value)).next == 0)
      continue;
    MemoryRegion region = graph.region(value);
    part.layout = region.layout;
    Memory& memory = memories_[key_of(region)];
    if (memory.parts.empty()) {
      memory.member = value;
      memory.region = std::move(region);
    }
    memory.parts.push_back(parts_.size() - 1);
    part.memory = &memory;
  }
  for (auto& [key, memory] : memories_) {
    memory.width = width_of(memory);
    for (const size_t i : memory.parts) parts_[i].block = block_of(parts_[i].layout, memory.width);
    memory.apart = are_apart(memory.parts);
  }
}

/// The largest stride of the parts, so that neither rows nor columns of a matrix overlap in the
/// grid.
int64_t Rewriting::width_of(const Memory& memory) const {
  int64_t width = 1;
  for (const size_t i : memory.parts)
    for (const int64_t stride : even(parts_[i].layout).strides) width = std::max(width, stride);
  return width;
}

Rewriting::Block Rewriting::block_of(const Layout& layout, int64_t width) {
  if (numel(layout.sizes) == 0) return {0, 0, 0, 0, false};
  const Layout dims = even(layout);
  int64_t rows = 0, along = 0;
  for (uint32_t d = 0; d < dims.sizes.size(); ++d) {
    const int64_t steps = dims.sizes[d] - 1, stride = dims.strides[d];
    if (stride % width == 0) rows += steps * (stride / width);
    else along += steps * stride;
  }
  const int64_t row = dims.offset / width, begin = dims.offset % width;
  // True where the block has as many elements as the layout, and the layout goes through in order.
  const auto exact = [&](int64_t high, int64_t wide) {
    const auto falls = [&] { return std::ranges::is_sorted(dims.strides, std::greater()); };
    return high * wide == numel(layout.sizes) && falls();
  };
  if (begin + along < width)
    return {row, row + rows + 1, begin, begin + along + 1, exact(rows + 1, along + 1)};
  const int64_t last = row + rows + (begin + along) / width;
  return {row, last + 1, 0, width, begin == 0 && exact(last + 1 - row, width)};
}

/// Sweeps over the rows; `open` has the columns of the blocks that contain the current row.
bool Rewriting::are_apart(std::span<const size_t> parts) const {
  struct Event {
    int64_t row;
    bool begins;
    const Block* block;
  };
  std::vector<Event> events;
  for (const size_t i : parts) {
    const Block& block = parts_[i].block;
    if (block.begin == block.end) continue;
    events.push_back({block.first_row, true, &block});
    events.push_back({block.end_row, false, &block});
  }
  std::ranges::sort(events, {}, [](const Event& at) { return std::pair(at.row, at.begins); });
  std::map<int64_t, int64_t> open;
  for (const Event& event : events) {
    const Block& block = *event.block;
    if (!event.begins) {
      open.erase(block.begin);
      continue;
    }
    const auto behind = open.lower_bound(block.begin);
    if (behind != open.end() && behind->first < block.end) return false;
    if (behind != open.begin() && std::prev(behind)->second > block.begin) return false;
    open.emplace_hint(behind, block.begin, block.end);
  }
  return true;
}

Value Rewriting::append(Args& args) {
  return held_.add(engine_.recorder.append(context_, args, false));
}

/// The elements of `layout` out of `base`, whose first element is at `offset` of the memory.
Value Rewriting::as_strided(Value base, const Layout& layout, int64_t offset) {
  Args args;
  args.op = Op::AsStrided;
  args.operands = {base};
  args.shape = layout.sizes;
  args.attributes = {layout.offset - offset, static_cast<int64_t>(layout.strides.size())};
  args.attributes.append(layout.strides);
  return append(args);
}

Value Rewriting::reshaped(Value value, const Shape& sizes) {
  if (engine_.graph[value].shape == sizes) return value;
  Args args;
  args.op = Op::Reshape;
  args.operands = {value};
  args.shape = sizes;
  return append(args);
}

/// The whole memory as a value of one dimension, with the writes that are recorded already.
Value Rewriting::whole(const Memory& memory) {
  if (memory.base != kNone) return memory.base;
  Graph& graph = engine_.graph;
  if (memory.region.origin == kNone) {
    Value concrete = memory.member;
    while (graph[concrete].state == State::Pending) concrete = graph[concrete].operands[0];
    const BufferRef& buffer = graph[concrete].buffer;
    const int64_t count = buffer->storage()->bytes() / item_size(buffer->dtype());
    BufferRef all(new Buffer(buffer->storage(), buffer->dtype(), {{count}, {1}, 0}));
    return held_.add(graph.concrete(std::move(all), context_.thread.location));
  }
  Args args;
  args.op = Op::Flatten;
  args.operands = {memory.region.origin};
  return append(args);
}

/// A copy of `base` with one part written. The part may have any strides.
Value Rewriting::scattered(Value base, const Write& write) {
  const Layout& layout = parts_[write.part].layout;
  Args args;
  args.op = Op::AsStridedScatter;
  args.operands = {base, write.now};
  args.attributes = {layout.offset, static_cast<int64_t>(layout.sizes.size())};
  args.attributes.append(layout.sizes);
  args.attributes.push_back(static_cast<int64_t>(layout.strides.size()));
  args.attributes.append(layout.strides);
  return append(args);
}

/// Moves the writes into memory.base. Blocks that do not overlap are joined by one copy, together
/// with the elements between them. Other writes need a copy each, in order.
void Rewriting::put_together(Memory& memory) {
  memory.base = whole(memory);
  std::vector<size_t> parts;
  for (const Write& write : memory.writes) parts.push_back(write.part);
  const int64_t rows = numel(engine_.graph[memory.base].shape) / memory.width;
  std::vector<Write> blocks, others;
  const bool apart = are_apart(parts);
  for (const Write& write : std::exchange(memory.writes, {})) {
    const Block& block = parts_[write.part].block;
    (apart && block.exact && block.end_row <= rows ? blocks : others).push_back(write);
  }
  const Value grid =
      blocks.size() > 1 ? joined(memory, {0, rows, 0, memory.width, true}, blocks, 0) : kNone;
  if (grid != kNone) memory.base = with_rest(memory, grid, rows * memory.width);
  else others.insert(others.end(), blocks.begin(), blocks.end());
  for (const Write& write : others) memory.base = scattered(memory.base, write);
}

/// Appends the elements of a memory beyond its whole rows to the `done` elements of `grid`.
Value Rewriting::with_rest(const Memory& memory, Value grid, int64_t done) {
  const int64_t count = numel(engine_.graph[memory.base].shape);
  const Value rows = reshaped(grid, {done});
  if (done == count) return rows;
  Args args;
  args.op = Op::Cat;
  args.operands = {rows, as_strided(memory.base, {{count - done}, {1}, done}, 0)};
  args.attributes = {0};
  return append(args);
}

/// Joins a region of the grid from pieces, cut between its blocks, first between rows, else between
/// columns. kNone where no cut is possible.
Value Rewriting::joined(const Memory& memory, const Block& region, std::span<const Write> writes,
                        int depth) {
  constexpr int kDeepest = 8;
  const auto block = [&](const Write& write) -> const Block& { return parts_[write.part].block; };
  Shape sizes{region.end_row - region.first_row};
  if (memory.width > 1) sizes.push_back(region.end - region.begin);
  if (writes.empty()) {
    Strides strides{memory.width};
    if (memory.width > 1) strides.push_back(1);
    return as_strided(memory.base, {sizes, strides, region.first_row * memory.width + region.begin},
                      0);
  }
  const Block& first = block(writes[0]);
  if (writes.size() == 1 && first.first_row == region.first_row &&
      first.end_row == region.end_row && first.begin == region.begin && first.end == region.end)
    return reshaped(writes[0].now, sizes);
  if (depth == kDeepest) return kNone;
  for (const bool across : {true, false}) {
    int64_t Block::*const from = across ? &Block::first_row : &Block::begin;
    int64_t Block::*const to = across ? &Block::end_row : &Block::end;
    std::vector<Write> sorted(writes.begin(), writes.end());
    std::ranges::sort(sorted, {}, [&](const Write& write) { return block(write).*from; });
    Args args;
    args.op = Op::Cat;
    args.attributes = {across ? 0 : 1};
    Block piece = region;
    int64_t done = region.*from;
    const auto add = [&](int64_t until, std::span<const Write> inside) {
      piece.*from = std::exchange(done, until);
      piece.*to = until;
      args.operands.push_back(joined(memory, piece, inside, depth + 1));
      return args.operands.back() != kNone;
    };
    for (size_t i = 0; i < sorted.size();) {
      const size_t begin = i;
      const int64_t start = block(sorted[i]).*from;
      int64_t end = start;
      for (; i < sorted.size() && (i == begin || block(sorted[i]).*from < end); ++i)
        end = std::max(end, block(sorted[i]).*to);
      if (i - begin == writes.size() && start == region.*from && end == region.*to) break;
      if (start > done && !add(start, {})) return kNone;
      if (!add(end, std::span(sorted).subspan(begin, i - begin))) return kNone;
    }
    if (args.operands.empty()) continue;
    if (done < region.*to && !add(region.*to, {})) return kNone;
    return append(args);
  }
  return kNone;
}

Value Rewriting::read(size_t i) {
  const Part& part = parts_[i];
  const Value before = engine_.recorder.value_of(context_, part.handle);
  if (!part.memory) return part.now == kNone ? before : part.now;
  Memory& memory = *part.memory;
  if (memory.apart) return before;
  for (size_t at = memory.writes.size(); at-- > 0;) {
    const Part& written = parts_[memory.writes[at].part];
    if (same_layout(written.layout, part.layout)) return memory.writes[at].now;
    if (!written.block.meets(part.block)) continue;
    put_together(memory);
    break;
  }
  return memory.base == kNone ? before : as_strided(memory.base, part.layout, 0);
}

void Rewriting::write(size_t i, Value now) {
  Part& part = parts_[i];
  held_.add(now);
  if (!part.memory) {
    part.now = now;
    return;
  }
  std::vector<Write>& writes = part.memory->writes;
  if (!part.memory->apart)  // this write hides earlier ones to exactly these elements
    std::erase_if(writes, [&](const Write& before) {
      return same_layout(parts_[before.part].layout, part.layout);
    });
  writes.push_back({i, now});
}

void Rewriting::prepare() {
  find_aliases();
  for (auto& [key, memory] : memories_)
    if (memory.is_written()) prepare(memory);
  for (size_t i = 0; i < parts_.size(); ++i) {
    const Part& part = parts_[i];
    if (!part.memory && part.now != kNone) go_over(part.handle, part.now, unit(i));
  }
}

uint32_t Rewriting::unit(size_t i) {
  if (unit_ != 0) return unit_;
  Part& part = parts_[i];
  uint32_t& unit = part.memory ? part.memory->unit : part.unit;
  if (unit == 0) unit = Graph::begin_unit(context_.thread.tape);
  return unit;
}

void Rewriting::go_over(int64_t handle, Value now, uint32_t unit) {
  engine_.graph.note_undo(now,
                          {.before = engine_.recorder.value_of(context_, handle), .unit = unit});
  replacements_.emplace_back(handle, now);
}

/// Finds the handles to written memory. A family may have several memories, because reshape of a
/// pending value can make a copy, so that one walk over its handles serves all of them.
void Rewriting::find_aliases() {
  Graph& graph = engine_.graph;
  std::unordered_set<uint32_t> families;
  for (const auto& [key, memory] : memories_) {
    if (!memory.is_written()) continue;
    const uint32_t first = graph.first_relative(memory.member);
    if (!families.insert(first).second) continue;
    for (uint32_t slot = first; slot != 0; slot = engine_.handles.entry(slot).next) {
      const Handles::Entry& entry = engine_.handles.entry(slot);
      MemoryRegion seen = graph.region(entry.value);
      if (const auto found = memories_.find(key_of(seen)); found != memories_.end())
        found->second.aliases.push_back({entry.handle, entry.value, std::move(seen.layout)});
    }
  }
}

/// Records the new values of all handles to a memory.
void Rewriting::prepare(Memory& memory) {
  Graph& graph = engine_.graph;
  const Write only = memory.writes.empty() ? Write{} : memory.writes[0];
  const bool inside = memory.base == kNone && memory.writes.size() == 1 &&
                      std::ranges::all_of(memory.aliases, [&](const Alias& alias) {
                        return within(alias.layout, parts_[only.part].layout);
                      });
  // Handles that shared one value share the new one.
  std::unordered_map<uint32_t, Value> now;
  int64_t offset = 0;
  if (inside) {
    const Part& part = parts_[only.part];
    memory.base = only.now;
    offset = part.layout.offset;
    now.emplace(engine_.recorder.value_of(context_, part.handle).id, only.now);
  } else {
    put_together(memory);
  }
  for (const Alias& alias : memory.aliases) {
    const auto [found, fresh] = now.try_emplace(alias.before.id, kNone);
    if (fresh) found->second = as_strided(memory.base, alias.layout, offset);
    graph.make_room_for_handle(found->second, true);
    go_over(alias.handle, found->second, unit(memory.parts[0]));
  }
}

void Rewriting::finish() {
  for (const auto& [handle, now] : replacements_) engine_.recorder.replace(handle, now);
}

}  // namespace rt
