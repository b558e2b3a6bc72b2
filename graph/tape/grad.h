// grad.h -- what a backward pass needs to know of recorded nodes, also after they have run.
#pragma once
#include <deque>
#include <vector>

#include "graph/ops/op.h"

namespace rt {

/// How a value that takes part in gradients came to be, or that it is a leaf.
/// A record lives while a value is linked to it (Node::grad) or a younger record came from it.
/// It holds the values that its row's .saves names until a backward pass has gone through it.
struct GradRecord {
  struct Operand {
    uint32_t record = 0;  ///< where its gradient goes, 0: nowhere
    Value saved = kNone;  ///< held
    TensorType type;      ///< its sizes are `sizes`
    Shape sizes;
  };

  bool leaf = false;
  bool wanted = true;     ///< false: a leaf that was told to take no more part
  bool released = false;  ///< what it had saved is gone
  bool zeros = false;     ///< a leaf's gradient is zeros that nobody has asked for yet
  bool spoiled = false;   ///< the newest pass came from what has failed: a step leaves the leaf out
  bool stepped = false;   ///< a step has taken the newest pass
  Op op{};
  uint32_t references = 0;
  uint32_t next = 0;       ///< links the records that are free, and those that are to go
  uint64_t stamp = 0;      ///< of the pass that reached it last
  uint64_t order = 0;      ///< grows with every record, so that results come after operands
  Value value = kNone;     ///< of a leaf: the newest that is linked to it, see Graph::leaf
  Value gradient = kNone;  ///< of a leaf, held: what all passes so far have added up
  Value incoming = kNone;  ///< held: what this pass has added up
  Value result = kNone;    ///< held, when .saves names it
  TensorType result_type;  ///< its sizes are `result_sizes`
  Shape result_sizes;
  Small<int64_t, 4> attributes;
  std::vector<Operand> operands;
};

/// A leaf, whatever value it has by now: its record, and that record's order, which tells it from
/// later ones of the same number.
struct Leaf {
  uint32_t record = 0;
  uint64_t order = 0;
};

/// Records by number from 1; a freed one is used again, with the memory of its lists.
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
