// attributes.h -- visits a step's attributes together with their parameters.
#pragma once
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

}  // namespace rt
