// attributes.h -- visits the attributes of a call with their parameters, and writes them as text.
#pragma once
#include <functional>
#include <string>

#include "graph/ops/op.h"

namespace rt {

/// Calls `visit(param, attributes)` for every parameter that has attributes, in the row's order.
/// The attributes of a list are its elements.
template <class Visit>
void each_attribute(const OpInfo& row, const AttributesView& view, const Visit& visit) {
  uint32_t scalar = 0, integer = 0, list = 0;
  for (const Param& param : row.params) {
    switch (param.kind) {
      case Kind::Float:
      case Kind::Index: visit(param, view.attributes.subspan(scalar++, 1)); break;
      case Kind::Int:
      case Kind::Flag: visit(param, view.attributes.subspan(row.scalars + integer++, 1)); break;
      case Kind::IntList: visit(param, view.list(list++)); break;
      default: break;
    }
  }
}

constexpr bool is_scalar(Kind kind) { return kind == Kind::Float || kind == Kind::Index; }

/// Appends `bits` as an integer or a floating number, by kind. NaNs other than the usual one show
/// their bits, so that all read back.
void put_scalar(std::string& out, Kind kind, int64_t bits);

/// Appends an attribute as messages and dumps show it: true, 3, [1,2]; or a scalar's bits.
void put_attribute(std::string& out, Kind kind, std::span<const int64_t> attributes);

/// "symbol(self=f32[2,3], dim=1)": a call as messages show it. `attributes` have the scalars' bits.
/// `operand` gives the text of an operand by its index; the call is shown without one whose text
/// is empty. `result` has the sizes, dtype and device that creating calls are given.
std::string call_text(std::string_view symbol, const OpInfo& row, const AttributesView& attributes,
                      const TensorType& result, uint32_t operands,
                      const std::function<std::string(uint32_t)>& operand);

}  // namespace rt
