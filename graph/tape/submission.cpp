// submission.cpp -- takes a tape's batch: builds it, or finds that it equals a known one.
#include <algorithm>

#include "graph/tape/tape.h"

namespace rt {

void Submission::clear() {
  built.clear();
  known.reset();
  scalars.clear();
  inputs.clear();
  roots.clear();
  locations.clear();
  calls.clear();
  labels.clear();
  nodes = 0;
  poison.clear();
  backs.clear();
  units = 0;
  passes.clear();
}

Batch Submission::whole() const {
  Batch whole = batch();
  whole.scalars = scalars;
  return whole;
}

/// Finds the values that a batch's changes in place go back to. Returns one that
/// is in flight, if any.
Value Graph::add_backs(const Tape& tape, Submission& out) const {
  out.units = tape.units;
  for (Submission::Back& back : out.backs) {
    if (back.undo.before == kNone) continue;
    const Node& before = (*this)[back.undo.before];
    if (before.stamp == stamp_) back.before = before.index;
    else if (before.state == State::InFlight) return back.undo.before;
    else back.outside = before.buffer;
  }
  for (Submission::Pass& pass : out.passes) {
    // A dead value is not in the batch, and its id may be another value's.
    const Node& from = (*this)[pass.undo.from];
    if (from.stamp == stamp_ && from.grad == pass.undo.leaf &&
        records_[from.grad].order == pass.undo.order)
      pass.from = from.index;
  }
  return kNone;
}

void Graph::put_undos(const Node& node, Submission& out) const {
  for (uint32_t at = node.undo; at != 0; at = undos_[at].next) {
    const Undo& undo = undos_[at];
    if (undo.from == kNone) out.backs.push_back({node.index, kNone.id, {}, undo});
    else out.passes.push_back({node.index, kNone.id, undo});
  }
}

Value Graph::build(const Tape& tape, Submission& out) {
  out.clear();
  Batch& batch = out.built;
  next_stamp();
  Small<uint32_t, 6> operands;
  Small<int64_t, 10> attributes;
  for (uint32_t slot = tape.first; slot != kNone.id; slot = (*this)[Value{slot}].next) {
    Node& node = (*this)[Value{slot}];
    const OpInfo& row = info(node.op);
    operands.clear();
    for (Value operand : node.operands) {
      if (operand == kNone) {
        operands.push_back(kNone.id);
        continue;
      }
      Node& source = (*this)[operand];
      if (source.stamp != stamp_) {
        if (source.state == State::InFlight) return operand;
        source.stamp = stamp_;
        const BufferRef& buffer = source.buffer;
        source.index =
            batch.add_input(source.dtype, source.device, source.shape,
                            buffer && !buffer->contiguous() ? buffer->strides() : Sizes{});
        out.inputs.push_back(buffer);
        if (source.state == State::Poisoned) {
          out.poison.resize(out.inputs.size());
          out.poison.back() = poison_of(operand);
        }
      }
      operands.push_back(source.index);
    }
    attributes.assign(node.attributes);
    for (uint32_t i = 0; i < row.scalars; ++i) {
      batch.scalars.push_back(attributes[i]);
      attributes[i] = static_cast<int64_t>(batch.scalars.size() - 1);
    }
    node.index = batch.add_step(node.op, operands, attributes, node.dtype, node.device, node.shape);
    node.stamp = stamp_;
    if (node.holders != 0) {
      batch.roots.push_back(node.index);
      out.roots.push_back(Value{slot});
    }
    out.locations.push_back(node.location);
    out.calls.push_back(node.call);
    if (node.undo != 0) put_undos(node, out);
    if (node.labelled) {
      out.labels.resize(batch.steps.size());
      out.labels.back() = labels_.at(slot);
    }
  }
  if (!out.poison.empty()) out.poison.resize(out.inputs.size());
  if (!out.labels.empty()) out.labels.resize(batch.steps.size());
  batch.free_scalars = static_cast<uint32_t>(batch.scalars.size());
  out.scalars = batch.scalars;
  out.nodes = static_cast<int64_t>(batch.steps.size());
  return add_backs(tape, out);
}

/// True where a value from outside a batch is what the batch takes as its value `number`, an input.
static bool is_input(const Batch& batch, uint32_t number, const Node& source) {
  if (source.state != State::Concrete || number >= batch.values.size()) return false;
  const Batch::Item& item = batch.values[number];
  const Sizes strides = source.buffer->strides();
  const bool strided = !is_contiguous(source.shape, strides);
  return item.flags == (strided ? Batch::kInput | Batch::kStrided : Batch::kInput) &&
         item.dtype == source.dtype && item.device == source.device.index &&
         std::ranges::equal(batch.sizes(number), Sizes(source.shape)) &&
         (!strided || std::ranges::equal(batch.strides(number), strides));
}

bool Graph::matches(const Tape& tape, const Batch& batch, Submission& out) {
  out.clear();
  if (tape.nodes != static_cast<int64_t>(batch.steps.size())) return false;
  next_stamp();
  out.locations.reserve(batch.steps.size());
  out.calls.reserve(batch.steps.size());
  out.scalars.reserve(batch.scalars.size());
  uint32_t number = 0;  // id of the next value
  uint32_t slot = tape.first;
  for (const Batch::Step& step : batch.steps) {
    Node& node = (*this)[Value{slot}];
    if (node.op != step.op || node.operands.size() != step.operand_count ||
        node.attributes.size() != step.attribute_count)
      return false;
    const uint32_t* wanted = batch.operands.data() + step.operands;
    for (const Value operand : node.operands) {
      uint32_t here = operand.id;
      if (operand != kNone) {
        Node& source = (*this)[operand];
        if (source.stamp != stamp_) {
          if (!is_input(batch, number, source)) return false;
          source.stamp = stamp_;
          source.index = number++;
          out.inputs.push_back(source.buffer);
        }
        here = source.index;
      }
      if (here != *wanted++) return false;
    }
    const int64_t* const attributes = batch.attributes.data() + step.attributes;
    const uint32_t scalars = info(step.op).scalars;
    for (uint32_t i = 0; i < scalars; ++i) out.scalars.push_back(node.attributes[i]);
    for (uint32_t i = scalars; i < step.attribute_count; ++i)
      if (node.attributes[i] != attributes[i]) return false;
    const Batch::Item& item = batch.values[number];
    if (number != step.result || item.dtype != node.dtype || item.device != node.device.index ||
        !std::ranges::equal(batch.sizes(number), Sizes(node.shape)))
      return false;
    node.index = number++;
    node.stamp = stamp_;
    if (node.holders != 0) {
      const size_t root = out.roots.size();
      if (root >= batch.roots.size() || batch.roots[root] != node.index) return false;
      out.roots.push_back(Value{slot});
    }
    out.locations.push_back(node.location);
    out.calls.push_back(node.call);
    if (node.undo != 0) put_undos(node, out);
    if (node.labelled) {
      out.labels.resize(out.locations.size());
      out.labels.back() = labels_.at(slot);
    }
    slot = node.next;
  }
  if (!out.labels.empty()) out.labels.resize(batch.steps.size());
  out.nodes = tape.nodes;
  return out.roots.size() == batch.roots.size() && add_backs(tape, out) == kNone;
}

void Graph::detach(Tape& tape) noexcept {
  for (uint32_t slot = tape.first; slot != kNone.id;) {
    Node& node = (*this)[Value{slot}];
    const uint32_t next = node.next;
    node.state = State::InFlight;
    for_each_needed(node, [&](Value needed) {
      Node& source = (*this)[needed];
      if (--source.consumers != 0) return;
      if (source.grad != 0) unlink_if_out_of_reach(source);
      // Consumers come after their operands, so the last one frees an operand.
      if (source.holders == 0 && source.state != State::Pending) vacate(needed.id);
    });
    node.operands.clear();
    if (node.undo != 0) forget_undos(node);
    if (node.holders == 0 && node.consumers == 0) vacate(slot);
    slot = next;
  }
  pending_nodes -= tape.nodes;
  tape.began = tape.trail;
  tape.recorded = 0;
  tape.rhythm.clear();
  tape.path = 0;
  tape.first = tape.last = kNone.id;
  tape.nodes = 0;
  tape.bytes = 0;
  tape.units = 0;
  release_dead_records();
}

}  // namespace rt
