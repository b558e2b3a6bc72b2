// vjp_nn.cpp -- gradients of layers.
#include "graph/ops/vjp.h"

namespace rt::vjp {
namespace {

/// Appends `op` with the attributes of the row that is differentiated.
Expr with_its_words(const Vjp& node, Op op, std::initializer_list<Expr> operands) {
  Args args;
  args.op = op;
  for (const Expr& operand : operands) args.operands.push_back(operand.value());
  args.attributes.append(node.attributes);
  return {node.build, node.build.append(args)};
}

/// f64 as it is and all else as f32, in which normalizations compute 16-bit floats.
Expr widened(Expr data) { return data.type().dtype == DType::F64 ? data : data.cast(DType::F32); }

/// (input - mean) / sqrt(variance + eps), then times weight plus bias.
struct Norm {
  const Vjp& node;
  Shape affine;  ///< sizes in which weight and bias, and statistics if given, broadcast to input

  Expr grad() const { return widened(node.grad()); }
  Expr input() const { return widened(node.self()); }
  /// The gradient of the normalized input, before the weight.
  Expr slope() const {
    return node.types[1].none ? grad() : grad() * widened(node.other()).reshape(affine);
  }
  Expr inverse_root(Expr variance) const { return (variance + node.number(0)).pow(-0.5); }
  /// The gradient of operand `operand`, from one that was broadcast from `affine`.
  Expr to_affine(Expr gradient, uint32_t operand) const {
    const TensorType type{
        .dtype = gradient.type().dtype, .device = gradient.type().device, .sizes = affine};
    return fitted(gradient, type).reshape(node.types[operand].sizes);
  }
};

/// The gradient of an operand of normalization by input's own mean and variance over `dims`.
Expr own_norm(const Norm& norm, uint32_t operand, Sizes dims) {
  if (operand == 2) return norm.to_affine(norm.grad(), 2);
  const auto mean = [dims](Expr data) { return data.apply(Op::MeanDims, {1}, dims); };
  const Expr input = norm.input();
  const Expr scale = norm.inverse_root(input.apply(Op::VarDims, {0, 1}, dims));
  const Expr normal = (input - mean(input)) * scale;
  if (operand == 1) return norm.to_affine(norm.grad() * normal, 1);
  const Expr slope = norm.slope();
  return (slope - mean(slope) - normal * mean(slope * normal)) * scale;
}

/// The sizes in which one number per channel broadcasts to input.
Shape channels(const Vjp& node) {
  Shape sizes;
  sizes.resize(static_cast<uint32_t>(node.types[0].sizes.size()), 1);
  sizes[1] = node.types[0].sizes[1];
  return sizes;
}

}  // namespace

Expr linear(const Vjp& node, uint32_t operand) {
  if (operand == 2) return node.grad();
  // A weight of one dimension makes one feature. Rows of any number of dimensions are one matrix.
  const Sizes input = node.types[0].sizes, weight = node.types[1].sizes;
  const int64_t rows = numel(input.first(input.size() - 1)), taken = input.back();
  const int64_t made = weight.size() == 1 ? 1 : weight[0];
  const Expr grad = node.grad().reshape(Shape{rows, made});
  if (operand == 0)
    return rt::matmul(grad, node.other().reshape(Shape{made, taken})).reshape(input);
  return rt::matmul(transposed(grad), node.self().reshape(Shape{rows, taken})).reshape(weight);
}

Expr embedding(const Vjp& node, uint32_t) {
  return node.grad().apply(Op::EmbeddingBackward, node.self(), {node.types[1].sizes[0]});
}

Expr conv2d(const Vjp& node, uint32_t operand) {
  if (numel(node.result_type.sizes) == 0) return node.zeros(operand);
  const bool one_image = node.result_type.sizes.size() == 3;
  if (operand == 2) return node.grad().sum(one_image ? Shape{1, 2} : Shape{0, 2, 3}, false);
  const auto batched = [one_image](Expr images) {
    Shape sizes = images.sizes();
    if (one_image) sizes.insert(0, 1);
    return images.reshape(sizes);
  };
  return with_its_words(node, operand == 0 ? Op::Conv2dBackwardInput : Op::Conv2dBackwardWeight,
                        {batched(node.grad()), batched(node.self()), node.other()})
      .reshape(node.types[operand].sizes);
}

Expr max_pool2d(const Vjp& node, uint32_t) {
  const Expr indices = with_its_words(node, Op::MaxPool2dIndices, {node.self()});
  return with_its_words(node, Op::MaxPool2dBackward, {node.grad(), node.self(), indices});
}

Expr avg_pool2d(const Vjp& node, uint32_t) {
  // Only the sizes of the operand count, so it need not be saved.
  const Expr self = node.grad().filled(0, {}).expand(node.types[0].sizes);
  return with_its_words(node, Op::AvgPool2dBackward, {node.grad(), self});
}

Expr layer_norm(const Vjp& node, uint32_t operand) {
  const Sizes shape = node.attr().list(0);
  // 16-bit floats are computed in f32, which the rows of gradients do not mix.
  if (operand < 2 && numel(node.types[0].sizes) == 0) return node.zeros(operand);
  if (operand < 2 && !is_half(node.types[0].dtype)) {
    const int64_t eps = node.build.constant(node.number(0));
    const Expr mean = node.self().apply(Op::LayerNormMean, {eps}, shape);
    const Expr rstd = node.self().apply(Op::LayerNormRstd, {eps}, shape);
    Args args;
    args.op = operand == 0 ? Op::LayerNormBackward : Op::LayerNormBackwardWeight;
    args.operands = {node.gradient, node.operands[0], mean.value(), rstd.value(),
                     node.types[1].none ? kNone : node.operands[1]};
    args.attributes.push_back(static_cast<int64_t>(shape.size()));
    args.attributes.append(shape);
    return {node.build, node.build.append(args)};
  }
  const auto rank = static_cast<int64_t>(node.types[0].sizes.size());
  Shape dims;
  for (int64_t dim = rank - static_cast<int64_t>(shape.size()); dim < rank; ++dim)
    dims.push_back(dim);
  return own_norm({node, Shape(shape)}, operand, dims);
}

Expr batch_norm(const Vjp& node, uint32_t operand) {
  if (operand > 2) return {};  // statistics get no gradient, as in PyTorch
  if (numel(node.types[0].sizes) == 0) return node.zeros(operand);
  const Norm norm{node, channels(node)};
  if (operand == 2) return norm.to_affine(norm.grad(), 2);
  const auto given = [&](uint32_t i) { return widened(node.operand(i)).reshape(norm.affine); };
  const Expr scale = norm.inverse_root(given(4));
  if (operand == 0) return norm.slope() * scale;
  const Expr normal = (norm.input() - given(3)) * scale;
  return norm.to_affine(norm.grad() * normal, 1);
}

Expr batch_norm_of_batch(const Vjp& node, uint32_t operand) {
  Shape dims;
  for (int64_t dim = 0; dim < static_cast<int64_t>(node.types[0].sizes.size()); ++dim)
    if (dim != 1) dims.push_back(dim);
  return own_norm({node, channels(node)}, operand, dims);
}

}  // namespace rt::vjp
