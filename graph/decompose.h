// decompose.h -- composite ops as builder calls, for backends that have no kernel for them.
#pragma once
#include "graph/builder.h"

namespace rt::decompose {

Value linear(Builder& build, const Args& args);
Value mse_loss(Builder& build, const Args& args);
Value mse_loss_backward(Builder& build, const Args& args);
Value cross_entropy(Builder& build, const Args& args);
Value batch_norm_training(Builder& build, const Args& args);
Value batch_norm_running_mean(Builder& build, const Args& args);
Value batch_norm_running_var(Builder& build, const Args& args);
Value binary_cross_entropy(Builder& build, const Args& args);

}  // namespace rt::decompose
