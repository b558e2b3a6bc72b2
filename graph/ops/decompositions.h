// decompositions.h -- composite ops as builder calls, for backends without kernels for them.
#pragma once
#include "graph/ops/builder.h"

namespace rt::decompositions {

Value linear(Builder& build, const Args& args);
Value mse_loss(Builder& build, const Args& args);
Value mse_loss_backward(Builder& build, const Args& args);
Value cross_entropy(Builder& build, const Args& args);
Value batch_norm_training(Builder& build, const Args& args);
Value binary_cross_entropy(Builder& build, const Args& args);
/// Dropout as a product with a mask, which a gradient needs. The result has the bits of dropout's.
Value masked_dropout(Builder& build, const Args& args);

// decompositions_math.cpp: elementwise ops. Their gradients are PyTorch's where they are recorded
// as these compositions.
Value clamp(Builder& build, const Args& args);
Value square(Builder& build, const Args& args);
Value frac(Builder& build, const Args& args);
Value by_scalar(Builder& build, const Args& args);  ///< remainder, fmod, floor_divide by a scalar
Value isclose(Builder& build, const Args& args);
Value allclose(Builder& build, const Args& args);
Value all_equal(Builder& build, const Args& args);
Value masked_fill(Builder& build, const Args& args);
Value elu(Builder& build, const Args& args);
Value selu(Builder& build, const Args& args);
Value mish(Builder& build, const Args& args);
Value relu6(Builder& build, const Args& args);
Value hardsigmoid(Builder& build, const Args& args);
Value hardswish(Builder& build, const Args& args);
Value prelu(Builder& build, const Args& args);
Value gelu_tanh(Builder& build, const Args& args);
Value log_sigmoid(Builder& build, const Args& args);

/// The running statistics of batch_norm after a batch has trained it. `args` are those of its row
/// BatchNorm, with the statistics before as operands 3 and 4.
struct Statistics {
  Value mean, variance;
};
Statistics running_statistics(Builder& build, const Args& args, double momentum);

}  // namespace rt::decompositions
