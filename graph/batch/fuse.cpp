// fuse.cpp -- finds groups in one walk, cuts those that are too big, makes each a batch of its own.
#include "graph/batch/fuse.h"

#include <algorithm>
#include <bit>
#include <queue>
#include <unordered_map>

#include "graph/ops/infer.h"

namespace rt {
namespace {

constexpr uint32_t kUnset = Groups::kNone;
using Members = std::vector<uint32_t>;  ///< steps of a group, in order

constexpr uint32_t kMaxSteps = 512;   ///< of a group; a longer one runs hardly faster
constexpr uint32_t kMaxFolds = 4;     ///< sums and means of a group, each with memory of its own
constexpr uint32_t kConversions = 3;  ///< registers for the conversions of one step's operands

/// A sum or mean of all elements.
bool is_fold(Op op) { return op == Op::Sum || op == Op::Mean; }

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

/// By value, the step that computes it; kUnset for inputs.
std::vector<uint32_t> producers(const Batch& batch) {
  std::vector<uint32_t> made(batch.values.size(), kUnset);
  for (uint32_t i = 0; i < batch.steps.size(); ++i)
    for (uint32_t k = 0; k < batch.steps[i].results; ++k) made[batch.steps[i].result + k] = i;
  return made;
}

/// Finds groups in one walk. Groups that may still grow are open, and each has one of 64 slots. The
/// dependences of a step are a set of slots. A step joins a group only where none of its operands
/// depends on that group through a step outside.
class Finder {
 public:
  explicit Finder(const Batch& batch)
      : batch_(batch),
        steps_(batch.steps.size()),
        producer_(producers(batch)),
        consumer_(batch.values.size(), kUnset) {}

  /// The members of each group in step order, groups of one included.
  std::vector<Members> run() {
    for (uint32_t step = 0; step < batch_.steps.size(); ++step) slot(step);
    for (Members& members : groups_) std::ranges::sort(members);
    return std::move(groups_);
  }

 private:
  static constexpr uint32_t kSlots = 64;
  using Set = uint64_t;  ///< of slots

  struct StepState {
    uint32_t slot = kUnset;  ///< of its open group
    Set after = 0;           ///< without an open group: slots that it depends on
  };
  struct Slot {
    uint32_t group = kUnset;
    uint32_t into = kUnset;  ///< slot of the group that its group was merged into
    Set names = 0;           ///< its own slot, and those merged into it
    Set after = 0;           ///< slots that its group depends on
    uint32_t folds = 0;
  };

  uint32_t resolved(uint32_t slot) const {
    while (slot != kUnset && slots_[slot].into != kUnset) slot = slots_[slot].into;
    return slot;
  }
  uint32_t slot_of(uint32_t step) const { return resolved(steps_[step].slot); }
  uint32_t producer(uint32_t value) const {
    return value == rt::kNone.id ? kUnset : producer_[value];
  }

  /// A set, with all that its slots depend on.
  Set closed(Set set) const {
    for (Set rest = set; rest; rest &= rest - 1)
      set |= slots_[static_cast<size_t>(std::countr_zero(rest))].after;
    return set;
  }
  Set after_step(uint32_t step) const {
    const uint32_t slot = slot_of(step);
    return slot == kUnset ? closed(steps_[step].after) : slots_[slot].names | slots_[slot].after;
  }

  /// True where the open group in `slot` computes `value` element by element.
  bool produces(uint32_t slot, uint32_t value) const {
    const uint32_t step = producer(value);
    return step != kUnset && slot != kUnset && slot_of(step) == slot &&
           !is_fold(batch_.steps[step].op);
  }
  /// The slots that a step depends on, except through values that the groups in `slot`
  /// and `other` compute.
  Set after_operands(const Batch::Step& step, uint32_t slot, uint32_t other = kUnset) const {
    Set all = 0;
    for (const uint32_t operand : batch_.operands_of(step))
      if (producer(operand) != kUnset && !produces(slot, operand) && !produces(other, operand))
        all |= after_step(producer(operand));
    return all;
  }

  bool has_sizes(uint32_t slot, Sizes sizes) const {
    const uint32_t first = groups_[slots_[slot].group].front();
    return std::ranges::equal(batch_.sizes(batch_.steps[first].result), sizes);
  }
  bool fits(const Batch::Step& step, uint32_t slot) const {
    const Slot& at = slots_[slot];
    return groups_[at.group].size() < kMaxSteps && !(is_fold(step.op) && at.folds == kMaxFolds) &&
           !(after_operands(step, slot) & at.names);
  }

  void slot(uint32_t number) {
    const Batch::Step& step = batch_.steps[number];
    if (obstacle(batch_, step)) return outside(number);
    const bool fold = is_fold(step.op);
    const Sizes sizes = batch_.sizes(fold ? batch_.operands_of(step)[0] : step.result);
    uint32_t home = kUnset;
    for (const uint32_t operand : batch_.operands_of(step)) {
      const uint32_t slot = producer(operand) == kUnset ? kUnset : slot_of(producer(operand));
      if (slot == home || !produces(slot, operand) || !has_sizes(slot, sizes)) continue;
      if (home != kUnset) merge(home, slot, step);
      else if (fits(step, slot)) home = slot;
    }
    if (fold) return home == kUnset ? outside(number) : join(number, home);
    // A step that reads what an open group reads joins it, so that the operand is read once.
    for (const uint32_t operand : batch_.operands_of(step)) {
      if (home != kUnset || operand == rt::kNone.id) break;
      const uint32_t slot = resolved(consumer_[operand]);
      if (slot != kUnset && std::ranges::equal(batch_.sizes(operand), sizes) &&
          has_sizes(slot, sizes) && fits(step, slot))
        home = slot;
    }
    join(number, home == kUnset ? open() : home);
  }

  void join(uint32_t number, uint32_t slot) {
    const Batch::Step& step = batch_.steps[number];
    Slot& at = slots_[slot];
    widen(slot, after_operands(step, slot));
    groups_[at.group].push_back(number);
    steps_[number].slot = slot;
    at.folds += is_fold(step.op);
    for (const uint32_t operand : batch_.operands_of(step))
      if (operand != rt::kNone.id) consumer_[operand] = slot;
  }

  /// Makes the group in `slot`, and all groups that depend on it, depend on `more`.
  void widen(uint32_t slot, Set more) {
    Slot& at = slots_[slot];
    at.after |= more & ~at.names;
    for (Slot& other : slots_)
      if (other.after & at.names) other.after |= at.after;
  }

  /// Merges the group in `from` into the one in `into`, because `step` uses both. Does nothing
  /// where one depends on the other through a step outside, or where the result would be too big.
  void merge(uint32_t into, uint32_t from, const Batch::Step& step) {
    Slot &kept = slots_[into], &gone = slots_[from];
    Members &members = groups_[kept.group], &more = groups_[gone.group];
    const Set names = kept.names | gone.names;
    const Set after = kept.after | gone.after;
    if ((after | after_operands(step, into, from)) & names ||
        members.size() + more.size() >= kMaxSteps || kept.folds + gone.folds > kMaxFolds)
      return;
    members.insert(members.end(), more.begin(), more.end());
    more.clear();
    kept.names = names;
    kept.folds += gone.folds;
    // Sets that contain the old slot lead to the merged group through its `after`.
    gone = {.into = into, .after = names};
    widen(into, after);
  }

  void outside(uint32_t number) {
    const Batch::Step& step = batch_.steps[number];
    Set after = after_operands(step, kUnset);
    if (info(step.op).rules.effect != Effect::None) {
      // Steps with an effect keep their order, as if each used the one before.
      if (last_effect_ != kUnset) after |= after_step(last_effect_);
      last_effect_ = number;
    }
    steps_[number].after = after;
  }

  uint32_t open() {
    if (!free_) close_half();
    const auto slot = static_cast<uint32_t>(std::countr_zero(free_));
    free_ &= free_ - 1;
    slots_[slot] = {.group = static_cast<uint32_t>(groups_.size()), .names = Set{1} << slot};
    groups_.emplace_back();
    return slot;
  }

  /// Closes the older half of the open groups, to have slots for new ones.
  void close_half() {
    std::vector<uint32_t> open;
    for (const Slot& slot : slots_)
      if (slot.group != kUnset) open.push_back(slot.group);
    std::ranges::sort(open);
    const uint32_t newest = open[(open.size() - 1) / 2];
    Set closing = 0;
    for (const Slot& slot : slots_)
      if (slot.group <= newest) closing |= slot.names;
    const auto closes = [closing](uint32_t slot) {
      return slot != kUnset && (closing >> slot & 1);
    };
    for (uint32_t step = 0; step < steps_.size(); ++step) {
      StepState& state = steps_[step];
      if (closes(state.slot)) state = {kUnset, after_step(step)};
      state.after = closed(state.after) & ~closing;
    }
    for (uint32_t& consumer : consumer_)
      if (closes(consumer)) consumer = kUnset;
    for (uint32_t i = 0; i < kSlots; ++i) {
      if (closes(i)) slots_[i] = {};
      slots_[i].after &= ~closing;
    }
    free_ |= closing;
  }

  const Batch& batch_;
  std::vector<StepState> steps_;
  const std::vector<uint32_t> producer_;  ///< by value: the step that computes it
  std::vector<uint32_t> consumer_;        ///< by value: the slot of the group that read it last
  std::vector<Members> groups_;
  Slot slots_[kSlots];
  Set free_ = ~Set{0};
  uint32_t last_effect_ = kUnset;
};

/// By value: true for a root, and for a value that is used outside the group that computes it.
std::vector<bool> leaving(const Batch& batch, const std::vector<uint32_t>& group_of) {
  std::vector<bool> leaves(batch.values.size(), false);
  const std::vector<uint32_t> producer = producers(batch);
  for (const uint32_t root : batch.roots) leaves[root] = true;
  for (uint32_t step = 0; step < batch.steps.size(); ++step)
    for (const uint32_t operand : batch.operands_of(batch.steps[step]))
      if (operand != rt::kNone.id && producer[operand] != kUnset &&
          (group_of[step] == kUnset || group_of[producer[operand]] != group_of[step]))
        leaves[operand] = true;
  return leaves;
}

/// Cuts groups where a program of them would need too many registers.
class Cutter {
 public:
  Cutter(const Batch& batch, const std::vector<Members>& groups)
      : batch_(batch), part_of_(batch.values.size(), kUnset), last_(batch.values.size(), 0) {
    std::vector<uint32_t> group_of(batch.steps.size(), kUnset);
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
    const uint32_t from = operand == rt::kNone.id ? kUnset : producer[operand];
    if (from == kUnset || obstacle(batch, batch.steps[from]) || is_fold(batch.steps[from].op))
      continue;
    if (!std::ranges::equal(batch.sizes(operand), batch.sizes(step.result))) return true;
  }
  return false;
}

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
    return group_of[step] == kUnset ? step : members[group_of[step]].front();
  };
  const auto steps = static_cast<uint32_t>(batch.steps.size());
  std::vector<std::vector<uint32_t>> users(steps);
  std::vector<uint32_t> waits(steps, 0), last(steps, 0);
  uint32_t last_effect = kUnset;
  const auto before = [&](uint32_t first, uint32_t second) {
    if (first == second) return;
    users[first].push_back(second);
    ++waits[second];
  };
  for (uint32_t step = 0; step < steps; ++step) {
    last[unit(step)] = step;
    for (const uint32_t operand : batch.operands_of(batch.steps[step]))
      if (operand != rt::kNone.id && producer[operand] != kUnset)
        before(unit(producer[operand]), unit(step));
    if (info(batch.steps[step].op).rules.effect == Effect::None) continue;
    if (last_effect != kUnset) before(last_effect, step);
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
        group_of[order[i]] != kUnset &&
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
      if (groups.of_step[step] != kUnset) members[groups.of_step[step]].push_back(step);
    fused_.scalars = batch.scalars;
    fused_.free_scalars = batch.free_scalars;
    for (uint32_t value = 0; value < batch.values.size(); ++value)
      if (batch.is_input(value)) number_[value] = input(value);
    for (const uint32_t first : order_of(batch, members, groups.of_step, leaves_)) {
      const uint32_t group = groups.of_step[first];
      if (group == kUnset) copy(batch.steps[first]);
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

std::string_view words_for(Unfused reason) {
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
    case Op::Eq: return result_type({{batch.type(operands[0]), batch.type(operands[1])}});
    default: return batch.values[is_fold(step.op) ? operands[0] : step.result].dtype;
  }
}

bool fusible(const Batch& batch, const Batch::Step& step) { return !obstacle(batch, step); }

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
  const std::vector<Members> found = Finder(batch).run();
  std::vector<Members> parts;
  Cutter cutter(batch, found);
  for (const Members& group : found)
    if (group.size() > 1) cutter.cut(group, parts);
  std::erase_if(parts, [](const Members& part) { return part.size() < 2; });
  if (least == 1) add_alone(batch, parts);
  std::ranges::sort(parts, {}, [](const Members& part) { return part.front(); });
  Groups groups;
  groups.count = static_cast<uint32_t>(parts.size());
  groups.of_step.assign(steps, kUnset);
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
      if (from != kUnset && groups.reasons[from] == Unfused::Alone &&
          !std::ranges::equal(batch.sizes(operand), batch.sizes(step.result)))
        groups.reasons[from] = Unfused::AnotherSize;
    }
  }
  return groups;
}

Batch fuse(const Batch& batch, size_t least) {
  return Fusing(batch, fusion_groups(batch, least)).result();
}

}  // namespace rt
