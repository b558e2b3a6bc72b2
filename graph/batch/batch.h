// batch.h -- a batch: recorded work as a closed graph, in a form in which equal work is equal.
#pragma once
#include <compare>
#include <vector>

#include "graph/ops/op.h"

namespace rt {

/// A closed graph: inputs and scalars in, steps in record order, roots out.
///
/// The canonical form, which the key is taken of:
/// - ids of values are dense, by first appearance: an input where the first step uses it, then the
///   result of that step;
/// - each position of a scalar has an index of its own, in step order, even if scalars are equal;
/// - roots are in step order, each once.
/// Batches are plain arrays of numbers, so that they are hashed and compared as memory. The values
/// of scalars are not part of the form: `scalars` has those of one submission.
struct Batch {
  struct Item {  ///< the type of a value
    DType dtype;
    int8_t device;
    uint8_t rank;
    uint8_t flags;  ///< a set of Flags
    uint32_t dims;  ///< index in `dims` of its sizes, which its strides follow if kStrided
    bool operator==(const Item&) const = default;
  };
  enum Flags : uint8_t { kInput = 1, kStrided = 2 };
  struct Step {
    Op op;
    uint16_t attribute_count;
    uint32_t operand_count;
    uint32_t operands;    ///< index of the first one in `operands`
    uint32_t attributes;  ///< index of the first one in `attributes`, see Args
    uint32_t result;      ///< id of the first value that it computes
    uint32_t results;     ///< number of values that it computes: one, or the roots of a group
    bool operator==(const Step&) const = default;
  };

  std::vector<Item> values;
  std::vector<Step> steps;
  std::vector<uint32_t> operands;  ///< ids of values; kNone.id for an absent optional tensor
  std::vector<int64_t> attributes;
  std::vector<int64_t> dims;
  std::vector<uint32_t> roots;
  /// The groups that the steps Op::Fused compute, in the order of these steps. Each is a closed
  /// graph: its inputs and free scalars are the operands and scalars of its step, and its roots are
  /// the step's results. Inputs have no strides, because a group works with any.
  std::vector<Batch> groups;

  std::vector<int64_t> scalars;  ///< bits: f64 for Kind::Float, else the integer
  /// The first `free_scalars` scalars are set at every run. The rest are constants that come from
  /// decompositions; a canonical batch has none.
  uint32_t free_scalars = 0;

  Sizes sizes(uint32_t value) const {
    return {dims.data() + values[value].dims, values[value].rank};
  }
  /// The strides, in elements, of an input that is not contiguous.
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
  /// The step's attributes with the bits of its scalars, which `bits` has by index.
  Small<int64_t, 10> bound_attributes(const Step& step, std::span<const int64_t> bits) const;
  void clear();

  uint32_t add_input(DType dtype, Device device, Sizes sizes, Sizes strides = {});
  /// Appends a step and returns the id of its result. `attributes` are as in Args, with indices of
  /// scalars instead of their bits.
  uint32_t add_step(Op op, std::span<const uint32_t> operands, std::span<const int64_t> attributes,
                    DType dtype, Device device, Sizes sizes);
  /// Appends a step that computes `group` from these values and scalars. Returns the id
  /// of its first result.
  uint32_t add_fused(Batch group, std::span<const uint32_t> operands,
                     std::span<const int64_t> scalar_numbers);
  /// The step that computes `value`, which must not be an input.
  const Step& producer(uint32_t value) const;
  const Batch& group_of(const Step& step) const {
    return groups[static_cast<size_t>(attributes_of(step).integer(0))];
  }
  size_t bytes() const;
};

/// True where two batches are equal in all but the scalars' bits.
bool same_work(const Batch& a, const Batch& b);

struct Key {
  uint64_t low = 0, high = 0;
  bool operator==(const Key&) const = default;
};
Key key_of(const Batch& batch);
std::string to_string(Key key);  ///< 32 hexadecimal digits

/// The origin of a step, for dumps and errors. It is not part of the key.
struct StepNote {
  uint32_t place = 0;  ///< a source location; see graph/tape/source_locations.h
  std::string label;
};

/// Passes that a backend may run when it compiles a batch. No result depends on them.
struct Optimizations {
  bool fuse = true;   ///< compute groups of elementwise steps together
  bool reuse = true;  ///< give results the memory of values that are no longer needed
};

}  // namespace rt
