// tape.cpp -- recording, holding and releasing values; taking a tape's batch.
#include "graph/tape.h"

#include <algorithm>

namespace rt {

void Submission::clear() {
  batch.clear();
  inputs.clear();
  roots.clear();
  places.clear();
  labels.clear();
  nodes = 0;
  poison.clear();
}

TensorType Graph::type(Value value) const {
  if (value == kNone) return {.dtype = DType::F32, .device = {}, .none = true, .sizes = {}};
  const Node& node = (*this)[value];
  return {.dtype = node.dtype, .device = node.device, .none = false, .sizes = node.shape};
}

uint32_t Graph::allocate() {
  if (free_ != kNone.number) {
    const uint32_t slot = free_;
    free_ = (*this)[Value{slot}].next;
    return slot;
  }
  if (used_ % kChunk == 0) chunks_.push_back(std::make_unique<Node[]>(kChunk));
  return used_++;
}

void Graph::vacate(uint32_t slot) {
  Node& node = (*this)[Value{slot}];
  if (node.labelled) labels_.erase(slot);
  if (node.state == State::Poisoned) poison_.erase(slot);
  unlink_gradient(node);
  node.buffer = {};
  node.labelled = false;
  node.state = State::Free;
  node.next = free_;
  free_ = slot;
}

Value Graph::append(Tape& tape, const Args& args, uint32_t place) {
  const uint32_t slot = allocate();
  Node& node = (*this)[Value{slot}];
  node.op = args.op;
  node.state = State::Pending;
  node.dtype = args.dtype;
  node.device = args.device;
  node.keeps_itself = false;
  node.holders = node.consumers = 0;
  node.tape = tape.number;
  node.place = place;
  node.stamp = 0;
  node.grad = 0;
  node.shape.assign(args.shape);
  node.words.assign(args.words);
  node.operands.assign(args.operands);
  node.family = info(args.op).rules.view ? (*this)[args.operands[0]].family : ++families_;
  for (Value operand : args.operands)
    if (operand != kNone) ++(*this)[operand].consumers;

  node.previous = tape.last;
  node.next = kNone.number;
  if (tape.last != kNone.number) (*this)[Value{tape.last}].next = slot;
  else tape.first = slot;
  tape.last = slot;
  ++tape.nodes;
  const int64_t elements = numel(node.shape);
  if (!info(args.op).rules.view) tape.bytes += elements * item_size(node.dtype);
  tape.trail = (tape.trail << 4) + static_cast<uint64_t>(args.op) * 0x9e3779b97f4a7c15u +
               static_cast<uint64_t>(elements);
  ++recorded_nodes;
  ++pending_nodes;
  return Value{slot};
}

Value Graph::concrete(BufferRef buffer, uint32_t place) {
  const uint32_t slot = allocate();
  Node& node = (*this)[Value{slot}];
  node.state = State::Concrete;
  node.dtype = buffer->dtype();
  node.device = buffer->device();
  node.keeps_itself = false;
  node.holders = node.consumers = 0;
  node.place = place;
  node.stamp = 0;
  node.grad = 0;
  node.family = ++families_;
  node.shape.assign(buffer->sizes());
  node.buffer = std::move(buffer);
  return Value{slot};
}

Value Graph::concrete_view(BufferRef buffer, Value source, uint32_t place) {
  const Value view = concrete(std::move(buffer), place);
  (*this)[view].family = (*this)[source].family;
  return view;
}

void Graph::unlink(Tape& tape, Node& node) {
  (node.previous == kNone.number ? tape.first : (*this)[Value{node.previous}].next) = node.next;
  (node.next == kNone.number ? tape.last : (*this)[Value{node.next}].previous) = node.previous;
  --tape.nodes;
  --pending_nodes;
  if (!info(node.op).rules.view) tape.bytes -= numel(node.shape) * item_size(node.dtype);
}

/// Disposes of a value nobody needs: a concrete one goes now, a pending one is unlinked and put on
/// the work list, since its operands may be next. Returns whether the value went or is on the list.
bool Graph::let_go(uint32_t slot, uint32_t& work) {
  Node& node = (*this)[Value{slot}];
  if (node.holders != 0 || node.consumers != 0) return false;
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
    case State::InFlight:  // its delivery finds that nobody wants it
    case State::Free: return false;
  }
  return false;
}

void Graph::release(Value value) {
  release_value(value);
  if (!dying_.empty()) bury();
}

void Graph::release_value(Value value) {
  Node& released = (*this)[value];
  // Held by no other than its own record, no client can come by it again. What came from it needs
  // the record and not the link, and nobody can ask for a leaf's gradient.
  if (--released.holders == (released.keeps_itself ? 1 : 0)) unlink_gradient(released);
  uint32_t work = kNone.number;
  let_go(value.number, work);
  while (work != kNone.number) {
    const uint32_t slot = work;
    Node& node = (*this)[Value{slot}];
    work = node.next;
    for (Value operand : node.operands)
      if (operand != kNone) {
        --(*this)[operand].consumers;
        let_go(operand.number, work);
      }
    vacate(slot);
  }
}

Place Graph::place(Value value) const {
  std::vector<Value> views;
  for (; (*this)[value].state == State::Pending && info((*this)[value].op).rules.view;
       value = (*this)[value].operands[0])
    views.push_back(value);
  const Node& origin = (*this)[value];
  Place place;
  if (origin.state == State::Concrete) {
    place.storage = origin.buffer->storage().get();
    place.layout = origin.buffer->layout();
  } else {
    place.origin = value;
    place.layout = {origin.shape, contiguous_strides(origin.shape), 0};
  }
  for (auto at = views.rbegin(); at != views.rend(); ++at) {
    const Node& view = (*this)[*at];
    const OpInfo& row = info(view.op);
    Layout next;
    if (row.rules.view({row, view.words}, view.shape, place.layout, next)) {
      place.layout = std::move(next);
      continue;
    }
    // It copies, so that it is an origin of its own.
    place = {*at, nullptr, {view.shape, contiguous_strides(view.shape), 0}};
  }
  return place;
}

Value Graph::build(const Tape& tape, Submission& out) {
  out.clear();
  Batch& batch = out.batch;
  ++stamp_;
  Small<uint32_t, 6> operands;
  Small<int64_t, 10> words;
  for (uint32_t slot = tape.first; slot != kNone.number; slot = (*this)[Value{slot}].next) {
    Node& node = (*this)[Value{slot}];
    const OpInfo& row = info(node.op);
    operands.clear();
    for (Value operand : node.operands) {
      if (operand == kNone) {
        operands.push_back(kNone.number);
        continue;
      }
      Node& source = (*this)[operand];
      if (source.stamp != stamp_) {
        if (source.state == State::InFlight) return operand;
        source.stamp = stamp_;
        const BufferRef& buffer = source.buffer;
        source.number =
            batch.add_input(source.dtype, source.device, source.shape,
                            buffer && !buffer->contiguous() ? buffer->strides() : Sizes{});
        out.inputs.push_back(buffer);
        if (source.state == State::Poisoned) {
          out.poison.resize(out.inputs.size());
          out.poison.back() = poison_.at(operand.number);
        }
      }
      operands.push_back(source.number);
    }
    words.assign(node.words);
    for (uint32_t i = 0; i < row.scalars; ++i) {
      batch.scalars.push_back(words[i]);
      words[i] = static_cast<int64_t>(batch.scalars.size() - 1);
    }
    node.number = batch.add_step(node.op, operands, words, node.dtype, node.device, node.shape);
    node.stamp = stamp_;
    if (node.holders != 0) {
      batch.roots.push_back(node.number);
      out.roots.push_back(Value{slot});
    }
    out.places.push_back(node.place);
    if (node.labelled) {
      out.labels.resize(batch.steps.size());
      out.labels.back() = labels_.at(slot);
    }
  }
  if (!out.poison.empty()) out.poison.resize(out.inputs.size());
  if (!out.labels.empty()) out.labels.resize(batch.steps.size());
  batch.free_scalars = static_cast<uint32_t>(batch.scalars.size());
  out.nodes = static_cast<int64_t>(batch.steps.size());
  return kNone;
}

void Graph::detach(Tape& tape) {
  for (uint32_t slot = tape.first; slot != kNone.number;) {
    Node& node = (*this)[Value{slot}];
    const uint32_t next = node.next;
    node.state = State::InFlight;
    for (Value operand : node.operands) {
      if (operand == kNone) continue;
      Node& source = (*this)[operand];
      // Consumers stand behind what they consume, so the last one to come by clears it away.
      if (--source.consumers == 0 && source.holders == 0) vacate(operand.number);
    }
    node.operands.clear();
    if (node.holders == 0 && node.consumers == 0) vacate(slot);
    slot = next;
  }
  pending_nodes -= tape.nodes;
  tape.began = tape.trail;
  tape.first = tape.last = kNone.number;
  tape.nodes = 0;
  tape.bytes = 0;
  bury();
}

void Graph::deliver(Value root, BufferRef buffer) {
  Node& node = (*this)[root];
  node.state = State::Concrete;
  node.words.clear();
  node.buffer = std::move(buffer);
  uint32_t work = kNone.number;
  let_go(root.number, work);
  bury();
}

void Graph::poison(Value root, std::shared_ptr<const std::string> message) {
  Node& node = (*this)[root];
  node.state = State::Poisoned;
  poison_[root.number] = std::move(message);
  uint32_t work = kNone.number;
  let_go(root.number, work);
  bury();
}

void Graph::abandon(const std::shared_ptr<const std::string>& message) {
  for (uint32_t slot = 0; slot < used_; ++slot)
    if ((*this)[Value{slot}].state == State::InFlight) poison(Value{slot}, message);
}

void Graph::set_label(Value value, std::string label) {
  Node& node = (*this)[value];
  node.labelled = !label.empty();
  if (node.labelled) labels_[value.number] = std::move(label);
  else labels_.erase(value.number);
}

std::string Graph::label(Value value) const {
  const auto found = labels_.find(value.number);
  return found == labels_.end() ? "" : found->second;
}

void Graph::add_tape(Tape& tape) {
  const auto gap = std::find(tapes_.begin(), tapes_.end(), nullptr);
  tape.number = static_cast<uint32_t>(gap - tapes_.begin());
  if (gap == tapes_.end()) tapes_.push_back(&tape);
  else *gap = &tape;
}

bool Graph::has(const Tape& tape) const {
  return std::find(tapes_.begin(), tapes_.end(), &tape) != tapes_.end();
}

void Graph::remove_tape(Tape& tape) { tapes_[tape.number] = nullptr; }

}  // namespace rt
