// abi.h -- the calls of the workloads, through the C ABI.
#pragma once
#include <span>
#include <stdexcept>
#include <utility>
#include <vector>

#include "bench/rt_bench/random.h"
#include "bench/rt_bench/side.h"
#include "rt_torch.h"

namespace rt_bench {

struct Abi {
  static constexpr bool kRecords = true;  ///< work is done in finish(), not in the calls before it

  /// Owns a handle.
  class Tensor {
   public:
    Tensor() = default;
    explicit Tensor(int64_t handle) : handle_(handle) {
      if (handle <= 0) throw std::runtime_error(rt_torch_last_error());
    }
    Tensor(Tensor&& other) noexcept : handle_(std::exchange(other.handle_, 0)) {}
    Tensor& operator=(Tensor&& other) noexcept {
      std::swap(handle_, other.handle_);
      other.reset();
      return *this;
    }
    ~Tensor() { reset(); }
    int64_t handle() const { return handle_; }

   private:
    void reset() {
      if (handle_ > 0) rt_torch_torchtensor_free(std::exchange(handle_, 0));
    }
    int64_t handle_ = 0;
  };

  /// Surrounds steps without gradients. The engine needs no such mode.
  struct Mode {
    explicit Mode(bool /*gradients*/) {}
  };

  static void check() {
    if (*rt_torch_last_error() != '\0') throw std::runtime_error(rt_torch_last_error());
  }

  // ---- data
  static Tensor from(const std::vector<float>& values, const Sizes& sizes) {
    return make(std::vector<double>(values.begin(), values.end()), sizes, 0);
  }
  static Tensor from(const std::vector<int64_t>& values) {
    return make(std::vector<double>(values.begin(), values.end()),
                {static_cast<int64_t>(values.size())}, 3);
  }
  static Tensor full(std::span<const int64_t> sizes, double value) {
    return Tensor(rt_torch_tensor_full(sizes.data(), length(sizes), value));
  }
  static void read(const Tensor& x, std::span<float> values) {
    if (rt_torch_copy_data_to_cpu(x.handle(), values.data(), length(values)) != length(values))
      throw std::runtime_error(rt_torch_last_error());
  }
  static double item(const Tensor& x) { return rt_torch_torchtensor_item(x.handle()); }
  static int64_t numel(const Tensor& x) { return rt_torch_torchtensor_numel(x.handle()); }
  static int64_t dims(const Tensor& x) { return rt_torch_torchtensor_ndim(x.handle()); }
  static int64_t size(const Tensor& x, int64_t dim) {
    return rt_torch_torchtensor_shape_dim(x.handle(), dim);
  }
  /// Ends a step: submits its work, and on a GPU waits for it.
  static void finish() {
    if (setup.cuda) wait();
    else rt_torch_flush();
  }
  static void wait() { rt_torch_sync(); }

  // ---- elementwise
  static Tensor add(const Tensor& x, const Tensor& y) {
    return Tensor(rt_torch_torchtensor_add(x.handle(), y.handle()));
  }
  static Tensor sub(const Tensor& x, const Tensor& y) {
    return Tensor(rt_torch_torchtensor_sub(x.handle(), y.handle()));
  }
  static Tensor mul(const Tensor& x, const Tensor& y) {
    return Tensor(rt_torch_torchtensor_mul(x.handle(), y.handle()));
  }
  static Tensor add_scalar(const Tensor& x, double scalar) {
    return Tensor(rt_torch_torchtensor_add_scalar(x.handle(), scalar));
  }
  static Tensor mul_scalar(const Tensor& x, double scalar) {
    return Tensor(rt_torch_torchtensor_mul_scalar(x.handle(), scalar));
  }
  static Tensor relu(const Tensor& x) { return Tensor(rt_torch_torchtensor_relu(x.handle())); }
  static Tensor gelu(const Tensor& x) { return Tensor(rt_torch_torchtensor_gelu(x.handle())); }
  static Tensor exp(const Tensor& x) { return Tensor(rt_torch_torchtensor_exp(x.handle())); }
  static Tensor tanh(const Tensor& x) { return Tensor(rt_torch_torchtensor_tanh(x.handle())); }

  // ---- reductions, products and layers
  static double sum(const Tensor& x) { return rt_torch_torchtensor_sum(x.handle()); }
  static Tensor matmul(const Tensor& x, const Tensor& y) {
    return Tensor(rt_torch_torchtensor_matmul(x.handle(), y.handle()));
  }
  static Tensor transpose(const Tensor& x, int64_t dim0, int64_t dim1) {
    return Tensor(rt_torch_torchtensor_transpose(x.handle(), dim0, dim1));
  }
  static Tensor view(const Tensor& x, const Sizes& sizes) {
    return Tensor(rt_torch_torchtensor_view(x.handle(), sizes.data(), length(sizes)));
  }
  static Tensor reshape(const Tensor& x, const Sizes& sizes) {
    return Tensor(rt_torch_torchtensor_reshape(x.handle(), sizes.data(), length(sizes)));
  }
  static Tensor permute(const Tensor& x, const Sizes& dims) {
    return Tensor(rt_torch_torchtensor_permute(x.handle(), dims.data(), length(dims)));
  }
  static Tensor slice(const Tensor& x, int64_t dim, int64_t start, int64_t end) {
    return Tensor(rt_torch_torchtensor_slice(x.handle(), dim, start, end, 1));
  }
  static Tensor embedding(const Tensor& indices, const Tensor& weight) {
    return Tensor(rt_torch_nn_embedding(indices.handle(), weight.handle()));
  }
  static Tensor softmax(const Tensor& x, int64_t dim) {
    return Tensor(rt_torch_torchtensor_softmax(x.handle(), dim));
  }
  static Tensor layer_norm(const Tensor& x, const Sizes& sizes, const Tensor& weight,
                           const Tensor& bias) {
    return Tensor(rt_torch_nn_layer_norm(x.handle(), sizes.data(), length(sizes), weight.handle(),
                                         bias.handle(), 1e-5));
  }
  static Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias) {
    return Tensor(rt_torch_nn_linear(x.handle(), weight.handle(), bias.handle()));
  }
  /// 3x3 with a padding of one.
  static Tensor conv2d(const Tensor& x, const Tensor& weight, const Tensor& bias) {
    static constexpr int64_t kOnes[] = {1, 1};
    return Tensor(rt_torch_nn_conv2d(x.handle(), weight.handle(), bias.handle(), kOnes, 2, kOnes, 2,
                                     kOnes, 2, 1));
  }
  /// The maximum of each 2x2.
  static Tensor max_pool2d(const Tensor& x) {
    static constexpr int64_t kTwos[] = {2, 2}, kNone[] = {0, 0};
    return Tensor(rt_torch_nn_max_pool2d(x.handle(), kTwos, 2, kTwos, 2, kNone, 2));
  }

  // ---- training
  static Tensor mse_loss(const Tensor& x, const Tensor& target) {
    return Tensor(rt_torch_nn_mse_loss_tensor(x.handle(), target.handle()));
  }
  static Tensor cross_entropy(const Tensor& x, const Tensor& target) {
    return Tensor(rt_torch_nn_cross_entropy_tensor(x.handle(), target.handle()));
  }
  static void make_leaf(const Tensor& x) { rt_torch_autograd_set_requires_grad(x.handle(), 1); }
  static void backward(const Tensor& loss) { rt_torch_autograd_backward(loss.handle()); }

  class Optimizer {
   public:
    Optimizer(const std::vector<Tensor>& parameters, bool adamw, double rate) {
      std::vector<int64_t> handles;
      for (const Tensor& parameter : parameters) handles.push_back(parameter.handle());
      handle_ =
          adamw ? rt_torch_adamw_new(handles.data(), length(handles), rate, 0.9, 0.999, 1e-8, 0.01)
                : rt_torch_sgd_new(handles.data(), length(handles), rate, 0, 0);
      if (handle_ <= 0) throw std::runtime_error(rt_torch_last_error());
    }
    Optimizer(const Optimizer&) = delete;
    Optimizer& operator=(const Optimizer&) = delete;
    ~Optimizer() { rt_torch_optimizer_free(handle_); }
    void zero_grad() { rt_torch_optimizer_zero_grad(handle_); }
    void step() { rt_torch_optimizer_step(handle_); }

   private:
    int64_t handle_;
  };

 private:
  template <class Range>
  static int64_t length(const Range& range) {
    return static_cast<int64_t>(std::size(range));
  }
  static Tensor make(const std::vector<double>& values, const Sizes& sizes, int64_t dtype) {
    return Tensor(rt_torch_tensor(values.data(), length(values), sizes.data(), length(sizes), dtype,
                                  setup.cuda ? 1 : 0));
  }
};

}  // namespace rt_bench
