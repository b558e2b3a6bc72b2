// tail.h -- the end of a batch, whose results may take the memory of the batch's inputs.
#pragma once
#include <memory>
#include <optional>

#include "elementwise/fused.h"
#include "graph/batch/batch.h"
#include "graph/memory/buffer.h"

namespace rt::cpu {

/// An input that only the batch holds is dead after its last consumer. A group that reads it
/// element by element may write its result there: the new value of a parameter over the old one.
/// A batch that fails is run again from its inputs, so they must not be written over while
/// anything can fail. The tail consists of the groups at the end of a fused batch, from the
/// first one that may write over an input; see fuse(). All memory that they need is taken before
/// the first of them runs.
class Tail {
 public:
  explicit Tail(const Batch& batch);
  /// The index of its first step. All steps before it must have run when run() is called.
  uint32_t begin() const { return begin_; }
  bool empty() const { return groups_.empty(); }
  /// Calls f(value) for the values that earlier steps compute for the tail, once for each use.
  template <class F>
  void for_each_needed(F f) const {
    for (const Group& group : groups_)
      for (const Operand& operand : group.operands)
        if (!operand.input && operand.value < first_result_) f(operand.value);
  }

  /// Memory and threads that a backend provides for a run.
  class Means {
   public:
    virtual BufferRef allocate(DType dtype, Sizes sizes) = 0;
    virtual BufferRef in_order(const BufferRef& buffer) = 0;  ///< its elements in row-major order
    virtual Team team() = 0;

   protected:
    ~Means() = default;
  };
  /// Computes the last of `values`, which hold no inputs. `inputs` are the batch's, in order. An
  /// input that has another reference is not written over. Throws before it writes anything, or not
  /// at all. Appends the time after each group to `times`, which has capacity for it, or is null.
  void run(std::span<const BufferRef> inputs, std::span<BufferRef> values,
           std::span<const int64_t> scalars, Means& means, std::vector<int64_t>* times) const;
  size_t bytes() const;

 private:
  struct Operand {
    uint32_t value;
    std::optional<uint32_t> input;  ///< index among the batch's inputs, if it is one
    bool dies;                      ///< nothing reads it afterwards
  };
  struct Group {
    FusedGroup code;
    std::vector<Operand> operands;
    std::vector<uint32_t> scalars;
    uint32_t result;  ///< index of its first value
  };
  struct Ready;
  void prepare(const Group& group, std::span<const BufferRef> inputs, std::span<BufferRef> values,
               std::span<const int64_t> scalars, Means& means, Ready& ready) const;

  uint32_t begin_;
  std::vector<Group> groups_;
  uint32_t first_result_ = 0;
  size_t reserve_ = 0;  ///< bytes that the run of any of them may ask for
};

/// The tail of a batch; null where it has none, or where `use` forbids programs to reuse memory.
inline std::unique_ptr<Tail> tail_of(const Batch& batch, Optimizations use) {
  if (!use.reuse) return nullptr;
  auto tail = std::make_unique<Tail>(batch);
  return tail->empty() ? nullptr : std::move(tail);
}

}  // namespace rt::cpu
