// fusion_groups.h -- groups of elementwise steps that are computed together, block by block, so
// that intermediate results stay in the processor's cache.
#pragma once
#include <string_view>
#include <vector>

#include "graph/batch/batch.h"

namespace rt {

/// The reason that a step is in no group.
enum class Unfused : uint8_t {
  NotElementwise,  ///< and no sum or mean of a value that a group computes
  Random,
  OnCuda,
  CanFail,       ///< its error must name it
  DTypeRefused,  ///< f16 and bf16 are only converted
  AnotherSize,   ///< the elementwise steps beside it have other sizes
  Alone,         ///< no elementwise step is beside it, or none that could be computed with it
};
std::string_view text_of(Unfused reason);

/// The steps of a batch that are computed together. The results of a group have one size, except
/// for sums and means of all elements, which nothing in the group uses. No step of a group depends
/// on another one of it through a step outside.
struct Groups {
  static constexpr uint32_t kNone = 0xffffffffu;
  uint32_t count = 0;
  std::vector<uint32_t> of_step;  ///< by step: index of its group, or kNone
  std::vector<Unfused> reasons;   ///< by step: the reason that it has none
};

/// Registers that a group's program may have: for each input one per dtype that it is taken in, for
/// results, and for intermediate results that are needed at the same time.
inline constexpr uint32_t kMaxRegisters = 32;

/// True where a group may hold the step.
bool fusible(const Batch& batch, const Batch::Step& step);

/// The groups of at least `least` steps, 1 or 2, of a batch that has no groups yet.
Groups fusion_groups(const Batch& batch, size_t least = 2);

/// The dtype that an elementwise step takes an operand in: the one that it computes in, except for
/// the condition of a choice.
DType operand_dtype(const Batch& batch, const Batch::Step& step, uint32_t operand);

using Members = std::vector<uint32_t>;  ///< the steps of a group, in order

/// The groups of any size, before registers are counted: a step is in one at most.
std::vector<Members> find_groups(const Batch& batch);

/// By value, the step that computes it; Groups::kNone for inputs.
std::vector<uint32_t> producers(const Batch& batch);

/// By value: true for a root, and for a value that is used outside the group that computes it.
std::vector<bool> leaving(const Batch& batch, const std::vector<uint32_t>& group_of);

/// A sum or mean of all elements.
inline bool is_fold(Op op) { return op == Op::Sum || op == Op::Mean; }

/// Sums and means of a group, each with memory of its own.
inline constexpr uint32_t kMaxFolds = 4;

}  // namespace rt
