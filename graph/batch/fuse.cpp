// fuse.cpp -- makes each group a batch of its own, and one step of the batch.
#include "graph/batch/fuse.h"

#include <algorithm>
#include <bit>
#include <queue>
#include <unordered_map>

#include "graph/ops/infer.h"

namespace rt {
namespace {

/// As the function below, for the group of these steps.
bool fits_over_input(const Batch& batch, const Members& group, const std::vector<bool>& leaves) {
  std::vector<uint32_t> results, operands;
  for (const uint32_t member : group) {
    const Batch::Step& step = batch.steps[member];
    if (leaves[step.result]) results.push_back(step.result);
    for (const uint32_t operand : batch.operands_of(step))
      if (batch.is_input(operand)) operands.push_back(operand);
  }
  return rt::fits_over_input(batch, results, operands);
}

/// The order of groups and of steps without one, each as its first member: as recorded, except for
/// what has to wait, and for groups that come last; see fuse().
std::vector<uint32_t> order_of(const Batch& batch, const std::vector<Members>& members,
                               const std::vector<uint32_t>& group_of,
                               const std::vector<bool>& leaves) {
  const std::vector<uint32_t> producer = producers(batch);
  const auto unit = [&](uint32_t step) {
    return group_of[step] == Groups::kNone ? step : members[group_of[step]].front();
  };
  const auto steps = static_cast<uint32_t>(batch.steps.size());
  std::vector<std::vector<uint32_t>> users(steps);
  std::vector<uint32_t> waits(steps, 0), last(steps, 0);
  uint32_t last_effect = Groups::kNone;
  const auto before = [&](uint32_t first, uint32_t second) {
    if (first == second) return;
    users[first].push_back(second);
    ++waits[second];
  };
  for (uint32_t step = 0; step < steps; ++step) {
    last[unit(step)] = step;
    for (const uint32_t operand : batch.operands_of(batch.steps[step]))
      if (operand != rt::kNone.id && producer[operand] != Groups::kNone)
        before(unit(producer[operand]), unit(step));
    if (info(batch.steps[step].op).rules.effect == Effect::None) continue;
    if (last_effect != Groups::kNone) before(last_effect, step);
    last_effect = step;
  }
  const auto later = [&last](uint32_t a, uint32_t b) { return last[a] > last[b]; };
  std::priority_queue<uint32_t, std::vector<uint32_t>, decltype(later)> ready(later);
  for (uint32_t step = 0; step < steps; ++step)
    if (unit(step) == step && waits[step] == 0) ready.push(step);
  std::vector<uint32_t> order;
  while (!ready.empty()) {
    order.push_back(ready.top());
    ready.pop();
    for (const uint32_t user : users[order.back()])
      if (--waits[user] == 0) ready.push(user);
  }
  std::vector<bool> cannot_fail(steps), is_late(steps);  // with all that waits for it
  for (size_t i = order.size(); i-- > 0;)
    cannot_fail[order[i]] =
        group_of[order[i]] != Groups::kNone &&
        std::ranges::all_of(users[order[i]], [&](uint32_t user) { return cannot_fail[user]; });
  for (const uint32_t at : order) {
    if (!cannot_fail[at]) continue;
    if (!is_late[at]) is_late[at] = fits_over_input(batch, members[group_of[at]], leaves);
    if (is_late[at])
      for (const uint32_t user : users[at]) is_late[user] = true;
  }
  std::ranges::stable_partition(order, [&](uint32_t at) { return !is_late[at]; });
  return order;
}

/// Builds the batch in which each group is one step.
class Fusing {
 public:
  Fusing(const Batch& batch, const Groups& groups)
      : batch_(batch), leaves_(leaving(batch, groups.of_step)), number_(batch.values.size()) {
    std::vector<Members> members(groups.count);
    for (uint32_t step = 0; step < batch.steps.size(); ++step)
      if (groups.of_step[step] != Groups::kNone) members[groups.of_step[step]].push_back(step);
    fused_.scalars = batch.scalars;
    fused_.free_scalars = batch.free_scalars;
    for (uint32_t value = 0; value < batch.values.size(); ++value)
      if (batch.is_input(value)) number_[value] = input(value);
    for (const uint32_t first : order_of(batch, members, groups.of_step, leaves_)) {
      const uint32_t group = groups.of_step[first];
      if (group == Groups::kNone) copy(batch.steps[first]);
      else fuse(members[group]);
    }
    for (const uint32_t root : batch.roots) fused_.roots.push_back(number_[root]);
  }
  Batch result() { return std::move(fused_); }

 private:
  uint32_t input(uint32_t value) {
    const Batch::Item& item = batch_.values[value];
    const bool strided = item.flags & Batch::kStrided;
    return fused_.add_input(item.dtype, Device{item.device}, batch_.sizes(value),
                            strided ? batch_.strides(value) : Sizes{});
  }

  void copy(const Batch::Step& step) {
    std::vector<uint32_t> operands;
    for (const uint32_t operand : batch_.operands_of(step))
      operands.push_back(operand == rt::kNone.id ? operand : number_[operand]);
    const TensorType type = batch_.type(step.result);
    number_[step.result] = fused_.add_step(step.op, operands, batch_.attributes_of(step).attributes,
                                           type.dtype, type.device, type.sizes);
  }

  void fuse(const Members& members) {
    Batch group;
    std::vector<int64_t> scalars;
    number_scalars(members, group, scalars);
    std::unordered_map<uint32_t, uint32_t> inside;
    std::vector<uint32_t> inputs, operands, results;
    size_t attr = 0;
    for (const uint32_t member : members) {
      const Batch::Step& step = batch_.steps[member];
      operands.clear();
      for (const uint32_t operand : batch_.operands_of(step)) {
        const auto [known, fresh] = inside.try_emplace(operand);
        if (fresh) {
          const TensorType type = batch_.type(operand);
          known->second = group.add_input(type.dtype, type.device, type.sizes);
          inputs.push_back(number_[operand]);
        }
        operands.push_back(known->second);
      }
      std::vector<int64_t> attributes(batch_.attributes_of(step).attributes.begin(),
                                      batch_.attributes_of(step).attributes.end());
      for (uint32_t i = 0; i < info(step.op).scalars; ++i)
        attributes[i] = scalar_attributes_[attr++];
      const TensorType type = batch_.type(step.result);
      const uint32_t result =
          group.add_step(step.op, operands, attributes, type.dtype, type.device, type.sizes);
      inside[step.result] = result;
      if (!leaves_[step.result]) continue;
      group.roots.push_back(result);
      results.push_back(step.result);
    }
    if (results.empty()) return;  // its results are not used
    uint32_t number = fused_.add_fused(std::move(group), inputs, scalars);
    for (const uint32_t result : results) number_[result] = number++;
  }

  /// Gives each position of a free scalar an index of its own, and equal constants one index.
  /// Writes the indices of all positions to scalar_attributes_.
  void number_scalars(const Members& members, Batch& group, std::vector<int64_t>& scalars) {
    std::vector<int64_t> constants;
    scalar_attributes_.clear();
    for (const uint32_t member : members) {
      const AttributesView attributes = batch_.attributes_of(batch_.steps[member]);
      for (uint32_t i = 0; i < attributes.row.scalars; ++i) {
        const int64_t number = attributes.scalar(i);
        if (number < batch_.free_scalars) {
          scalar_attributes_.push_back(static_cast<int64_t>(scalars.size()));
          scalars.push_back(number);
          continue;
        }
        const int64_t bits = batch_.scalars[static_cast<size_t>(number)];
        const auto slot = std::ranges::find(constants, bits) - constants.begin();
        if (slot == std::ssize(constants)) constants.push_back(bits);
        scalar_attributes_.push_back(-1 - slot);
      }
    }
    group.free_scalars = static_cast<uint32_t>(scalars.size());
    for (int64_t& attr : scalar_attributes_)
      if (attr < 0) attr = group.free_scalars - 1 - attr;
    for (const int64_t number : scalars)
      group.scalars.push_back(batch_.scalars[static_cast<size_t>(number)]);
    group.scalars.insert(group.scalars.end(), constants.begin(), constants.end());
  }

  const Batch& batch_;
  const std::vector<bool> leaves_;
  std::vector<uint32_t> number_;            ///< new ids by old ids
  std::vector<int64_t> scalar_attributes_;  ///< of the present group
  Batch fused_;
};

}  // namespace

bool fits_over_input(const Batch& batch, std::span<const uint32_t> results,
                     std::span<const uint32_t> operands) {
  return std::ranges::any_of(results, [&](uint32_t result) {
    const Batch::Item& item = batch.values[result];
    const Sizes sizes = batch.sizes(result);
    return numel(sizes) * item_size(item.dtype) >= kLargeResult &&
           std::ranges::any_of(operands, [&](uint32_t operand) {
             const Batch::Item& is = batch.values[operand];
             return is.flags == Batch::kInput && is.dtype == item.dtype &&
                    std::ranges::equal(batch.sizes(operand), sizes);
           });
  });
}

Batch fuse(const Batch& batch, size_t least) {
  return Fusing(batch, fusion_groups(batch, least)).result();
}

}  // namespace rt
