// passes.cpp -- common subexpressions, decomposition, extraction of a step, last uses.
#include "graph/batch/passes.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <unordered_set>

#include "graph/batch/batch_builder.h"
#include "graph/error.h"

namespace rt {
namespace {

constexpr uint32_t kUnset = 0xffffffffu;

/// Copies parts of a batch into another, and keeps the new ids of values.
class Copier {
 public:
  Copier(const Batch& from, Batch& to)
      : from_(from), to_(to), number_(from.values.size(), kUnset) {}

  /// The new id of a value of the old batch. An input is added when it is first asked for, after
  /// all inputs with smaller ids, because callers pass inputs in this order.
  uint32_t value(uint32_t old) {
    if (old == kNone.id) return old;
    if (number_[old] == kUnset) inputs(old + 1);
    return number_[old];
  }
  /// A value of the old batch as an input of the new one.
  uint32_t as_input(uint32_t old) {
    if (old == kNone.id) return old;
    if (number_[old] == kUnset) number_[old] = input(old);
    return number_[old];
  }
  std::span<const uint32_t> operands(const Batch::Step& step) {
    operands_.clear();
    for (uint32_t operand : from_.operands_of(step)) operands_.push_back(value(operand));
    return operands_;
  }
  void bind(uint32_t old, uint32_t now) { number_[old] = now; }

  /// Appends the step as it is, with `operands` of the new batch.
  uint32_t step(const Batch::Step& step, std::span<const uint32_t> operands) {
    const Batch::Item& item = from_.values[step.result];
    const uint32_t result = to_.add_step(step.op, operands, from_.attributes_of(step).attributes,
                                         item.dtype, Device{item.device}, from_.sizes(step.result));
    bind(step.result, result);
    return result;
  }
  /// Copies all scalars, which keep their indices.
  void scalars() {
    to_.scalars = from_.scalars;
    to_.free_scalars = from_.free_scalars;
  }
  void roots() {
    for (uint32_t root : from_.roots) to_.roots.push_back(value(root));
  }
  /// Adds the missing inputs whose ids are below `below`.
  void inputs(uint32_t below) {
    for (; next_input_ < below; ++next_input_)
      if (from_.is_input(next_input_)) number_[next_input_] = input(next_input_);
  }
  void inputs() { inputs(static_cast<uint32_t>(from_.values.size())); }

 private:
  uint32_t input(uint32_t old) {
    const Batch::Item& item = from_.values[old];
    const bool strided = item.flags & Batch::kStrided;
    return to_.add_input(item.dtype, Device{item.device}, from_.sizes(old),
                         strided ? from_.strides(old) : Sizes{});
  }

  const Batch& from_;
  Batch& to_;
  std::vector<uint32_t> number_;  ///< new ids by old ids
  std::vector<uint32_t> operands_;
  uint32_t next_input_ = 0;
};

/// Hashes and compares steps of one batch by op, operands, attributes and type of the result.
struct SameStep {
  const Batch& batch;
  size_t operator()(uint32_t i) const {
    const Batch::Step& step = batch.steps[i];
    const Batch::Item& item = batch.values[step.result];
    const auto hash = [](const auto& list, uint64_t seed) {
      return XXH3_64bits_withSeed(list.data(), list.size_bytes(), seed);
    };
    const uint64_t type = static_cast<uint64_t>(step.op) << 16 |
                          static_cast<uint64_t>(item.dtype) << 8 |
                          static_cast<uint8_t>(item.device);
    const uint64_t operands = hash(batch.operands_of(step), type);
    return hash(batch.sizes(step.result), hash(batch.attributes_of(step).attributes, operands));
  }
  bool operator()(uint32_t i, uint32_t k) const {
    const Batch::Step &a = batch.steps[i], &b = batch.steps[k];
    const Batch::Item &of_a = batch.values[a.result], &of_b = batch.values[b.result];
    return a.op == b.op && of_a.dtype == of_b.dtype && of_a.device == of_b.device &&
           std::ranges::equal(batch.operands_of(a), batch.operands_of(b)) &&
           std::ranges::equal(batch.attributes_of(a).attributes,
                              batch.attributes_of(b).attributes) &&
           std::ranges::equal(batch.sizes(a.result), batch.sizes(b.result));
  }
};

/// Removes the last step and the last value of a batch.
void drop_last_step(Batch& batch) {
  const Batch::Step step = batch.steps.back();
  batch.dims.resize(batch.values.back().dims);
  batch.attributes.resize(step.attributes);
  batch.operands.resize(step.operands);
  batch.values.pop_back();
  batch.steps.pop_back();
}

bool same_type(const TensorType& a, const TensorType& b) {
  return a.dtype == b.dtype && a.device == b.device && std::ranges::equal(a.sizes, b.sizes);
}

}  // namespace

Batch merge_common(const Batch& batch) {
  Batch merged;
  Copier copier(batch, merged);
  copier.scalars();
  const SameStep same{merged};
  std::unordered_set<uint32_t, SameStep, SameStep> seen(batch.steps.size(), same, same);
  for (const Batch::Step& step : batch.steps) {
    copier.step(step, copier.operands(step));
    if (info(step.op).rules.effect != Effect::None) continue;
    const auto last = static_cast<uint32_t>(merged.steps.size() - 1);
    const auto [first, fresh] = seen.insert(last);
    if (fresh) continue;
    drop_last_step(merged);
    copier.bind(step.result, merged.steps[*first].result);
  }
  copier.inputs();
  copier.roots();
  return merged;
}

Batch decompose(const Batch& batch, bool (*wanted)(const Batch&, uint32_t step)) {
  Batch flat;
  Copier copier(batch, flat);
  copier.scalars();
  BatchBuilder build(flat);
  for (uint32_t number = 0; number < batch.steps.size(); ++number) {
    const Batch::Step& step = batch.steps[number];
    const std::span<const uint32_t> operands = copier.operands(step);
    const OpInfo& row = info(step.op);
    if (!row.rules.decompose || (wanted && !wanted(batch, number))) {
      copier.step(step, operands);
      continue;
    }
    const TensorType type = batch.type(step.result);
    Args args;
    args.op = step.op;
    for (uint32_t operand : operands) args.operands.push_back({operand});
    args.attributes.assign(batch.attributes_of(step).attributes);
    args.shape.assign(type.sizes);
    args.dtype = type.dtype;
    args.device = type.device;
    const Value result = row.rules.decompose(build, args);
    if (!same_type(flat.type(result.id), type))
      fail("the decomposition of ", row.name, " gives ",
           to_string(flat.type(result.id).dtype, flat.sizes(result.id)), ", not ",
           to_string(type.dtype, type.sizes));
    copier.bind(step.result, result.id);
  }
  copier.inputs();
  copier.roots();
  return flat;
}

Batch extract(const Batch& batch, uint32_t step_number) {
  Batch alone;
  Copier copier(batch, alone);
  const Batch::Step& step = batch.steps[step_number];
  std::vector<uint32_t> operands;
  for (uint32_t operand : batch.operands_of(step)) operands.push_back(copier.as_input(operand));
  alone.roots.push_back(copier.step(step, operands));
  const uint8_t scalars = info(step.op).scalars;
  for (uint32_t i = 0; i < scalars; ++i) {
    alone.scalars.push_back(batch.scalars[static_cast<size_t>(alone.attributes[i])]);
    alone.attributes[i] = i;
  }
  alone.free_scalars = scalars;
  return alone;
}

LastUses last_uses(const Batch& batch) {
  constexpr uint32_t kKept = kUnset;
  std::vector<uint32_t> last(batch.values.size(), kKept);  // the last step that needs the value
  for (uint32_t i = 0; i < batch.steps.size(); ++i) {
    for (uint32_t k = 0; k < batch.steps[i].results; ++k) last[batch.steps[i].result + k] = i;
    for (uint32_t operand : batch.operands_of(batch.steps[i]))
      if (operand != kNone.id) last[operand] = i;
  }
  for (uint32_t root : batch.roots) last[root] = kKept;
  LastUses uses;
  uses.ends.assign(batch.steps.size(), 0);
  for (uint32_t step : last)
    if (step != kKept) ++uses.ends[step];
  uint32_t total = 0;
  for (uint32_t& end : uses.ends) end = total += end;
  uses.values.resize(total);
  // Filled from the back: each end moves down to its beginning, and is restored afterwards.
  for (uint32_t value = static_cast<uint32_t>(last.size()); value-- > 0;)
    if (last[value] != kKept) uses.values[--uses.ends[last[value]]] = value;
  for (size_t i = 0; i + 1 < uses.ends.size(); ++i) uses.ends[i] = uses.ends[i + 1];
  if (!uses.ends.empty()) uses.ends.back() = total;
  return uses;
}

}  // namespace rt
