// checks.cpp -- the ranges by row, and the operator that checks them.
#include "executor/torchscript/checks.h"

#include <ATen/ops/all.h>
#include <ATen/ops/bitwise_not.h>
#include <ATen/ops/eq.h>
#include <ATen/ops/ge.h>
#include <ATen/ops/le.h>
#include <ATen/ops/masked_select.h>

#include <cmath>
#include <limits>

#include "executor/torchscript/operators.h"

namespace rt::torchscript {
namespace {

constexpr double kNothing = std::numeric_limits<double>::quiet_NaN();
constexpr double kIgnoredClass = -100;

RangeCheck indices(uint32_t operand, int64_t size, double ignored = kNothing) {
  return {operand, 0, static_cast<double>(size - 1), ignored};
}

}  // namespace

std::vector<RangeCheck> range_checks(const OpInfo& row, const AttributesView& attributes,
                                     std::span<const TensorType> operands) {
  const auto size = [&](uint32_t operand, size_t dim) {
    const Sizes sizes = operands[operand].sizes;
    return dim < sizes.size() ? sizes[dim] : 1;
  };
  switch (row.op) {
    case Op::IndexSelect:
    case Op::Gather:
    case Op::IndexAdd:
    case Op::ScatterAdd: return {indices(1, size(0, static_cast<size_t>(attributes.integer(0))))};
    case Op::Embedding: return {indices(0, size(1, 0))};
    case Op::EmbeddingBackward: return {indices(1, attributes.integer(0))};
    case Op::NllLoss:
    case Op::CrossEntropyLoss:
      if (is_float(operands[1].dtype)) return {};  // probabilities
      return {indices(1, size(0, operands[0].sizes.size() > 1 ? 1 : 0), kIgnoredClass)};
    case Op::NllLossTotalWeight: return {indices(1, size(0, 1), kIgnoredClass)};
    case Op::NllLossBackward: return {indices(2, size(1, 1), kIgnoredClass)};
    case Op::BinaryCrossEntropy:
    case Op::BinaryCrossEntropyTerms: return {{0, 0, 1, kNothing}, {1, 0, 1, kNothing}};
    default: return {};
  }
}

at::Tensor check_range(const at::Tensor& self, double low, double high, double ignored) {
  if (self.numel() == 0) return self;
  // A double would have integers compared as f32.
  const bool integral = at::isIntegralType(self.scalar_type(), /*includeBool=*/true);
  const auto number = [&](double value) {
    return integral ? at::Scalar(static_cast<int64_t>(value)) : at::Scalar(value);
  };
  at::Tensor sound = at::ge(self, number(low)).bitwise_and_(at::le(self, number(high)));
  if (!std::isnan(ignored)) sound.bitwise_or_(at::eq(self, number(ignored)));
  if (at::all(sound).item<bool>()) return self;
  const double found = at::masked_select(self, at::bitwise_not(sound))[0].item<double>();
  TORCH_CHECK(false, found, " is out of range: from ", low, " to ", high, " is allowed");
}

}  // namespace rt::torchscript
