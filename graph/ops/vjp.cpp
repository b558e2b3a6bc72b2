// vjp.cpp -- the parts that gradient rules share: undoing broadcast and conversion.
#include "graph/ops/vjp.h"

#include <algorithm>

namespace rt {

Expr Vjp::zeros(uint32_t i) const {
  Args args;
  args.op = Op::Full;
  args.attributes = {build.constant(0)};
  args.shape = sizes(i);
  args.dtype = types[i].dtype;
  args.device = types[i].device;
  return {build, build.append(args)};
}

Expr fitted(Expr gradient, const TensorType& type) {
  const Shape from = gradient.sizes(), to(type.sizes);
  if (!std::ranges::equal(Sizes(from), Sizes(to))) {
    const uint32_t missing = from.size() - to.size();
    Shape dims;
    for (uint32_t d = 0; d < from.size(); ++d)
      if (d < missing || (to[d - missing] == 1 && from[d] != 1)) dims.push_back(d);
    gradient = gradient.sum(dims, false).reshape(to);
  }
  gradient = gradient.cast(type.dtype);
  if (gradient.type().device == type.device) return gradient;
  Args args;
  args.op = Op::Move;
  args.operands = {gradient.value()};
  args.device = type.device;
  return {gradient.build(), gradient.build().append(args)};
}

}  // namespace rt
