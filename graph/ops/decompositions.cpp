// decompositions.cpp -- composite ops as builder calls. Each gives exactly the composite's type.
#include "graph/ops/decompositions.h"

#include <algorithm>

#include "graph/ops/expr.h"

namespace rt::decompositions {
namespace {

/// A 0-d tensor of a constant.
Value constant_tensor(Builder& build, double value, DType dtype, Device device) {
  Args args;
  args.op = Op::Full;
  args.attributes = {build.constant(value)};
  args.dtype = dtype;
  args.device = device;
  return build.append(args);
}

/// All dimensions but that of the channels.
Shape all_but_channels(Expr input) {
  Shape dims;
  for (int64_t dim = 0; dim < input.rank(); ++dim)
    if (dim != 1) dims.push_back(dim);
  return dims;
}

/// A 16-bit float as f32, in which normalizations compute. kNone stays kNone.
Value widened(Builder& build, Value value) {
  if (value == kNone || !is_half(build.type(value).dtype)) return value;
  return build.cast(value, DType::F32);
}

Value batch_mean(Builder& build, Value value) {
  const Expr input{build, value};
  return input.apply(Op::MeanDims, {0}, all_but_channels(input)).value();
}
Value batch_variance(Builder& build, Value value, int64_t correction) {
  const Expr input{build, value};
  return input.apply(Op::VarDims, {correction, 0}, all_but_channels(input)).value();
}

}  // namespace

Value batch_norm_training(Builder& build, const Args& args) {
  const Value input = widened(build, args.operands[0]);
  const Value weight = widened(build, args.operands[1]), bias = widened(build, args.operands[2]);
  const Value mean = batch_mean(build, input), variance = batch_variance(build, input, 0);
  const Value normal =
      build.op(Op::BatchNorm, {input, weight, bias, mean, variance}, {args.attributes[0]});
  return build.cast(normal, args.dtype);
}

Statistics running_statistics(Builder& build, const Args& args, double momentum) {
  const Value input = widened(build, args.operands[0]);
  const auto moved = [&](Value running, Value now) {
    const Value next =
        build.op(Op::Lerp, {widened(build, running), now}, {build.constant(momentum)});
    return build.cast(next, build.type(running).dtype);
  };
  return {moved(args.operands[3], batch_mean(build, input)),
          moved(args.operands[4], batch_variance(build, input, 1))};
}

Value masked_dropout(Builder& build, const Args& args) {
  const Value input = args.operands[0];
  const Value mask = build.op(Op::DropoutMask, {input}, {args.attributes[0], args.attributes[1]});
  return build.op(Op::Mul, {input, mask});
}

Value linear(Builder& build, const Args& args) {
  const Value weight = build.op(Op::T, {args.operands[1]});
  const Value product = build.op(Op::Matmul, {args.operands[0], weight});
  return args.operands[2] == kNone ? product : build.op(Op::Add, {product, args.operands[2]});
}

Value mse_loss(Builder& build, const Args& args) {
  const Value self = build.cast(args.operands[0], args.dtype);
  const Value target = build.cast(args.operands[1], args.dtype);
  const Value difference = build.op(Op::Sub, {self, target});
  return build.op(Op::Mean, {build.op(Op::Mul, {difference, difference})});
}

Value mse_loss_backward(Builder& build, const Args& args) {
  const Value difference = build.op(Op::Sub, {args.operands[1], args.operands[2]});
  const auto count = static_cast<double>(numel(args.shape));
  const Value slope = build.op(Op::MulScalar, {difference}, {build.constant(2 / count)});
  return build.op(Op::Mul, {slope, args.operands[0]});
}

Value cross_entropy(Builder& build, const Args& args) {
  const Value self = args.operands[0], target = args.operands[1];
  const TensorType self_type = build.type(self), target_type = build.type(target);
  const Shape sizes(self_type.sizes);
  const int64_t class_dim = sizes.size() > 1 ? 1 : 0;
  const bool probabilities =
      is_float(target_type.dtype) && std::ranges::equal(sizes, target_type.sizes);
  const Value logs = build.op(Op::LogSoftmax, {self}, {class_dim});
  if (!probabilities) return build.op(Op::NllLoss, {build.cast(logs, args.dtype), target});
  const int64_t classes = sizes[static_cast<uint32_t>(class_dim)];
  const double batch = classes == 0 ? 0.0 : static_cast<double>(numel(sizes) / classes);
  const Value terms =
      build.op(Op::Mul, {build.cast(logs, args.dtype), build.cast(target, args.dtype)});
  const Value total = build.op(Op::Neg, {build.op(Op::Sum, {terms})});
  return build.op(Op::Div, {total, constant_tensor(build, batch, args.dtype, args.device)});
}

Value binary_cross_entropy(Builder& build, const Args& args) {
  return build.op(Op::Mean,
                  {build.op(Op::BinaryCrossEntropyTerms, {args.operands[0], args.operands[1]})});
}

}  // namespace rt::decompositions
