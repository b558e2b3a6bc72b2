// builder.cpp -- the builder's short forms.
#include "graph/ops/builder.h"

namespace rt {

Value Builder::op(Op op, std::initializer_list<Value> operands,
                  std::initializer_list<int64_t> attributes) {
  Args args;
  args.op = op;
  args.operands = operands;
  args.attributes = attributes;
  return append(args);
}

Value Builder::cast(Value value, DType dtype) {
  if (type(value).dtype == dtype) return value;
  Args args;
  args.op = Op::Cast;
  args.operands = {value};
  args.dtype = dtype;
  return append(args);
}

Value Builder::resized(Value value, Sizes sizes) {
  Args args;
  args.op = Op::Reshape;
  args.operands = {value};
  args.shape.assign(sizes);
  return append(args);
}

}  // namespace rt
