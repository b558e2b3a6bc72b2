// rig.h -- shared by the tests of gradients: f64 leaves and their gradients, a small network with
// an optimizer.
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "tests/abi/rig.h"

namespace rt_test {

/// Gradients as lists; tests expect each error where it occurs.
class GradTest : public PolicyTest {
 protected:
  int64_t leaf(const Doubles& data, const std::vector<int64_t>& sizes) {
    return mark(tensor(data, sizes));
  }
  int64_t leaf(const Doubles& data) { return leaf(data, {static_cast<int64_t>(data.size())}); }
  int64_t mark(int64_t handle) {
    rt_torch_autograd_set_requires_grad(handle, 1);
    EXPECT_EQ(rt_torch_autograd_requires_grad(handle), 1) << last_error();
    return handle;
  }
  /// Empty if there is no gradient.
  static Doubles grad(int64_t handle) {
    const Tensor gradient = rt_torch_autograd_grad(handle);
    return gradient > 0 ? read(gradient) : Doubles();
  }
  /// Runs backward on the sum of all elements.
  void backward_of_sum(int64_t handle) {
    rt_torch_autograd_backward(keep(rt_torch_torchtensor_sum_tensor(handle)));
  }
  int64_t square(int64_t x) { return keep(rt_torch_torchtensor_mul(x, x)); }
  int64_t scaled(int64_t x, double by) { return keep(rt_torch_torchtensor_mul_scalar(x, by)); }
  int64_t add(int64_t a, int64_t b) { return keep(rt_torch_torchtensor_add(a, b)); }
  int64_t mul(int64_t a, int64_t b) { return keep(rt_torch_torchtensor_mul(a, b)); }

  /// Expects these words in the newest error, and clears it.
  static void expect_error(const std::vector<std::string>& parts) {
    for (const std::string& part : parts) EXPECT_THAT(last_error(), testing::HasSubstr(part));
    rt_torch_clear_error();
  }
};

/// A two-layer f32 network with a loss, its parameters and optimizer.
class Mlp {
 public:
  enum class Optimizer { Sgd, Adam };

  Mlp(int64_t inputs, int64_t hidden, int64_t outputs, int64_t batch, Optimizer kind,
      double rate = 0.05)
      : input_(wave({batch, inputs})), target_(wave({batch, outputs})) {
    parameters_.push_back(wave({hidden, inputs}));
    parameters_.push_back(full({hidden}, 0));
    parameters_.push_back(wave({outputs, hidden}));
    parameters_.push_back(full({outputs}, 0));
    for (const int64_t parameter : parameters_) rt_torch_autograd_set_requires_grad(parameter, 1);
    const std::vector<int64_t> list(parameters_.begin(), parameters_.end());
    const auto count = static_cast<int64_t>(list.size());
    optimizer_ = kind == Optimizer::Sgd
                     ? rt_torch_sgd_new(list.data(), count, rate, 0.9, 0.001)
                     : rt_torch_adam_new(list.data(), count, rate, 0.9, 0.999, 1e-8, 0);
    rt_torch_flush();
    EXPECT_EQ(last_error(), "");
  }
  Mlp(const Mlp&) = delete;
  Mlp& operator=(const Mlp&) = delete;
  ~Mlp() { EXPECT_EQ(rt_torch_optimizer_free(optimizer_), 0); }

  /// Records a step and returns its loss; frees all other values, as the end of a scope does.
  Tensor step() {
    EXPECT_EQ(rt_torch_optimizer_zero_grad(optimizer_), 0);
    Tensor before = rt_torch_nn_linear(input_, parameters_[0], parameters_[1]);
    Tensor hidden = rt_torch_torchtensor_relu(before);
    Tensor output = rt_torch_nn_linear(hidden, parameters_[2], parameters_[3]);
    Tensor loss = rt_torch_nn_mse_loss_tensor(output, target_);
    rt_torch_autograd_backward(loss);
    EXPECT_EQ(rt_torch_optimizer_step(optimizer_), 0) << last_error();
    return loss;
  }
  int64_t optimizer() const { return optimizer_; }
  int64_t weight() const { return parameters_[0]; }

 private:
  static Tensor wave(std::vector<int64_t> sizes) {
    const int64_t count = sizes[0] * sizes[1];
    std::vector<double> data;
    for (int64_t i = 0; i < count; ++i) data.push_back(static_cast<double>(i * 7 % 19 - 9) / 32);
    return rt_torch_tensor(data.data(), count, sizes.data(), 2, 0, 0);
  }

  Tensor input_, target_;
  std::vector<Tensor> parameters_;
  int64_t optimizer_ = 0;
};

}  // namespace rt_test
