// batch.h -- a batch: recorded work as a closed graph, in the canonical form that makes equal work
// equal.
#pragma once
#include <compare>
#include <vector>

#include "graph/ops/op.h"

namespace rt {

/// A closed graph: inputs and scalars in, steps in record order, roots out.
///
/// Canonical form, which the key is taken of:
/// - values are numbered densely by first appearance: an input where the first step uses it, then
/// that
///   step's result;
/// - a scalar appears once per position, numbered in step order; equal scalars are still two;
/// - roots are in step order, each once.
/// Batches are plain arrays of numbers, so that hashing and comparing them is hashing and comparing
/// memory. Which values the scalars have is not part of it: `scalars` holds those of one
/// submission.
struct Batch {
  struct Item {  ///< the type of a value
    DType dtype;
    int8_t device;
    uint8_t rank;
    uint8_t flags;  ///< of Flags
    uint32_t dims;  ///< its sizes start here in `dims`; the strides follow where kStrided
    bool operator==(const Item&) const = default;
  };
  enum Flags : uint8_t { kInput = 1, kStrided = 2 };
  struct Step {
    Op op;
    uint16_t attribute_count;
    uint32_t operand_count;
    uint32_t operands;    ///< start in `operands`
    uint32_t attributes;  ///< start in `words`, see Args
    uint32_t result;      ///< number of the first value it computes
    uint32_t results;     ///< how many it computes: one, of a group its roots
    bool operator==(const Step&) const = default;
  };

  std::vector<Item> values;
  std::vector<Step> steps;
  std::vector<uint32_t> operands;  ///< value numbers; kNone.number for an absent optional tensor
  std::vector<int64_t> attributes;
  std::vector<int64_t> dims;
  std::vector<uint32_t> roots;
  /// What the steps Op::Fused compute, in their order: closed graphs of the same form. The inputs
  /// and free scalars of a group are those that its step names, its roots are the step's results,
  /// and its inputs have no strides, since they lie as they come.
  std::vector<Batch> groups;

  std::vector<int64_t> scalars;  ///< bits: f64 for Kind::Float, else the integer
  /// The first `free_scalars` of them are set at every run; the rest are constants that
  /// decompositions brought in. In canonical form all are free.
  uint32_t free_scalars = 0;

  Sizes sizes(uint32_t value) const {
    return {dims.data() + values[value].dims, values[value].rank};
  }
  /// The strides of an input that is not contiguous.
  Sizes strides(uint32_t value) const {
    return {dims.data() + values[value].dims + values[value].rank, values[value].rank};
  }
  bool is_input(uint32_t value) const { return values[value].flags & kInput; }
  TensorType type(uint32_t value) const;
  std::span<const uint32_t> operands_of(const Step& step) const {
    return {operands.data() + step.operands, step.operand_count};
  }
  AttributesView attributes_of(const Step& step) const {
    return {info(step.op), {attributes.data() + step.attributes, step.attribute_count}};
  }
  void clear();

  uint32_t add_input(DType dtype, Device device, Sizes sizes, Sizes strides = {});
  /// Appends a step; `words` as in Args with scalar numbers in the place of scalars.
  uint32_t add_step(Op op, std::span<const uint32_t> operands, std::span<const int64_t> attributes,
                    DType dtype, Device device, Sizes sizes);
  /// Appends a step that computes `group` of these values and scalars; gives its first result.
  uint32_t add_fused(Batch group, std::span<const uint32_t> operands,
                     std::span<const int64_t> scalar_numbers);
  /// The step that computes a value which is no input.
  const Step& producer(uint32_t value) const;
  const Batch& group_of(const Step& step) const {
    return groups[static_cast<size_t>(attributes_of(step).integer(0))];
  }
  size_t bytes() const;
};

/// Whether two batches are the same work: equal in all but the scalars' bits.
bool same_work(const Batch& a, const Batch& b);

struct Key {
  uint64_t low = 0, high = 0;
  bool operator==(const Key&) const = default;
};
Key key_of(const Batch& batch);
std::string to_string(Key key);  ///< 32 hexadecimal digits

/// What a batch's readers want to know about the places its steps come from; not part of the key.
struct StepNote {
  uint32_t place = 0;  ///< see places.h
  std::string label;
};

/// Passes that a backend may run when it compiles a batch. No result depends on them.
struct Optimizations {
  bool fuse = true;   ///< compute groups of elementwise steps in one go
  bool reuse = true;  ///< put results where others were that nobody needs any more
};

}  // namespace rt
