// ranges.h -- the ranges that elements of operands must lie in, by row.
#pragma once
#include "graph/ops/op.h"

namespace rt::range {

/// Operand 1 holds indices along the dimension of operand 0 that the row's first integer says.
AllowedRanges along_dim(const AttributesView& attributes, std::span<const TensorType> operands);
/// Operand 0 holds indices of the rows of operand 1.
AllowedRanges rows(const AttributesView& attributes, std::span<const TensorType> operands);
/// Operand 1 holds indices below the row's first integer.
AllowedRanges below_count(const AttributesView& attributes, std::span<const TensorType> operands);
/// Operand 1 holds classes, which are indices of dimension 1 of operand 0, or of dimension 0 where
/// that is all; none are checked where it holds probabilities. -100 is the ignored class.
AllowedRanges classes(const AttributesView& attributes, std::span<const TensorType> operands);
/// As classes, of rows whose second integer is the ignored class.
AllowedRanges classes_or_ignored(const AttributesView& attributes,
                                 std::span<const TensorType> operands);
/// As classes, behind a gradient: operand 2 holds the classes of operand 1.
AllowedRanges classes_behind_gradient(const AttributesView& attributes,
                                      std::span<const TensorType> operands);
/// Operands 0 and 1 hold probabilities.
AllowedRanges probabilities(const AttributesView& attributes, std::span<const TensorType> operands);

}  // namespace rt::range
