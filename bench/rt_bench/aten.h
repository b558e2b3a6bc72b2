// aten.h -- the calls of the workloads, in libtorch.
#pragma once
#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <torch/optim/adamw.h>
#include <torch/optim/sgd.h>

#include <cstring>
#include <memory>
#include <span>
#include <vector>

#include "bench/rt_bench/random.h"
#include "bench/rt_bench/side.h"

namespace rt_bench {

struct Aten {
  static constexpr bool kRecords = false;
  using Tensor = at::Tensor;

  struct Mode {
    explicit Mode(bool gradients) : inference(!gradients) {}
    c10::InferenceMode inference;
  };

  static void check() {}

  // ---- data
  static Tensor from(const std::vector<float>& values, const Sizes& sizes) {
    return at::tensor(values).view(sizes).clone().to(device());
  }
  static Tensor from(const std::vector<int64_t>& values) { return at::tensor(values).to(device()); }
  static Tensor full(std::span<const int64_t> sizes, double value) {
    return at::full(at::IntArrayRef(sizes.data(), sizes.size()), value,
                    at::TensorOptions(at::kFloat).device(device()));
  }
  static void read(const Tensor& x, std::span<float> values) {
    if (!x.is_cpu() || !x.is_contiguous()) return read(x.cpu().contiguous(), values);
    std::memcpy(values.data(), x.const_data_ptr<float>(), values.size_bytes());
  }
  static double item(const Tensor& x) { return x.item<double>(); }
  static int64_t numel(const Tensor& x) { return x.numel(); }
  static int64_t dims(const Tensor& x) { return x.dim(); }
  static int64_t size(const Tensor& x, int64_t dim) { return x.size(dim); }
  static void finish() {
    if (setup.cuda) c10::impl::VirtualGuardImpl(at::kCUDA).synchronizeDevice(0);
  }
  static void wait() { finish(); }

  // ---- elementwise
  static Tensor add(const Tensor& x, const Tensor& y) { return at::add(x, y); }
  static Tensor sub(const Tensor& x, const Tensor& y) { return at::sub(x, y); }
  static Tensor mul(const Tensor& x, const Tensor& y) { return at::mul(x, y); }
  static Tensor add_scalar(const Tensor& x, double scalar) { return at::add(x, scalar); }
  static Tensor mul_scalar(const Tensor& x, double scalar) { return at::mul(x, scalar); }
  static Tensor relu(const Tensor& x) { return at::relu(x); }
  static Tensor gelu(const Tensor& x) { return at::gelu(x); }
  static Tensor exp(const Tensor& x) { return at::exp(x); }
  static Tensor tanh(const Tensor& x) { return at::tanh(x); }

  // ---- reductions, products and layers
  static double sum(const Tensor& x) { return at::sum(x).item<double>(); }
  static Tensor matmul(const Tensor& x, const Tensor& y) { return at::matmul(x, y); }
  static Tensor transpose(const Tensor& x, int64_t dim0, int64_t dim1) {
    return at::transpose(x, dim0, dim1);
  }
  static Tensor view(const Tensor& x, const Sizes& sizes) { return x.view(sizes); }
  static Tensor reshape(const Tensor& x, const Sizes& sizes) { return x.reshape(sizes); }
  static Tensor permute(const Tensor& x, const Sizes& dims) { return x.permute(dims); }
  static Tensor slice(const Tensor& x, int64_t dim, int64_t start, int64_t end) {
    return at::slice(x, dim, start, end);
  }
  static Tensor embedding(const Tensor& indices, const Tensor& weight) {
    return at::embedding(weight, indices);
  }
  static Tensor softmax(const Tensor& x, int64_t dim) { return at::softmax(x, dim); }
  static Tensor layer_norm(const Tensor& x, const Sizes& sizes, const Tensor& weight,
                           const Tensor& bias) {
    return at::layer_norm(x, sizes, weight, bias, 1e-5);
  }
  static Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias) {
    return at::linear(x, weight, bias);
  }
  static Tensor conv2d(const Tensor& x, const Tensor& weight, const Tensor& bias) {
    return at::conv2d(x, weight, bias, 1, 1);
  }
  static Tensor max_pool2d(const Tensor& x) { return at::max_pool2d(x, {2, 2}, {2, 2}); }

  // ---- training
  static Tensor mse_loss(const Tensor& x, const Tensor& target) { return at::mse_loss(x, target); }
  static Tensor cross_entropy(const Tensor& x, const Tensor& target) {
    return at::cross_entropy_loss(x, target);
  }
  static void make_leaf(Tensor& x) { x.requires_grad_(); }
  static void backward(const Tensor& loss) { loss.backward(); }

  class Optimizer {
   public:
    Optimizer(const std::vector<Tensor>& parameters, bool adamw, double rate) {
      if (adamw)
        optimizer_ = std::make_unique<torch::optim::AdamW>(
            parameters, torch::optim::AdamWOptions(rate).weight_decay(0.01));
      else
        optimizer_ =
            std::make_unique<torch::optim::SGD>(parameters, torch::optim::SGDOptions(rate));
    }
    void zero_grad() { optimizer_->zero_grad(); }
    void step() { optimizer_->step(); }

   private:
    std::unique_ptr<torch::optim::Optimizer> optimizer_;
  };

 private:
  static at::Device device() { return setup.cuda ? at::kCUDA : at::kCPU; }
};

}  // namespace rt_bench
