// fallbacks.h -- the values that failed changes in place of a batch go back to.
#pragma once
#include <span>
#include <vector>

#include "graph/tape/tape.h"

namespace rt {

/// Follows a batch that runs step by step. It keeps the values that a change in place may go back
/// to as long as that can happen, and knows at the end how far back each change went. Only the
/// constructor and view() allocate memory, and may throw std::bad_alloc.
class Fallbacks {
 public:
  explicit Fallbacks(const Submission& submission);

  /// Called when no later step reads the value. True: it can be dropped. False: note() drops it.
  bool end(uint32_t value) {
    if (kept_.empty() || kept_[value] == 0) return true;
    kept_[value] |= kEnded;
    return false;
  }
  /// Called when the step that computes `value` is over; `failure` is null where it succeeded.
  /// Calls drop(value) for each ended value that no change can go back to any more.
  template <class Drop>
  void note(uint32_t value, const Message& failure, const Drop& drop) {
    for (const Submission::Back& back : of(value)) {
      Unit& unit = units_[back.undo.unit];
      if (failure && !unit.failure) unit.failure = failure;
      if (--unit.open > 0 || unit.failure) continue;
      for (uint32_t i = unit.begin; i < (&unit)[1].begin; ++i) {
        const uint32_t before = submission_.backs[by_unit_[i]].before;
        if (before != kNone.id && --kept_[before] == kEnded) drop(before);
      }
    }
  }

  /// The changes in place whose result is `value`.
  std::span<const Submission::Back> of(uint32_t value) const;

  struct Way {
    Message failure{};           ///< the reason to go back; null: the change stays
    const Undo* undo = nullptr;  ///< the oldest change that is undone
    BufferRef buffer{};          ///< null: there was no value before, or it has failed too
  };
  /// The way back of a change. To be called when all steps are over.
  Way way(const Submission::Back& back, std::span<const BufferRef> values,
          std::span<const Message> failures) const;
  /// For a failed value that is a view of a value that goes back: the view of the buffer that this
  /// goes back to. Null otherwise.
  BufferRef view(uint32_t value, std::span<const BufferRef> values,
                 std::span<const Message> failures) const;

 private:
  static constexpr uint32_t kEnded = uint32_t{1} << 31;
  struct Unit {
    uint32_t begin = 0;  ///< index in by_unit_ of its first change
    uint32_t open = 0;   ///< changes whose steps are not over
    Message failure{};
  };

  const Submission& submission_;
  std::vector<Unit> units_;        ///< and one past the end, for its `begin`
  std::vector<uint32_t> by_unit_;  ///< indices of the submission's backs, unit by unit
  std::vector<uint32_t> kept_;     ///< by value: changes that may go back to it, and kEnded
};

/// The buffer that a root goes back to where no step of its batch could run; null: none.
BufferRef before_batch(const Submission& submission, uint32_t root) noexcept;

}  // namespace rt
