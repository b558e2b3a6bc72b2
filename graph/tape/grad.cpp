// grad.cpp -- the gradients of a Graph: records of nodes, and the backward pass.
#include "graph/tape/grad.h"

#include <algorithm>

#include "graph/error.h"
#include "graph/ops/vjp.h"
#include "graph/tape/tape.h"

namespace rt {

uint32_t GradRecords::add() {
  uint32_t number = free_;
  if (number == 0) {
    number = static_cast<uint32_t>(records_.size());
    if (number == UINT32_MAX)
      fail("there are ", number,
           " records of gradients and no more are possible; free some values");
    records_.emplace_back();
  } else {
    free_ = records_[number].next;
  }
  ++live_;
  GradRecord& record = records_[number];
  record.leaf = record.released = record.zeros = record.spoiled = record.stepped = false;
  record.wanted = true;
  record.references = record.part = 0;
  record.stamp = 0;
  record.order = ++order_;
  record.value = record.gradient = record.incoming = record.result = kNone;
  record.operands.clear();
  return number;
}

void GradRecords::remove(uint32_t number) noexcept {
  records_[number].next = std::exchange(free_, number);
  --live_;
}

bool Graph::is_leaf(Value value) const {
  const uint32_t record = (*this)[value].grad;
  return record == 0 || records_[record].leaf;
}

bool Graph::wants_gradient(const Args& args) const {
  if (records_.empty() || !is_float(args.dtype)) return false;
  const bool wanted = std::ranges::any_of(
      args.operands, [&](Value value) { return value != kNone && takes_part(value); });
  if (!wanted) return false;
  const Rules& rules = info(args.op).rules;
  return rules.vjp || rules.graded || rules.decompose;
}

void Graph::link(Value value, uint32_t record) {
  unlink_gradient((*this)[value]);
  (*this)[value].grad = record;
  ++records_[record].references;
}

/// Unlinks a value from its record, which ends when no other record needs it.
void Graph::unlink_gradient(Node& node) {
  if (node.grad != 0) drop(std::exchange(node.grad, 0));
}

/// Unlinks a value that no client can reach, because only its own record holds it. Values computed
/// from it need the record and not the link, and nothing can read a leaf's gradient.
void Graph::unlink_if_out_of_reach(Node& node) {
  if (node.holders == (node.keeps_itself ? 1 : 0)) unlink_gradient(node);
}

void Graph::drop(uint32_t record) {
  if (--records_[record].references == 0) records_[record].next = std::exchange(dying_, record);
}

/// Releases the values that a record has saved.
void Graph::release_saved(GradRecord& record) {
  for (GradRecord::Operand& operand : record.operands) {
    if (operand.saved == kNone) continue;
    release_value(std::exchange(operand.saved, kNone));
    record.released = true;
  }
  if (record.result == kNone) return;
  (*this)[record.result].keeps_itself = false;
  release_value(std::exchange(record.result, kNone));
  record.released = true;
}

/// Frees the records that nothing needs any more, and the values that only they held.
void Graph::release_dead_records() {
  while (dying_ != 0) {
    const uint32_t number = dying_;
    GradRecord& record = records_[number];
    dying_ = record.next;
    release_saved(record);
    if (record.gradient != kNone) release_value(std::exchange(record.gradient, kNone));
    for (const GradRecord::Operand& operand : record.operands)
      if (operand.record != 0) drop(operand.record);
    records_.remove(number);
  }
}

void Graph::track(Value result, const Args& args) {
  const Rules& rules = info(args.op).rules;
  const uint32_t number = records_.add();
  GradRecord& record = records_[number];
  try {
    record.op = args.op;
    record.attributes.assign(args.attributes);
    record.result_sizes.assign(args.shape);
    record.result_type = {.dtype = args.dtype, .device = args.device, .sizes = {}};
    record.operands.resize(args.operands.size());
    for (uint32_t i = 0; i < args.operands.size(); ++i) {
      GradRecord::Operand& operand = record.operands[i];
      operand = {.record = 0, .saved = kNone, .type = type(args.operands[i]), .sizes = {}};
      operand.sizes.assign(operand.type.sizes);
    }
  } catch (...) {
    records_.remove(number);
    throw;
  }
  int saves = kNothing;
  for (uint32_t i = 0; i < args.operands.size(); ++i) {
    GradRecord::Operand& operand = record.operands[i];
    if (args.operands[i] == kNone || !takes_part(args.operands[i])) continue;
    operand.record = (*this)[args.operands[i]].grad;
    ++records_[operand.record].references;
    saves |= rules.saves[std::min<size_t>(i, std::size(rules.saves) - 1)];
  }
  for (uint32_t i = 0; i < args.operands.size(); ++i) {
    if (i >= std::size(rules.saves) || !(saves >> i & 1) || args.operands[i] == kNone) continue;
    record.operands[i].saved = args.operands[i];
    hold(args.operands[i]);
  }
  if (saves & kResult) {
    record.result = result;
    hold(result);
    (*this)[result].keeps_itself = true;
  }
  link(result, number);
}

void Graph::make_leaf(Value value) {
  const uint32_t number = records_.add();
  records_[number].leaf = true;
  link(value, number);
  records_[number].value = value;
  release_dead_records();
}

void Graph::carry_gradient(Value from, Value to) {
  const uint32_t record = (*this)[from].grad;
  if (record == 0) return;
  link(to, record);
  records_[record].value = to;
}

Value Graph::leaf(Leaf of) const {
  const GradRecord& record = records_[of.record];
  const bool is_there =
      record.order == of.order && record.value != kNone && (*this)[record.value].grad == of.record;
  return is_there ? record.value : kNone;
}

/// The records that a value was computed from, its own first.
std::vector<uint32_t> Graph::below(Value value) {
  constexpr size_t kMaxOften = 32;
  std::vector<uint32_t> found;
  found.reserve(kMaxOften);
  const uint64_t pass = ++passes_;
  const auto visit = [&](uint32_t record) {
    if (record == 0 || records_[record].stamp == pass) return;
    records_[record].stamp = pass;
    found.push_back(record);
  };
  visit((*this)[value].grad);
  for (size_t i = 0; i < found.size(); ++i)
    for (const GradRecord::Operand& operand : records_[found[i]].operands) visit(operand.record);
  return found;
}

void Graph::spoil(Value value) {
  for (const uint32_t number : below(value)) records_[number].spoiled = true;
}

std::vector<uint32_t> Graph::reach(Value value) {
  std::vector<uint32_t> found = below(value);
  std::ranges::sort(found, std::greater(), [&](uint32_t record) { return records_[record].order; });
  for (const uint32_t record : found) {
    if (!records_[record].released) continue;
    fail("the graph below it was gone through by a backward before, which let go of what ",
         info(records_[record].op).symbol, " had kept; record the forward pass again");
  }
  return found;
}

void Graph::add_incoming(Builder& build, uint32_t record, Value gradient) {
  Value& incoming = records_[record].incoming;
  const Value sum = incoming == kNone ? gradient : build.op(Op::Add, {incoming, gradient});
  hold(sum);
  if (incoming != kNone) release_value(incoming);
  incoming = sum;
}

/// The slice of a record: its dimension and its range there, without a step.
struct SliceRange {
  explicit SliceRange(const GradRecord& record) {
    const AttributesView attributes{info(record.op), record.attributes};
    start = attributes.scalar(0), end = attributes.scalar(1);
    dim = attributes.integer(0), step = attributes.integer(1);
  }
  int64_t start, end, dim, step;
};

/// True for the record of a slice whose gradient is a part, see GradPart.
static bool is_part(const GradRecord& record) {
  return record.op == Op::Slice && record.operands[0].record != 0 && SliceRange(record).step == 1;
}

/// Keeps the gradient of a slice as a part of its operand's gradient.
void Graph::add_part(uint32_t slice) {
  const GradRecord& record = records_[slice];
  uint32_t& newest = records_[record.operands[0].record].part;
  parts_.push_back({newest, slice, record.incoming});
  newest = static_cast<uint32_t>(parts_.size());
  hold(record.incoming);
}

/// Adds the parts of a record's gradient to it: one after the other, with zeros in between, where
/// there are several and none overlaps another; else each with zeros around it.
void Graph::join_parts(Builder& build, uint32_t number) {
  uint32_t part = std::exchange(records_[number].part, 0);
  if (part == 0) return;
  std::vector<GradPart*> parts;
  for (; part != 0; part = parts_[part - 1].next) parts.push_back(&parts_[part - 1]);
  std::ranges::reverse(parts);
  const auto range = [&](const GradPart* at) { return SliceRange(records_[at->slice]); };
  const auto release_parts = [&] {
    for (GradPart* at : parts) release_value(std::exchange(at->gradient, kNone));
  };
  const Shape whole = records_[parts[0]->slice].operands[0].sizes;
  const int64_t dim = range(parts[0]).dim;
  std::vector<GradPart*> sorted = parts;
  std::ranges::sort(sorted, {}, [&](const GradPart* at) { return range(at).start; });
  bool joined = parts.size() > 1;
  for (size_t i = 0; i < sorted.size(); ++i)
    joined = joined && range(sorted[i]).dim == dim &&
             (i == 0 || range(sorted[i - 1]).end <= range(sorted[i]).start);
  if (!joined) {
    for (GradPart* at : parts) {
      const SliceRange is = range(at);
      const Expr gradient(build, at->gradient);
      add_incoming(build, number,
                   vjp::slice_backward(gradient, is.dim, is.start, is.end, is.step, whole).value());
    }
    return release_parts();
  }
  Args all;
  all.op = Op::Cat;
  all.attributes = {dim};
  int64_t done = 0;
  const auto zeros_to = [&](int64_t end) {
    if (end == done) return;
    Shape gap = whole;
    gap[static_cast<uint32_t>(dim)] = end - done;
    all.operands.push_back(Expr(build, parts[0]->gradient).filled(0, gap).value());
  };
  for (const GradPart* at : sorted) {
    const SliceRange is = range(at);
    zeros_to(is.start);
    all.operands.push_back(at->gradient);
    done = is.end;
  }
  zeros_to(whole[static_cast<uint32_t>(dim)]);
  add_incoming(build, number, build.append(all));
  release_parts();
}

/// Adds the gradients of a record's operands to the records of these operands.
void Graph::differentiate(Builder& build, uint32_t number) {
  const GradRecord& record = records_[number];
  if (is_part(record)) return add_part(number);
  Small<Value, 6> operands;
  std::vector<TensorType>& types = types_;
  types.clear();
  for (const GradRecord::Operand& operand : record.operands) {
    operands.push_back(operand.saved);
    types.push_back(operand.type);
    types.back().sizes = operand.sizes;
  }
  TensorType result_type = record.result_type;
  result_type.sizes = record.result_sizes;
  const OpInfo& row = info(record.op);
  const Vjp of{.build = build,
               .row = row,
               .attributes = record.attributes,
               .operands = operands,
               .types = types,
               .result_value = record.result,
               .result_type = result_type,
               .gradient = record.incoming};
  for (uint32_t i = 0; i < record.operands.size(); ++i) {
    if (record.operands[i].record == 0) continue;
    if (const Expr gradient = row.rules.vjp(of, i))
      add_incoming(build, record.operands[i].record, fitted(gradient, types[i]).value());
  }
}

/// True where a finished pass has a gradient for a leaf.
static bool takes_gradient(const GradRecord& record) {
  return record.leaf && record.incoming != kNone && record.wanted;
}

void Graph::backward(Builder& build, Value value, std::span<const uint32_t> records) {
  try {
    const TensorType root = type(value);
    Args ones;
    ones.op = Op::Full;
    ones.attributes = {build.constant(1)};
    ones.shape.assign(root.sizes);
    ones.dtype = root.dtype;
    ones.device = root.device;
    const Value first = build.append(ones);
    add_incoming(build, (*this)[value].grad, first);
    if (const uint32_t of = (*this)[value].grad; (*this)[value].state == State::Pending)
      note_undo(first, {.from = value, .leaf = of, .order = records_[of].order});
    for (const uint32_t number : records) {
      GradRecord& record = records_[number];
      join_parts(build, number);
      if (record.leaf || record.incoming == kNone) continue;
      differentiate(build, number);
      release_value(std::exchange(record.incoming, kNone));
    }
    for (const uint32_t number : records) {
      if (!takes_gradient(records_[number])) continue;
      if (records_[number].gradient != kNone)
        add_incoming(build, number, records_[number].gradient);
      note_gradient(number, records_[number].incoming);
    }
  } catch (...) {
    end_pass(records);
    throw;
  }
  // Leaves change last, so that a pass that fails changes none.
  for (const uint32_t number : records) {
    GradRecord& record = records_[number];
    if (!takes_gradient(record)) continue;
    if (record.gradient != kNone) release_value(record.gradient);
    record.gradient = std::exchange(record.incoming, kNone);
    record.zeros = record.spoiled = record.stepped = false;
  }
  for (const uint32_t number : records) release_saved(records_[number]);
  end_pass(records);
}

void Graph::renew_gradient(Value leaf, Value now) {
  note_gradient((*this)[leaf].grad, now);
  GradRecord& record = record_of(leaf);
  hold(now);
  const Value before = std::exchange(record.gradient, now);
  record.zeros = false;
  if (before != kNone) release(before);
}

/// Notes the way back before `now` replaces a leaf's gradient.
void Graph::note_gradient(uint32_t number, Value now) {
  const GradRecord& record = records_[number];
  if ((*this)[now].state != State::Pending) return;
  note_undo(now, {.before = record.gradient,
                  .leaf = number,
                  .zeros = record.zeros,
                  .unit = begin_unit(*tapes_[(*this)[now].tape]),
                  .order = record.order});
}

void Graph::put_back_gradient(const Undo& undo, Value now, BufferRef before) {
  GradRecord& record = records_[undo.leaf];
  // The leaf may have another gradient by now, or the record may be of another value.
  if (record.order != undo.order || record.gradient != now) return;
  record.zeros = undo.zeros;
  record.spoiled = !record.stepped;  // a step that took the pass went back too
  record.gradient = kNone;
  try {
    if (before) {
      record.gradient = concrete(std::move(before), (*this)[now].location);
      hold(record.gradient);
    }
  } catch (const std::bad_alloc&) {  // the leaf has no gradient then
  }
  release(now);
}

/// Releases the gradients that no leaf took, and the records that have ended.
void Graph::end_pass(std::span<const uint32_t> records) {
  for (const uint32_t number : records) {
    records_[number].part = 0;
    if (records_[number].incoming != kNone)
      release_value(std::exchange(records_[number].incoming, kNone));
  }
  for (const GradPart& part : parts_)
    if (part.gradient != kNone) release_value(part.gradient);
  parts_.clear();
  release_dead_records();
}

}  // namespace rt
