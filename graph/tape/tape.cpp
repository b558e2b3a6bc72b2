// tape.cpp -- recording, holding and releasing values.
#include "graph/tape/tape.h"

#include <utility>
#include "graph/error.h"

namespace rt {

const Message& out_of_memory() {
  static const Message* const message =
      new Message(std::make_shared<const std::string>("out of memory"));
  return *message;
}

void Graph::new_slot() {
  if (used_ == kNone.id) fail("there are ", used_, " values and no more are possible; free some");
  if (used_ % kChunk == 0) chunks_.push_back(std::make_unique<Node[]>(kChunk));
  Node& node = (*this)[Value{used_}];
  node.state = State::Free;
  node.next = free_;
  free_ = used_++;
}

/// A stamp for the next batch that no value has.
uint32_t Graph::next_stamp() {
  if (++stamp_ == 0) {
    for (uint32_t slot = 0; slot < used_; ++slot) (*this)[Value{slot}].stamp = 0;
    stamp_ = 1;
  }
  return stamp_;
}

void Graph::vacate(uint32_t slot) {
  Node& node = (*this)[Value{slot}];
  if (node.labelled) labels_.erase(slot);
  if (node.has_region) regions_.erase(slot);
  if (node.state == State::Poisoned) poison_.erase(slot);
  if (node.grad != 0) unlink_gradient(node);
  if (node.undo != 0) forget_undos(node);
  families_.leave(node.family);
  if (node.buffer) end(std::move(node.buffer));
  node.labelled = node.has_region = false;
  node.state = State::Free;
  node.next = free_;
  free_ = slot;
}

void Graph::end(BufferRef buffer) noexcept {
  if (!buffer->unique()) return;
  try {
    dead_.push_back(std::move(buffer));
  } catch (const std::bad_alloc&) {  // it is freed here
  }
}

bool Graph::infer_alike(Args& args) const {
  if (!info(args.op).keeps_type) return false;
  const Node& first = (*this)[args.operands[0]];
  if (!is_float(first.dtype)) return false;
  for (uint32_t i = 1; i < args.operands.size(); ++i) {
    const Node& other = (*this)[args.operands[i]];
    if (other.dtype != first.dtype || other.device != first.device || other.shape != first.shape)
      return false;
  }
  args.shape.assign(first.shape);
  args.dtype = first.dtype;
  args.device = first.device;
  return true;
}

/// The bytes that a node of `elements` elements adds to Tape::bytes.
static int64_t pending_bytes(const Node& node, int64_t elements) {
  const int64_t result = info(node.op).rules.view ? 0 : elements * item_size(node.dtype);
  // Lists of more than a few elements lie outside the node.
  if (node.operands.size() <= 4 && node.attributes.size() <= 4) [[likely]]
    return result;
  return result + int64_t{node.operands.size()} * 4 + int64_t{node.attributes.size()} * 8;
}

inline Value Graph::place(Tape& tape, uint32_t slot, Op op, DType dtype, Device device,
                          uint32_t family, uint32_t location) {
  Node& node = (*this)[Value{slot}];
  take(slot);
  node.op = op;
  node.state = State::Pending;
  node.dtype = dtype;
  node.device = device;
  node.keeps_itself = false;
  node.holders = node.consumers = 0;
  node.tape = tape.id;
  node.location = location;
  node.call = tape.call;
  node.stamp = 0;
  node.grad = 0;
  node.undo = 0;
  node.family = family;
  node.previous = tape.last;
  node.next = kNone.id;
  if (tape.last != kNone.id) (*this)[Value{tape.last}].next = slot;
  else tape.first = slot;
  tape.last = slot;
  ++tape.nodes;
  const int64_t elements = numel(node.shape);
  tape.bytes += pending_bytes(node, elements);
  tape.path = (tape.path + static_cast<uint64_t>(op) + static_cast<uint64_t>(elements)) *
              0x9e3779b97f4a7c15u;
  tape.trail = (tape.trail << 4) + static_cast<uint64_t>(op) * 0x9e3779b97f4a7c15u +
               static_cast<uint64_t>(elements);
  ++tape.recorded;
  ++recorded_nodes;
  ++pending_nodes;
  return Value{slot};
}

Value Graph::append(Tape& tape, const Args& args, uint32_t location) {
  const uint32_t slot = free_slot();
  Node& node = (*this)[Value{slot}];
  node.shape.assign(args.shape);
  node.attributes.assign(args.attributes);
  node.operands.assign(args.operands);
  const uint32_t family =
      info(args.op).rules.view ? families_.join((*this)[args.operands[0]].family) : 0;
  const Value result = place(tape, slot, args.op, args.dtype, args.device, family, location);
  for (Value operand : args.operands)
    if (operand != kNone) ++(*this)[operand].consumers;
  return result;
}

Value Graph::append_plain(Tape& tape, Op op, std::span<const Value> operands,
                          const Small<int64_t, 10>& attributes, uint32_t location) {
  Node* nodes[kMostPlain];
  for (size_t i = 0; i < operands.size(); ++i) {
    Node& node = *(nodes[i] = &(*this)[operands[i]]);
    const bool here =
        node.state == State::Pending ? node.tape == tape.id : node.state != State::Poisoned;
    if (!here || node.grad != 0) return kNone;
    if (i == 0 ? !is_float(node.dtype)
               : node.dtype != nodes[0]->dtype || node.device != nodes[0]->device ||
                     node.shape != nodes[0]->shape)
      return kNone;
  }
  const uint32_t slot = free_slot();
  Node& node = (*this)[Value{slot}];
  node.shape.assign(nodes[0]->shape);
  node.attributes.assign(attributes);
  node.operands.assign(operands);
  for (size_t i = 0; i < operands.size(); ++i) ++nodes[i]->consumers;
  return place(tape, slot, op, nodes[0]->dtype, nodes[0]->device, 0, location);
}

Value Graph::concrete(BufferRef buffer, uint32_t location) {
  const uint32_t slot = free_slot();
  Node& node = (*this)[Value{slot}];
  node.shape.assign(buffer->sizes());
  take(slot);
  node.state = State::Concrete;
  node.dtype = buffer->dtype();
  node.device = buffer->device();
  node.keeps_itself = false;
  node.holders = node.consumers = 0;
  node.location = location;
  node.call = 0;
  node.stamp = 0;
  node.grad = 0;
  node.undo = 0;
  node.family = 0;
  node.buffer = std::move(buffer);
  return Value{slot};
}

Value Graph::concrete_view(BufferRef buffer, Value source, uint32_t location) {
  const Value view = concrete(std::move(buffer), location);
  (*this)[view].family = families_.join((*this)[source].family);
  return view;
}

void Graph::unlink(Tape& tape, Node& node) {
  (node.previous == kNone.id ? tape.first : (*this)[Value{node.previous}].next) = node.next;
  (node.next == kNone.id ? tape.last : (*this)[Value{node.next}].previous) = node.previous;
  --tape.nodes;
  --pending_nodes;
  tape.bytes -= pending_bytes(node, numel(node.shape));
}

/// Disposes of a value that nothing needs. A concrete one is freed now; a pending one is
/// unlinked and put on the work list, because its operands may be next. True where it was
/// freed or is on the list.
inline bool Graph::let_go(uint32_t slot, uint32_t& work) {
  Node& node = (*this)[Value{slot}];
  return node.holders == 0 && node.consumers == 0 && let_go(node, slot, work);
}

bool Graph::let_go(Node& node, uint32_t slot, uint32_t& work) {
  switch (node.state) {
    case State::Pending:
      if (info(node.op).rules.effect != Effect::None) return false;
      unlink(*tapes_[node.tape], node);
      ++dead_nodes;
      node.next = work;
      work = slot;
      return true;
    case State::Concrete:
    case State::Poisoned: vacate(slot); return true;
    case State::InFlight:  // deliver() frees it
    case State::Free: return false;
  }
  return false;
}

void Graph::release(Value value) noexcept {
  release_value(value);
  if (dying_ != 0) release_dead_records();
}

void Graph::release_value(Value value) {
  Node& released = (*this)[value];
  --released.holders;
  if (released.grad != 0) unlink_if_out_of_reach(released);
  uint32_t work = kNone.id;
  if (let_go(value.id, work)) dispose(work);
}

/// Frees the nodes of a work list, and the values that only they needed.
void Graph::dispose(uint32_t work) {
  while (work != kNone.id) {
    const uint32_t slot = work;
    Node& node = (*this)[Value{slot}];
    work = node.next;
    for_each_needed(node, [&](Value needed) {
      Node& source = (*this)[needed];
      // A part of a composition never had a handle, whose release would have unlinked it.
      if (--source.consumers == 0 && source.grad != 0) unlink_if_out_of_reach(source);
      let_go(needed.id, work);
    });
    vacate(slot);
  }
}

void Graph::take_back(Tape& tape, int64_t nodes) noexcept {
  for (; nodes > 0 && tape.last != kNone.id; --nodes) {
    const uint32_t slot = tape.last;
    Node& node = (*this)[Value{slot}];
    if (node.holders != (node.keeps_itself ? 1 : 0) || node.consumers != 0) break;
    if (info(node.op).rules.effect == Effect::None) {
      hold(Value{slot});
      release(Value{slot});
      continue;
    }
    unlink(tape, node);
    ++dead_nodes;
    node.next = kNone.id;
    dispose(slot);
    release_dead_records();
  }
}

void Graph::sweep() noexcept {
  uint32_t none = kNone.id;
  for (uint32_t slot = 0; slot < used_; ++slot)
    if ((*this)[Value{slot}].state >= State::Concrete) let_go(slot, none);
  release_dead_records();
}

MemoryRegion Graph::region(Value value) {
  // Some views of a long chain keep their regions, so that no call follows it far.
  constexpr size_t kFar = 16;
  std::vector<Value> views;
  const auto known = [&] { return (*this)[value].has_region; };
  for (; (*this)[value].state == State::Pending && info((*this)[value].op).rules.view && !known();
       value = (*this)[value].operands[0])
    views.push_back(value);
  const Node& origin = (*this)[value];
  MemoryRegion region;
  if (origin.state == State::Concrete) {
    region.storage = origin.buffer->storage().get();
    region.layout = origin.buffer->layout();
  } else if (origin.state == State::Pending && known()) {
    region = regions_.at(value.id);
  } else {
    region.origin = value;
    region.layout = {origin.shape, contiguous_strides(origin.shape), 0};
  }
  for (size_t i = views.size(); i-- > 0;) {
    Node& view = (*this)[views[i]];
    Layout next;
    if (info(view.op).rules.view({info(view.op), view.attributes}, view.shape, region.layout, next))
      region.layout = std::move(next);
    else  // The row copies, so its result is an origin of its own.
      region = {views[i], nullptr, {view.shape, contiguous_strides(view.shape), 0}};
    if ((views.size() - i) % kFar == 0)
      view.has_region = regions_.insert_or_assign(views[i].id, region).second || view.has_region;
  }
  return region;
}

void Graph::deliver(Value root, BufferRef buffer) noexcept {
  Node& node = (*this)[root];
  node.state = State::Concrete;
  node.attributes.clear();
  node.buffer = std::move(buffer);
  uint32_t work = kNone.id;
  let_go(root.id, work);
  release_dead_records();
}

void Graph::poison(Value root, Message message) noexcept {
  Node& node = (*this)[root];
  node.state = State::Poisoned;
  try {
    poison_[root.id] = std::move(message);
  } catch (const std::bad_alloc&) {  // poison_of() returns out_of_memory() then
  }
  uint32_t work = kNone.id;
  let_go(root.id, work);
  release_dead_records();
}

void Graph::abandon(const Message& message) {
  for (uint32_t slot = 0; slot < used_; ++slot)
    if ((*this)[Value{slot}].state == State::InFlight) poison(Value{slot}, message);
}

void Graph::note_undo(Value now, Undo undo) {
  Node& node = (*this)[now];
  if (node.state != State::Pending || undo.before == now) return;
  if (undo.before != kNone && (*this)[undo.before].state == State::Poisoned) return;
  for (uint32_t at = node.undo; at != 0; at = undos_[at].next)
    if (undos_[at].before == undo.before && undos_[at].leaf == undo.leaf &&
        undos_[at].from == undo.from)
      return;
  if (free_undo_ == 0) {
    undos_.emplace_back();
    free_undo_ = static_cast<uint32_t>(undos_.size() - 1);
  }
  undo.next = node.undo;
  node.undo = free_undo_;
  free_undo_ = std::exchange(undos_[node.undo], undo).next;
  if (undo.before != kNone) ++(*this)[undo.before].consumers;
}

/// The caller has already taken the node off the consumers of its undos' values.
void Graph::forget_undos(Node& node) {
  uint32_t last = node.undo;
  while (undos_[last].next != 0) last = undos_[last].next;
  undos_[last].next = free_undo_;
  free_undo_ = std::exchange(node.undo, 0);
}

void Graph::set_label(Value value, std::string label) {
  const bool labelled = !label.empty();
  if (labelled) labels_[value.id] = std::move(label);
  else labels_.erase(value.id);
  (*this)[value].labelled = labelled;
}

void Graph::mark_locations(std::vector<bool>& used) const {
  for (uint32_t slot = 0; slot < used_; ++slot)
    if (const Node& node = (*this)[Value{slot}]; node.state != State::Free)
      used[node.location] = true;
}

std::string Graph::label(Value value) const {
  const auto found = labels_.find(value.id);
  return found == labels_.end() ? "" : found->second;
}

Tape& Graph::open_tape() {
  if (empty_tapes_.empty() && tapes_.size() >= most_tapes_) {
    // Closed tapes are searched when there are twice as many tapes as were in use last time, so
    // that a thread looks at two on average.
    for (const auto& tape : tapes_)
      if (!tape->open && tape->nodes == 0) empty_tapes_.push_back(tape->id);
    most_tapes_ = 2 * (tapes_.size() - empty_tapes_.size()) + 1;
  }
  if (empty_tapes_.empty()) {
    auto made = std::make_unique<Tape>();
    made->id = static_cast<uint32_t>(tapes_.size());
    tapes_.push_back(std::move(made));
    empty_tapes_.reserve(tapes_.capacity());  // close() must not fail
    empty_tapes_.push_back(tapes_.back()->id);
  }
  Tape opened;
  opened.id = empty_tapes_.back();
  opened.open = true;
  empty_tapes_.pop_back();
  return *tapes_[opened.id] = std::move(opened);
}

void Graph::close(Tape& tape) noexcept {
  tape.open = false;
  if (tape.nodes == 0) empty_tapes_.push_back(tape.id);  // it has capacity for all
}

void Graph::close_all_but(const Tape& tape) noexcept {
  for (const auto& other : tapes_)
    if (other->open && other.get() != &tape) close(*other);
}

}  // namespace rt
