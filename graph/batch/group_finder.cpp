// group_finder.cpp -- finds the groups of a batch in one walk.
#include <algorithm>
#include <bit>

#include "graph/batch/fusion_groups.h"

namespace rt {
namespace {

constexpr uint32_t kMaxSteps = 512;  ///< of a group; a longer one runs hardly faster

/// Finds groups in one walk. Groups that may still grow are open, and each has one of 64 slots. The
/// dependences of a step are a set of slots. A step joins a group only where none of its operands
/// depends on that group through a step outside.
class Finder {
 public:
  explicit Finder(const Batch& batch)
      : batch_(batch),
        steps_(batch.steps.size()),
        producer_(producers(batch)),
        consumer_(batch.values.size(), Groups::kNone) {}

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
    uint32_t slot = Groups::kNone;  ///< of its open group
    Set after = 0;                  ///< without an open group: slots that it depends on
  };
  struct Slot {
    uint32_t group = Groups::kNone;
    uint32_t into = Groups::kNone;  ///< slot of the group that its group was merged into
    Set names = 0;                  ///< its own slot, and those merged into it
    Set after = 0;                  ///< slots that its group depends on
    uint32_t folds = 0;
  };

  uint32_t resolved(uint32_t slot) const {
    while (slot != Groups::kNone && slots_[slot].into != Groups::kNone) slot = slots_[slot].into;
    return slot;
  }
  uint32_t slot_of(uint32_t step) const { return resolved(steps_[step].slot); }
  uint32_t producer(uint32_t value) const {
    return value == rt::kNone.id ? Groups::kNone : producer_[value];
  }

  /// A set, with all that its slots depend on.
  Set closed(Set set) const {
    for (Set rest = set; rest; rest &= rest - 1)
      set |= slots_[static_cast<size_t>(std::countr_zero(rest))].after;
    return set;
  }
  Set after_step(uint32_t step) const {
    const uint32_t slot = slot_of(step);
    return slot == Groups::kNone ? closed(steps_[step].after)
                                 : slots_[slot].names | slots_[slot].after;
  }

  /// True where the open group in `slot` computes `value` element by element.
  bool produces(uint32_t slot, uint32_t value) const {
    const uint32_t step = producer(value);
    return step != Groups::kNone && slot != Groups::kNone && slot_of(step) == slot &&
           !is_fold(batch_.steps[step].op);
  }
  /// The slots that a step depends on, except through values that the groups in `slot`
  /// and `other` compute.
  Set after_operands(const Batch::Step& step, uint32_t slot, uint32_t other = Groups::kNone) const {
    Set all = 0;
    for (const uint32_t operand : batch_.operands_of(step))
      if (producer(operand) != Groups::kNone && !produces(slot, operand) &&
          !produces(other, operand))
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
    if (!fusible(batch_, step)) return outside(number);
    const bool fold = is_fold(step.op);
    const Sizes sizes = batch_.sizes(fold ? batch_.operands_of(step)[0] : step.result);
    uint32_t home = Groups::kNone;
    for (const uint32_t operand : batch_.operands_of(step)) {
      const uint32_t slot =
          producer(operand) == Groups::kNone ? Groups::kNone : slot_of(producer(operand));
      if (slot == home || !produces(slot, operand) || !has_sizes(slot, sizes)) continue;
      if (home != Groups::kNone) merge(home, slot, step);
      else if (fits(step, slot)) home = slot;
    }
    if (fold) return home == Groups::kNone ? outside(number) : join(number, home);
    // A step that reads what an open group reads joins it, so that the operand is read once.
    for (const uint32_t operand : batch_.operands_of(step)) {
      if (home != Groups::kNone || operand == rt::kNone.id) break;
      const uint32_t slot = resolved(consumer_[operand]);
      if (slot != Groups::kNone && std::ranges::equal(batch_.sizes(operand), sizes) &&
          has_sizes(slot, sizes) && fits(step, slot))
        home = slot;
    }
    join(number, home == Groups::kNone ? open() : home);
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
    Set after = after_operands(step, Groups::kNone);
    if (info(step.op).rules.effect != Effect::None) {
      // Steps with an effect keep their order, as if each used the one before.
      if (last_effect_ != Groups::kNone) after |= after_step(last_effect_);
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
      if (slot.group != Groups::kNone) open.push_back(slot.group);
    std::ranges::sort(open);
    const uint32_t newest = open[(open.size() - 1) / 2];
    Set closing = 0;
    for (const Slot& slot : slots_)
      if (slot.group <= newest) closing |= slot.names;
    const auto closes = [closing](uint32_t slot) {
      return slot != Groups::kNone && (closing >> slot & 1);
    };
    for (uint32_t step = 0; step < steps_.size(); ++step) {
      StepState& state = steps_[step];
      if (closes(state.slot)) state = {Groups::kNone, after_step(step)};
      state.after = closed(state.after) & ~closing;
    }
    for (uint32_t& consumer : consumer_)
      if (closes(consumer)) consumer = Groups::kNone;
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
  uint32_t last_effect_ = Groups::kNone;
};

}  // namespace

std::vector<Members> find_groups(const Batch& batch) { return Finder(batch).run(); }

}  // namespace rt
