// tail.h -- the end of a batch, whose results may take the memory of the batch's inputs.
#pragma once
#include <memory>
#include <optional>

#include "elementwise/fused.h"
#include "graph/batch/batch.h"
#include "graph/memory/buffer.h"

namespace rt::cpu {

/// An input that only the batch holds is dead behind its last reader, and a group that reads it
/// element by element may write its result there: the new value of a parameter over the old one.
/// But a batch that fails is run again from its inputs, so nothing is written over them while
/// anything can fail. The tail are the groups at the end of a fused batch from the first on that
/// may do so, see fuse(). All memory that they need is taken before the first of them runs.
class Tail {
 public:
  explicit Tail(const Batch& batch);
  /// The number of its first step; those before have run when run() is called.
  uint32_t begin() const { return begin_; }
  bool empty() const { return groups_.empty(); }
  /// Calls f(value) for the values that steps before it compute for it, once for each use.
  template <class F>
  void for_each_needed(F f) const {
    for (const Group& group : groups_)
      for (const Operand& operand : group.operands)
        if (!operand.input && operand.value < first_result_) f(operand.value);
  }

  /// Memory and threads that a backend lends for a run.
  class Means {
   public:
    virtual BufferRef allocate(DType dtype, Sizes sizes) = 0;
    virtual BufferRef in_order(const BufferRef& buffer) = 0;  ///< the same, row-major
    virtual Team team() = 0;

   protected:
    ~Means() = default;
  };
  /// Computes the last of `values`, which hold no inputs. `inputs` are those of the batch, in the
  /// order of their numbers. One that somebody else can see has more than that one reference, and
  /// is not written over. Throws before it writes anything, or not at all. Puts the time after each
  /// group into `times`, which has room for that; null where nobody asks.
  void run(std::span<const BufferRef> inputs, std::span<BufferRef> values,
           std::span<const int64_t> scalars, Means& means, std::vector<int64_t>* times) const;
  size_t bytes() const;

 private:
  struct Operand {
    uint32_t value;
    std::optional<uint32_t> input;  ///< its number among the inputs
    bool dies;                      ///< nobody reads it any more
  };
  struct Group {
    FusedGroup code;
    std::vector<Operand> operands;
    std::vector<uint32_t> scalars;
    uint32_t result;  ///< its first
  };
  struct Ready;
  void prepare(const Group& group, std::span<const BufferRef> inputs, std::span<BufferRef> values,
               std::span<const int64_t> scalars, Means& means, Ready& ready) const;

  uint32_t begin_;
  std::vector<Group> groups_;
  uint32_t first_result_ = 0;
  size_t reserve_ = 0;  ///< bytes that the run of any of them may ask for
};

/// The tail of a batch; null where it has none, or where programs are not to reuse memory.
inline std::unique_ptr<Tail> tail_of(const Batch& batch, Optimizations use) {
  if (!use.reuse) return nullptr;
  auto tail = std::make_unique<Tail>(batch);
  return tail->empty() ? nullptr : std::move(tail);
}

}  // namespace rt::cpu
