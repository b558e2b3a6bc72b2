// vjp_layers.cpp -- gradients of layers that are no compositions of rows with gradients.
#include "graph/ops/formulas.h"
#include "graph/ops/vjp.h"

namespace rt::vjp {

// conv_transpose2d is the gradient of a convolution's input, and linear in its input and weight:
// its gradients are that convolution and the gradient of its weight.
Expr conv_transpose2d(const Vjp& node, uint32_t operand) {
  if (numel(node.result_type.sizes) == 0) return node.zeros(operand);
  const bool one_image = node.result_type.sizes.size() == 3;
  if (operand == 2) return node.grad().sum(one_image ? Shape{1, 2} : Shape{0, 2, 3}, false);
  const auto batched = [one_image](Expr images) {
    return one_image ? with_dim(images, 0) : images;
  };
  const Expr grad = batched(node.grad());
  const AttributesView attributes = node.attr();
  const auto stride = attributes.list(0), more = attributes.list(2);
  Args args;
  args.attributes = {attributes.integer(0)};
  for (const uint32_t list : {0u, 1u, 3u}) {
    args.attributes.push_back(2);
    args.attributes.append(attributes.list(list));
  }
  if (operand == 0) {
    args.op = Op::Conv2d;
    args.operands = {grad.value(), node.operands[1], kNone};
    Expr images(node.build, node.build.append(args));
    const Sizes input = node.types[0].sizes;
    for (const uint32_t d : {0u, 1u})
      if (more[d] >= stride[d]) images = rt::slice(images, d + 2, 0, input[input.size() - 2 + d]);
    return images.reshape(input);
  }
  Expr input = batched(node.self());
  for (const uint32_t d : {0u, 1u}) input = padded(input, d + 2, 0, more[d] / stride[d]);
  args.op = Op::Conv2dBackwardWeight;
  args.operands = {input.value(), grad.value(), node.operands[1]};
  return {node.build, node.build.append(args)};
}

// unfold copies elements into windows, and fold adds them up there: each is the other's gradient.
Expr unfold(const Vjp& node, uint32_t) {
  const Sizes self = node.types[0].sizes;
  if (numel(self) == 0) return node.zeros(0);
  Args args;
  args.op = Op::Fold;
  args.operands = {node.gradient};
  args.attributes = {2};
  args.attributes.append(self.last(2));
  args.attributes.append(node.attributes);
  return {node.build, node.build.append(args)};
}

Expr fold(const Vjp& node, uint32_t) {
  if (numel(node.types[0].sizes) == 0) return node.zeros(0);
  Args args;
  args.op = Op::Unfold;
  args.operands = {node.gradient};
  constexpr size_t kSizes = 3;  // output_size and its length
  args.attributes.append(node.attributes.subspan(kSizes));
  return {node.build, node.build.append(args)};
}

Expr embedding_backward(const Vjp& node, uint32_t operand) {
  if (operand != 0) return {};
  const Shape indices = node.sizes(1);
  return node.grad()
      .apply(Op::IndexSelect, node.other().reshape(Shape{numel(indices)}), {0})
      .reshape(node.sizes(0));
}

}  // namespace rt::vjp
