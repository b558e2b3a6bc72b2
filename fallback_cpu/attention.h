// attention.h -- products of scores, which are computed strip by strip and never lie in memory.
#pragma once
#include <memory>
#include <vector>

#include "elementwise/fused.h"
#include "fallback_cpu/kernels.h"

namespace rt::cpu {

/// The steps result = softmax(group(query * key)) * value of a fused batch, one after the other, as
/// one that is prepared to run; the group may be missing. The result has the bits of the separate
/// steps.
class Attention {
 public:
  /// Finds those with large scores that nothing else reads, moves the steps of each one after the
  /// other, and returns them in this order.
  static std::vector<Attention> join(Batch& batch);

  uint32_t first() const { return first_; }
  uint32_t last() const { return first_ + (group_ ? 3 : 2); }
  /// Computes the result of the last step from the operands of all.
  void run(const Machine& machine, const Batch& batch, const Frame& frame) const;
  size_t bytes() const;

 private:
  uint32_t first_ = 0;
  int64_t rows_ = 0;                   ///< of a strip
  int64_t strips_ = 0;                 ///< of one matrix of scores
  std::unique_ptr<FusedGroup> group_;  ///< over a strip; null: none
  int64_t reserve_ = 0;                ///< bytes that the group needs to run
};

}  // namespace rt::cpu
