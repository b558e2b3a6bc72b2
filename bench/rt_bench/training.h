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

inline constexpr int kMinibatches = 8;

/// The layers one after the other.
template <class Api>
class NetworkModel {
 public:
  using Tensor = typename Api::Tensor;

  NetworkModel(const Network& network, Random& random)
      : adamw(network.adamw), network_(network), rows_{network.input[0], -1} {
    for (const Layer& layer : network_.layers) {
      if (layer.weight.empty()) continue;
      const Sizes biases = {layer.weight[0]};
      const auto fan_in = static_cast<double>(count_of(layer.weight) / biases[0]);
      parameters.push_back(
          Api::from(random.normal(layer.weight, std::sqrt(2 / fan_in)), layer.weight));
      parameters.push_back(Api::from(random.normal(biases, 0.01), biases));
    }
    const Sizes target = {network_.input[0], network_.outputs};
    for (int i = 0; i < kMinibatches; ++i)
      batches_.push_back({Api::from(random.normal(network_.input), network_.input),
                          network_.classify ? Api::from(random.classes(target[0], target[1]))
                                            : Api::from(random.normal(target), target)});
  }

  Tensor loss(size_t minibatch) const {
    const auto& [input, target] = batches_[minibatch];
    const Tensor outputs = forward(input);
    return network_.classify ? Api::cross_entropy(outputs, target) : Api::mse_loss(outputs, target);
  }

  std::vector<Tensor> parameters;
  const bool adamw;

 private:
  struct Minibatch {
    Tensor input, target;
  };

  Tensor forward(const Tensor& input) const {
    const Tensor* parameter = parameters.data();
    Tensor x = apply(network_.layers[0], input, parameter);
    for (size_t i = 1; i < network_.layers.size(); ++i) {
      if (!network_.layers[i - 1].weight.empty()) parameter += 2;
      x = apply(network_.layers[i], x, parameter);
    }
    return x;
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

  const Network network_;
  const Sizes rows_;
  std::vector<Minibatch> batches_;
};

struct TransformerSizes {
  int64_t batch, length, width, heads, vocabulary;
};

/// The model of examples/char_transformer.c: one block of causal attention and an MLP. It learns
/// to predict the next of the characters, with AdamW.
template <class Api>
class TransformerModel {
 public:
  using Tensor = typename Api::Tensor;

  TransformerModel(const TransformerSizes& sizes, Random& random)
      : sizes_(sizes), heads_(sizes.batch, sizes.length, sizes.width, sizes.heads, true) {
    const int64_t width = sizes.width, rows = sizes.batch * sizes.length;
    table(random, sizes.vocabulary);
    table(random, sizes.length);
    for (const auto [inputs, outputs] : {std::pair{width, 3 * width},
                                         {width, width},
                                         {width, 4 * width},
                                         {4 * width, width},
                                         {width, sizes.vocabulary}}) {
      const Sizes weight = {outputs, inputs}, bias = {outputs};
      const double deviation = 1 / std::sqrt(static_cast<double>(inputs));
      parameters.push_back(Api::from(random.normal(weight, deviation), weight));
      parameters.push_back(Api::from(random.normal(bias, 0.01), bias));
    }
    const Sizes norm = {width};
    for (int i = 0; i < 3; ++i) {
      parameters.push_back(Api::from(random.uniform(norm, 0.9F, 1.1F), norm));
      parameters.push_back(Api::from(random.normal(norm, 0.01), norm));
    }
    for (int i = 0; i < kMinibatches; ++i) {
      const Tensor characters = Api::from(random.classes(rows, sizes.vocabulary));
      batches_.push_back({Api::reshape(characters, {sizes.batch, sizes.length}),
                          Api::from(random.classes(rows, sizes.vocabulary))});
    }
  }

  Tensor loss(size_t minibatch) const {
    const auto& [characters, target] = batches_[minibatch];
    const Sizes rows = {sizes_.batch * sizes_.length, sizes_.width};
    Tensor x = Api::add(Api::embedding(characters, parameters[0]), parameters[1]);
    x = Api::add(x, attention(norm(0, x)));
    x = Api::add(x, linear(3, Api::gelu(linear(2, norm(1, x)))));
    const Tensor logits = linear(4, Api::reshape(norm(2, x), rows));
    return Api::cross_entropy(logits, target);
  }

  std::vector<Tensor> parameters;  ///< two tables, then five linear layers, then three norms
  static constexpr bool adamw = true;

 private:
  struct Minibatch {
    Tensor characters, target;
  };

  void table(Random& random, int64_t rows) {
    const Sizes sizes = {rows, sizes_.width};
    parameters.push_back(Api::from(random.normal(sizes, 0.1), sizes));
  }
  Tensor linear(size_t layer, const Tensor& x) const {
    return Api::linear(x, parameters[2 + 2 * layer], parameters[3 + 2 * layer]);
  }
  Tensor norm(size_t layer, const Tensor& x) const {
    return Api::layer_norm(x, {sizes_.width}, parameters[12 + 2 * layer],
                           parameters[13 + 2 * layer]);
  }
  Tensor attention(const Tensor& x) const {
    const Tensor all = linear(0, x);
    const auto part = [&](int64_t i) {
      return Api::slice(all, 2, i * sizes_.width, (i + 1) * sizes_.width);
    };
    return linear(1, heads_.apply(part(0), part(1), part(2)));
  }

  const TransformerSizes sizes_;
  const Heads<Api> heads_;
  std::vector<Minibatch> batches_;
};

template <class Api, template <class> class Model>
class Training {
 public:
  static constexpr bool kGradients = true;
  using Tensor = typename Api::Tensor;

  template <class Sizes>
  explicit Training(const Sizes& sizes)
      : model_(sizes, random_), optimizer_(leaves(), model_.adamw, 1e-3) {
    Api::finish();
  }

  void step() {
    optimizer_.zero_grad();
    const Tensor loss = model_.loss(steps_++ % kMinibatches);
    Api::backward(loss);
    optimizer_.step();
    loss_ = Api::item(loss);
  }

  std::vector<float> state() {
    std::vector<float> all = {static_cast<float>(loss_)};
    for (const Tensor& parameter : model_.parameters) {
      const std::vector<float> values = values_of<Api>(parameter);
      all.insert(all.end(), values.begin(), values.end());
    }
    return all;
  }

 private:
  const std::vector<Tensor>& leaves() {
    for (Tensor& parameter : model_.parameters) Api::make_leaf(parameter);
    return model_.parameters;
  }

  Random random_;
  Model<Api> model_;
  typename Api::Optimizer optimizer_;
  size_t steps_ = 0;
  double loss_ = 0;
};

template <class Api>
using NetworkTraining = Training<Api, NetworkModel>;
template <class Api>
using TransformerTraining = Training<Api, TransformerModel>;

}  // namespace rt_bench
