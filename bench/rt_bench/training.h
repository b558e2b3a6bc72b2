// training.h -- training steps for both sides: zero_grad, forward, loss, backward, the optimizer's
// step, and a read of the loss. Api is Abi or Aten.
#pragma once
#include <cmath>
#include <utility>
#include <vector>

#include "bench/rt_bench/workloads.h"

namespace rt_bench {

struct Layer {
  enum Kind { Linear, Relu, Conv, Pool, Flatten } kind;
  Sizes weight = {};  ///< its first size is also that of the bias
};

struct Network {
  std::vector<Layer> layers;
  Sizes input;  ///< sizes of a minibatch
  int64_t outputs;
  bool classify;  ///< cross entropy, else mean squared error
  bool adamw;     ///< else SGD
};

inline std::vector<Layer> mlp(const Sizes& widths) {
  std::vector<Layer> layers;
  for (size_t i = 1; i < widths.size(); ++i) {
    if (i > 1) layers.push_back({Layer::Relu});
    layers.push_back({Layer::Linear, {widths[i], widths[i - 1]}});
  }
  return layers;
}

/// Two convolutions with pooling and a linear layer, for images of 8x8.
inline std::vector<Layer> conv_net() {
  return {{Layer::Conv, {16, 1, 3, 3}},
          {Layer::Relu},
          {Layer::Pool},
          {Layer::Conv, {32, 16, 3, 3}},
          {Layer::Relu},
          {Layer::Pool},
          {Layer::Flatten},
          {Layer::Linear, {10, 128}}};
}

template <class Api>
class Training {
 public:
  static constexpr bool kGradients = true;
  using Tensor = typename Api::Tensor;

  explicit Training(Network network)
      : network_(std::move(network)),
        rows_{network_.input[0], -1},
        parameters_(start()),
        optimizer_(parameters_, network_.adamw, 1e-3) {
    Api::finish();
  }

  void step() {
    const Minibatch& batch = batches_[steps_++ % batches_.size()];
    optimizer_.zero_grad();
    const Tensor loss = loss_of(forward(batch.input), batch.target);
    Api::backward(loss);
    optimizer_.step();
    loss_ = Api::item(loss);
  }

  std::vector<float> state() {
    std::vector<float> all = {static_cast<float>(loss_)};
    for (const Tensor& parameter : parameters_) {
      const std::vector<float> values = values_of<Api>(parameter);
      all.insert(all.end(), values.begin(), values.end());
    }
    return all;
  }

 private:
  static constexpr int kMinibatches = 8;
  struct Minibatch {
    Tensor input, target;
  };

  std::vector<Tensor> start() {
    Random random;
    std::vector<Tensor> parameters;
    for (const Layer& layer : network_.layers) {
      if (layer.weight.empty()) continue;
      const Sizes biases = {layer.weight[0]};
      const auto fan_in = static_cast<double>(count_of(layer.weight) / biases[0]);
      parameters.push_back(
          Api::from(random.normal(layer.weight, std::sqrt(2 / fan_in)), layer.weight));
      parameters.push_back(Api::from(random.normal(biases, 0.01), biases));
    }
    for (Tensor& parameter : parameters) Api::make_leaf(parameter);
    const Sizes target = {network_.input[0], network_.outputs};
    for (int i = 0; i < kMinibatches; ++i)
      batches_.push_back({Api::from(random.normal(network_.input), network_.input),
                          network_.classify ? Api::from(random.classes(target[0], target[1]))
                                            : Api::from(random.normal(target), target)});
    return parameters;
  }

  Tensor forward(const Tensor& input) const {
    const Tensor* parameter = parameters_.data();
    Tensor x = apply(network_.layers[0], input, parameter);
    for (size_t i = 1; i < network_.layers.size(); ++i) {
      if (!network_.layers[i - 1].weight.empty()) parameter += 2;
      x = apply(network_.layers[i], x, parameter);
    }
    return x;
  }
  Tensor loss_of(const Tensor& outputs, const Tensor& target) const {
    return network_.classify ? Api::cross_entropy(outputs, target) : Api::mse_loss(outputs, target);
  }
  Tensor apply(const Layer& layer, const Tensor& x, const Tensor* parameter) const {
    switch (layer.kind) {
      case Layer::Linear: return Api::linear(x, parameter[0], parameter[1]);
      case Layer::Relu: return Api::relu(x);
      case Layer::Conv: return Api::conv2d(x, parameter[0], parameter[1]);
      case Layer::Pool: return Api::max_pool2d(x);
      case Layer::Flatten: break;
    }
    return Api::view(x, rows_);
  }

  Network network_;
  Sizes rows_;
  std::vector<Minibatch> batches_;
  std::vector<Tensor> parameters_;
  typename Api::Optimizer optimizer_;
  size_t steps_ = 0;
  double loss_ = 0;
};

}  // namespace rt_bench
