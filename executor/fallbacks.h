// fallbacks.h -- what the changes in place of a batch go back to where they fail.
#pragma once
#include <span>
#include <vector>

#include "graph/tape/tape.h"

namespace rt {

/// Follows a batch that runs step by step: keeps what a change may have to go back to, for as long
/// as that may be, and knows at the end how far back each went. Only the constructor and view() ask
/// for memory.
class Fallbacks {
 public:
  explicit Fallbacks(const Submission& submission);

  /// No step needs the value any more: whether it can go.
  bool end(uint32_t value) {
    if (kept_.empty() || kept_[value] == 0) return true;
    kept_[value] |= kEnded;
    return false;
  }
  /// The step that gives `value` is over; `failure` is null where it has not failed. Calls
  /// drop(value) for what has waited for that to go.
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

  /// The changes in place that a value is.
  std::span<const Submission::Back> of(uint32_t value) const;

  struct Way {
    Message failure{};           ///< why it has to go back; null where it has not
    const Undo* undo = nullptr;  ///< the change that goes back last
    BufferRef buffer{};          ///< null where the place was empty, or that has failed as well
  };
  /// How far a change goes back when all steps are over.
  Way way(const Submission::Back& back, std::span<const BufferRef> values,
          std::span<const Message> failures) const;
  /// Of a value that failed: if it views one that goes back, the same view of what that goes back
  /// to.
  BufferRef view(uint32_t value, std::span<const BufferRef> values,
                 std::span<const Message> failures) const;

 private:
  static constexpr uint32_t kEnded = uint32_t{1} << 31;
  struct Unit {
    uint32_t begin = 0;  ///< of its changes in by_unit_
    uint32_t open = 0;   ///< changes whose steps are not over
    Message failure{};
  };

  const Submission& submission_;
  std::vector<Unit> units_;  ///< one more than there are
  std::vector<uint32_t> by_unit_;
  std::vector<uint32_t> kept_;  ///< by value: changes that may go back to it, and kEnded
};

/// The same for a root of a batch of which nothing could run.
BufferRef before_batch(const Submission& submission, uint32_t root) noexcept;

}  // namespace rt
