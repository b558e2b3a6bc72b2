// fusion_groups.cpp -- cuts the groups that are too big, and says why a step is in none.
#include "graph/batch/fusion_groups.h"

#include <algorithm>
#include <optional>

#include "graph/ops/infer.h"

namespace rt {
namespace {

constexpr uint32_t kConversions = 3;  ///< registers for the conversions of one step's operands

/// The reason that keeps a step out of all groups, if there is one.
std::optional<Unfused> obstacle(const Batch& batch, const Batch::Step& step) {
  const Rules& rules = info(step.op).rules;
  if (rules.effect == Effect::Random) return Unfused::Random;
  if (rules.kernel != Kernel::Elementwise && !is_fold(step.op)) return Unfused::NotElementwise;
  if (info(step.op).can_fail()) return Unfused::CanFail;
  if (batch.values[step.result].device >= 0) return Unfused::OnCuda;
  for (uint32_t i = 0; i < step.operand_count; ++i)
    if (step.op != Op::Cast && is_half(operand_dtype(batch, step, i))) return Unfused::DTypeRefused;
  return std::nullopt;
}

/// Cuts groups where a program of them would need too many registers.
class Cutter {
 public:
  Cutter(const Batch& batch, const std::vector<Members>& groups)
      : batch_(batch), part_of_(batch.values.size(), Groups::kNone), last_(batch.values.size(), 0) {
    std::vector<uint32_t> group_of(batch.steps.size(), Groups::kNone);
    for (uint32_t group = 0; group < groups.size(); ++group)
      for (const uint32_t step : groups[group]) {
        group_of[step] = group;
        for (const uint32_t operand : batch.operands_of(batch.steps[step])) last_[operand] = step;
      }
    leaves_ = leaving(batch, group_of);
  }

  void cut(const Members& group, std::vector<Members>& parts) {
    begin(parts);
    for (const uint32_t step : group) {
      if (add(step, parts.size()) > kMaxRegisters && !parts.back().empty()) {
        begin(parts);
        add(step, parts.size());
      }
      // A fold must be in the part that computes its operand.
      if (!is_fold(batch_.steps[step].op) || folds_own(step, parts.size()))
        parts.back().push_back(step);
    }
  }

 private:
  struct Need {
    uint32_t results = 0, live = 0, most_live = 0;
    std::vector<uint64_t> inputs;  ///< values, each with the dtype that it is taken in
  };

  void begin(std::vector<Members>& parts) {
    need_ = {};
    parts.emplace_back();
  }
  bool folds_own(uint32_t step, size_t part) const {
    return part_of_[batch_.operands_of(batch_.steps[step])[0]] == part;
  }

  /// Adds the step to the part. Returns the number of registers that the part needs at most.
  uint32_t add(uint32_t number, size_t part) {
    const Batch::Step& step = batch_.steps[number];
    const auto operands = batch_.operands_of(step);
    uint32_t ending = 0;
    for (uint32_t i = 0; i < step.operand_count; ++i) {
      const uint32_t value = operands[i];
      const bool again = std::ranges::find(operands.first(i), value) != operands.begin() + i;
      if (part_of_[value] == part) {
        ending += !again && !leaves_[value] && last_[value] == number;
      } else {
        const uint64_t input =
            uint64_t{value} << 8 | static_cast<uint64_t>(operand_dtype(batch_, step, i));
        if (std::ranges::find(need_.inputs, input) == need_.inputs.end())
          need_.inputs.push_back(input);
      }
    }
    part_of_[step.result] = static_cast<uint32_t>(part);
    if (leaves_[step.result] || is_fold(step.op)) ++need_.results;
    else ++need_.live;
    need_.most_live = std::max(need_.most_live, need_.live);
    need_.live -= ending;
    return static_cast<uint32_t>(need_.inputs.size()) + need_.results + need_.live +
           need_.most_live + kConversions;
  }

  const Batch& batch_;
  std::vector<uint32_t> part_of_;  ///< by value: the part that computes it
  std::vector<uint32_t> last_;     ///< by value: the last member of a group that uses it
  std::vector<bool> leaves_;
  Need need_;
};

/// True where an elementwise step of another size computes one of the step's operands.
bool meets_another_size(const Batch& batch, const std::vector<uint32_t>& producer,
                        const Batch::Step& step) {
  for (const uint32_t operand : batch.operands_of(step)) {
    const uint32_t from = operand == rt::kNone.id ? Groups::kNone : producer[operand];
    if (from == Groups::kNone || obstacle(batch, batch.steps[from]) ||
        is_fold(batch.steps[from].op))
      continue;
    if (!std::ranges::equal(batch.sizes(operand), batch.sizes(step.result))) return true;
  }
  return false;
}

}  // namespace

/// By value, the step that computes it; Groups::kNone for inputs.
std::vector<uint32_t> producers(const Batch& batch) {
  std::vector<uint32_t> made(batch.values.size(), Groups::kNone);
  for (uint32_t i = 0; i < batch.steps.size(); ++i)
    for (uint32_t k = 0; k < batch.steps[i].results; ++k) made[batch.steps[i].result + k] = i;
  return made;
}

/// By value: true for a root, and for a value that is used outside the group that computes it.
std::vector<bool> leaving(const Batch& batch, const std::vector<uint32_t>& group_of) {
  std::vector<bool> leaves(batch.values.size(), false);
  const std::vector<uint32_t> producer = producers(batch);
  for (const uint32_t root : batch.roots) leaves[root] = true;
  for (uint32_t step = 0; step < batch.steps.size(); ++step)
    for (const uint32_t operand : batch.operands_of(batch.steps[step]))
      if (operand != rt::kNone.id && producer[operand] != Groups::kNone &&
          (group_of[step] == Groups::kNone || group_of[producer[operand]] != group_of[step]))
        leaves[operand] = true;
  return leaves;
}

std::string_view text_of(Unfused reason) {
  switch (reason) {
    case Unfused::NotElementwise: return "it is not elementwise";
    case Unfused::Random: return "it draws random numbers";
    case Unfused::OnCuda: return "it runs on CUDA";
    case Unfused::CanFail: return "it can fail when it runs";
    case Unfused::DTypeRefused: return "f16 and bf16 are not computed in groups";
    case Unfused::AnotherSize: return "the elementwise steps beside it have other sizes";
    case Unfused::Alone: return "no elementwise step stands beside it";
  }
  return "";
}

DType operand_dtype(const Batch& batch, const Batch::Step& step, uint32_t operand) {
  const auto operands = batch.operands_of(step);
  switch (step.op) {
    case Op::Cast: return batch.values[operands[0]].dtype;
    case Op::Where: return operand == 0 ? DType::Bool : batch.values[step.result].dtype;
    default: break;
  }
  if (is_fold(step.op)) return batch.values[operands[0]].dtype;
  const DType result = batch.values[step.result].dtype;
  if (result != DType::Bool) return result;
  Small<TensorType, 3> types;
  for (const uint32_t value : operands) types.push_back(batch.type(value));
  return computed_in(info(step.op), {types.data(), types.size()}, result);
}

bool fusible(const Batch& batch, const Batch::Step& step) { return !obstacle(batch, step); }

/// Adds a group for each step that could be in one and is in none.
static void add_alone(const Batch& batch, std::vector<Members>& parts) {
  std::vector<bool> inside(batch.steps.size());
  for (const Members& part : parts)
    for (const uint32_t step : part) inside[step] = true;
  for (uint32_t step = 0; step < batch.steps.size(); ++step)
    if (!inside[step] && fusible(batch, batch.steps[step])) parts.push_back({step});
}

Groups fusion_groups(const Batch& batch, size_t least) {
  const auto steps = static_cast<uint32_t>(batch.steps.size());
  const std::vector<Members> found = find_groups(batch);
  std::vector<Members> parts;
  Cutter cutter(batch, found);
  for (const Members& group : found)
    if (group.size() > 1) cutter.cut(group, parts);
  std::erase_if(parts, [](const Members& part) { return part.size() < 2; });
  if (least == 1) add_alone(batch, parts);
  std::ranges::sort(parts, {}, [](const Members& part) { return part.front(); });
  Groups groups;
  groups.count = static_cast<uint32_t>(parts.size());
  groups.of_step.assign(steps, Groups::kNone);
  for (uint32_t part = 0; part < parts.size(); ++part)
    for (const uint32_t step : parts[part]) groups.of_step[step] = part;

  const std::vector<uint32_t> producer = producers(batch);
  for (const Batch::Step& step : batch.steps) {
    const auto reason = obstacle(batch, step);
    if (reason || is_fold(step.op))
      groups.reasons.push_back(reason.value_or(Unfused::NotElementwise));
    else
      groups.reasons.push_back(meets_another_size(batch, producer, step) ? Unfused::AnotherSize
                                                                         : Unfused::Alone);
  }
  // The reason holds for both sides: also for the step that computes such an operand.
  for (const Batch::Step& step : batch.steps) {
    if (obstacle(batch, step) || is_fold(step.op)) continue;
    for (const uint32_t operand : batch.operands_of(step)) {
      const uint32_t from = producer[operand];
      if (from != Groups::kNone && groups.reasons[from] == Unfused::Alone &&
          !std::ranges::equal(batch.sizes(operand), batch.sizes(step.result)))
        groups.reasons[from] = Unfused::AnotherSize;
    }
  }
  return groups;
}

}  // namespace rt
