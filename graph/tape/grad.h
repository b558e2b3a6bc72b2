// grad.h -- records of nodes for backward passes; they outlive the runs of the nodes.
#pragma once
#include <deque>
#include <vector>

#include "graph/ops/op.h"

namespace rt {

/// The op that computed a value which takes part in gradients, or a leaf.
/// A record lives while a value is linked to it (Node::grad) or a younger record was computed from
/// it. It holds the values that its row's .saves names until a backward pass has gone through it.
struct GradRecord {
  struct Operand {
    uint32_t record = 0;  ///< the record that gets its gradient, 0: none
    Value saved = kNone;  ///< held for the gradient rules
    TensorType type;      ///< its sizes are `sizes`
    Shape sizes;
  };

  bool leaf = false;
  bool wanted = true;     ///< false: a leaf that no longer takes part
  bool released = false;  ///< its saved values are released
  bool zeros = false;     ///< of a leaf: the gradient is zeros, which are made when they are read
  bool spoiled = false;   ///< the newest pass came from a failed value, so a step skips the leaf
  bool stepped = false;   ///< a step has used the newest pass
  Op op{};
  uint32_t references = 0;
  uint32_t next = 0;       ///< links the free records, and those to be freed
  uint32_t part = 0;       ///< the newest gradient of a slice in this pass, see GradPart
  uint64_t stamp = 0;      ///< of the pass that reached it last
  uint64_t order = 0;      ///< grows with every record, so that results come after operands
  Value value = kNone;     ///< of a leaf: the newest value that is linked to it, see Graph::leaf
  Value gradient = kNone;  ///< of a leaf, held: the sum of all passes so far
  Value incoming = kNone;  ///< held: the sum of this pass so far
  Value result = kNone;    ///< held, when .saves names it
  TensorType result_type;  ///< its sizes are `result_sizes`
  Shape result_sizes;
  Small<int64_t, 4> attributes;
  std::vector<Operand> operands;
};

/// The gradient of a slice, as a part of the gradient of the value that was sliced. Parts are kept
/// until the pass needs the whole, because parts that do not overlap are joined without additions.
struct GradPart {
  uint32_t next;   ///< the part before it of the same record, as GradRecord::part
  uint32_t slice;  ///< the record of the slice
  Value gradient;  ///< held
};

/// A leaf, whatever its value is by now: its record, and the record's order, which distinguishes it
/// from later records of this index.
struct Leaf {
  uint32_t record = 0;
  uint64_t order = 0;
};

/// Records by index, from 1. A freed one is used again, with the memory of its lists.
class GradRecords {
 public:
  GradRecord& operator[](uint32_t number) { return records_[number]; }
  const GradRecord& operator[](uint32_t number) const { return records_[number]; }
  bool empty() const { return live_ == 0; }
  uint32_t add();
  void remove(uint32_t number) noexcept;

 private:
  std::deque<GradRecord> records_{1};
  uint32_t free_ = 0;
  uint32_t live_ = 0;
  uint64_t order_ = 0;
};

}  // namespace rt
