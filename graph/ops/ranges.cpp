// ranges.cpp -- the ranges of operands, from attributes and sizes.
#include "graph/ops/ranges.h"

namespace rt::range {
namespace {

constexpr double kIgnoredClass = -100;  // PyTorch's ignore_index

AllowedRange indices(uint32_t operand, int64_t size) {
  return {.operand = operand, .low = 0, .high = static_cast<double>(size - 1)};
}

int64_t size(const TensorType& type, size_t dim) {
  return dim < type.sizes.size() ? type.sizes[dim] : 1;
}

AllowedRanges classes_of(const TensorType& scores, uint32_t operand,
                         double ignored = kIgnoredClass) {
  AllowedRange range = indices(operand, size(scores, scores.sizes.size() > 1 ? 1 : 0));
  range.ignored = ignored;
  return {range};
}

}  // namespace

AllowedRanges along_dim(const AttributesView& attributes, std::span<const TensorType> operands) {
  return {indices(1, size(operands[0], static_cast<size_t>(attributes.integer(0))))};
}

AllowedRanges rows(const AttributesView&, std::span<const TensorType> operands) {
  return {indices(0, size(operands[1], 0))};
}

AllowedRanges below_count(const AttributesView& attributes, std::span<const TensorType>) {
  return {indices(1, attributes.integer(0))};
}

AllowedRanges classes(const AttributesView&, std::span<const TensorType> operands) {
  if (is_float(operands[1].dtype)) return {};
  return classes_of(operands[0], 1);
}

AllowedRanges classes_or_ignored(const AttributesView& attributes,
                                 std::span<const TensorType> operands) {
  if (is_float(operands[1].dtype)) return {};
  return classes_of(operands[0], 1, static_cast<double>(attributes.integer(1)));
}

AllowedRanges classes_behind_gradient(const AttributesView&, std::span<const TensorType> operands) {
  return classes_of(operands[1], 2);
}

AllowedRanges probabilities(const AttributesView&, std::span<const TensorType>) {
  return {{.operand = 0, .low = 0, .high = 1}, {.operand = 1, .low = 0, .high = 1}};
}

}  // namespace rt::range
