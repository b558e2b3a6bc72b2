// decompositions.h -- composite ops as builder calls, for backends that have no kernel for them.
#pragma once
#include "graph/ops/builder.h"

namespace rt::decompositions {

Value linear(Builder& build, const Args& args);
Value mse_loss(Builder& build, const Args& args);
Value mse_loss_backward(Builder& build, const Args& args);
Value cross_entropy(Builder& build, const Args& args);
Value batch_norm_training(Builder& build, const Args& args);
Value binary_cross_entropy(Builder& build, const Args& args);
/// Dropout as a product, whose mask a gradient is taken by. The same numbers, bit for bit.
Value masked_dropout(Builder& build, const Args& args);

/// What batch_norm's running statistics become where a batch has trained it: `args` are those of
/// its row BatchNorm.
struct Statistics {
  Value mean, variance;
};
Statistics running_statistics(Builder& build, const Args& args, double momentum);

}  // namespace rt::decompositions
