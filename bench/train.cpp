// train.cpp -- a training step through the C ABI beside the same aten calls with libtorch's own
// autograd and an optimizer in place: interleaved in one process, on one thread, from the same
// parameters, on the same minibatches, each step ending with its loss as a number. The parameters
// must agree. Bars: MLP 64-128-128-32 at batch 4 1.5 times as fast, hidden 512 at batch 64 0.97.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>

#include <time.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "rt_torch.h"

namespace {

constexpr double kRate = 1e-3;
constexpr double kBeta1 = 0.9, kBeta2 = 0.999, kEps = 1e-8;
constexpr int kMinibatches = 8;
constexpr int kWarmUp = 100;

[[noreturn]] void stop(const std::string& why) {
  std::fprintf(stderr, "train: %s\n", why.c_str());
  std::exit(1);
}

// ---- what is trained

struct Layer {
  enum Kind { Linear, Relu, Conv, Pool, Flatten } kind;
  std::vector<int64_t> weight = {};  // its bias is as long as its first size
};

struct Workload {
  const char* name;
  std::vector<Layer> layers;
  std::vector<int64_t> input;  // sizes of a minibatch
  int64_t outputs;
  bool classify;  // cross entropy, else the mean squared error
  bool adam;      // else SGD
  int steps;      // of a round
  double bar;     // 0: none
};

/// Where both sides begin, and what they see.
struct Start {
  std::vector<at::Tensor> parameters, inputs, targets;
};

Start make_start(const Workload& work) {
  at::manual_seed(1);
  Start start;
  for (const Layer& layer : work.layers) {
    if (layer.weight.empty()) continue;
    const at::Tensor weight = at::randn(layer.weight);
    const double fan_in = static_cast<double>(weight.numel()) / static_cast<double>(weight.size(0));
    start.parameters.push_back(weight * std::sqrt(2 / fan_in));
    start.parameters.push_back(at::zeros({weight.size(0)}));
  }
  const int64_t rows = work.input[0];
  for (int i = 0; i < kMinibatches; ++i) {
    start.inputs.push_back(at::randn(work.input));
    start.targets.push_back(work.classify ? at::randint(work.outputs, {rows}, at::kLong)
                                          : at::randn({rows, work.outputs}));
  }
  return start;
}

// ---- theirs

class Theirs {
 public:
  Theirs(const Workload& work, const Start& start, bool to_none)
      : work_(work), start_(start), to_none_(to_none) {
    for (const at::Tensor& value : start.parameters) {
      parameters_.push_back(value.clone().requires_grad_());
      mean_.push_back(at::zeros_like(value));
      square_.push_back(at::zeros_like(value));
    }
  }

  double step(size_t minibatch) {
    const at::Tensor outputs = forward(start_.inputs[minibatch]);
    const at::Tensor& target = start_.targets[minibatch];
    const at::Tensor loss =
        work_.classify ? at::cross_entropy_loss(outputs, target) : at::mse_loss(outputs, target);
    loss.backward();
    update();
    return loss.item<double>();
  }

  std::vector<at::Tensor> parameters() const { return parameters_; }

 private:
  at::Tensor forward(at::Tensor x) const {
    size_t next = 0;
    for (const Layer& layer : work_.layers) {
      const at::Tensor* parameter = &parameters_[next];
      if (!layer.weight.empty()) next += 2;
      switch (layer.kind) {
        case Layer::Linear: x = at::linear(x, parameter[0], parameter[1]); break;
        case Layer::Conv: x = at::conv2d(x, parameter[0], parameter[1], 1, 1); break;
        case Layer::Relu: x = at::relu(x); break;
        case Layer::Pool: x = at::max_pool2d(x, {2, 2}, {2, 2}); break;
        case Layer::Flatten: x = x.view({x.size(0), -1}); break;
      }
    }
    return x;
  }

  void update() {
    const at::NoGradGuard no_grad;
    ++steps_;
    for (size_t i = 0; i < parameters_.size(); ++i) {
      at::Tensor& gradient = parameters_[i].mutable_grad();
      if (work_.adam) adam(i, gradient);
      else parameters_[i].add_(gradient, -kRate);
      if (to_none_) gradient.reset();
      else gradient.zero_();
    }
  }

  /// The calls of torch::optim::Adam.
  void adam(size_t i, const at::Tensor& gradient) {
    const double unbias1 = 1 - std::pow(kBeta1, steps_), unbias2 = 1 - std::pow(kBeta2, steps_);
    mean_[i].mul_(kBeta1).add_(gradient, 1 - kBeta1);
    square_[i].mul_(kBeta2).addcmul_(gradient, gradient, 1 - kBeta2);
    const at::Tensor scale = (square_[i].sqrt() / std::sqrt(unbias2)).add_(kEps);
    parameters_[i].addcdiv_(mean_[i], scale, -kRate / unbias1);
  }

  const Workload& work_;
  const Start& start_;
  bool to_none_;
  int steps_ = 0;
  std::vector<at::Tensor> parameters_, mean_, square_;
};

// ---- ours

void check() {
  if (*rt_torch_last_error() != '\0') stop(rt_torch_last_error());
}

/// Handles that are freed together.
class Scope {
 public:
  Scope() = default;
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;
  ~Scope() {
    for (const int64_t handle : handles_) rt_torch_torchtensor_free(handle);
  }
  int64_t keep(int64_t handle) {
    if (handle <= 0) stop(rt_torch_last_error());
    handles_.push_back(handle);
    return handle;
  }
  const std::vector<int64_t>& handles() const { return handles_; }

 private:
  std::vector<int64_t> handles_;
};

int64_t import_tensor(const at::Tensor& tensor) {
  const at::Tensor values = tensor.to(at::kDouble).contiguous();
  const int64_t dtype = tensor.scalar_type() == at::kLong ? 3 : 0;
  return rt_torch_tensor(values.const_data_ptr<double>(), values.numel(), values.sizes().data(),
                         values.dim(), dtype, 0);
}

class Ours {
 public:
  Ours(const Workload& work, const Start& start) : work_(work) {
    for (const at::Tensor& value : start.parameters) {
      const int64_t parameter = parameters_.keep(import_tensor(value));
      rt_torch_autograd_set_requires_grad(parameter, 1);
    }
    for (const at::Tensor& value : start.inputs) inputs_.keep(import_tensor(value));
    for (const at::Tensor& value : start.targets) targets_.keep(import_tensor(value));
    const std::vector<int64_t>& all = parameters_.handles();
    const auto count = static_cast<int64_t>(all.size());
    optimizer_ = work.adam ? rt_torch_adam_new(all.data(), count, kRate, kBeta1, kBeta2, kEps, 0)
                           : rt_torch_sgd_new(all.data(), count, kRate, 0, 0);
    rt_torch_flush();
    check();
  }
  Ours(const Ours&) = delete;
  Ours& operator=(const Ours&) = delete;
  ~Ours() { rt_torch_optimizer_free(optimizer_); }

  double step(size_t minibatch) {
    Scope result;
    const int64_t loss = result.keep(record(minibatch));
    const double number = rt_torch_torchtensor_item(loss);
    check();
    return number;
  }

  std::vector<at::Tensor> parameters() const {
    std::vector<at::Tensor> values;
    for (const int64_t parameter : parameters_.handles()) {
      int64_t sizes[4];
      const int64_t dims = rt_torch_tensor_shape(parameter, sizes, 4);
      const at::Tensor value = at::empty(at::IntArrayRef(sizes, static_cast<size_t>(dims)));
      rt_torch_copy_data(parameter, value.mutable_data_ptr(), value.numel(), 0);
      values.push_back(value);
    }
    check();
    return values;
  }

 private:
  /// A whole step; its loss is what remains to be read.
  int64_t record(size_t minibatch) {
    Scope locals;
    rt_torch_optimizer_zero_grad(optimizer_);
    const int64_t outputs = forward(inputs_.handles()[minibatch], locals);
    const int64_t target = targets_.handles()[minibatch];
    const int64_t loss = work_.classify ? rt_torch_nn_cross_entropy_tensor(outputs, target)
                                        : rt_torch_nn_mse_loss_tensor(outputs, target);
    rt_torch_autograd_backward(loss);
    rt_torch_optimizer_step(optimizer_);
    return loss;
  }

  int64_t forward(int64_t x, Scope& locals) const {
    static constexpr int64_t kOnes[] = {1, 1}, kTwos[] = {2, 2}, kNone[] = {0, 0};
    const int64_t rows[] = {work_.input[0], -1};
    size_t next = 0;
    for (const Layer& layer : work_.layers) {
      const int64_t* parameter = &parameters_.handles()[next];
      if (!layer.weight.empty()) next += 2;
      switch (layer.kind) {
        case Layer::Linear: x = rt_torch_nn_linear(x, parameter[0], parameter[1]); break;
        case Layer::Conv:
          x = rt_torch_nn_conv2d(x, parameter[0], parameter[1], kOnes, 2, kOnes, 2, kOnes, 2, 1);
          break;
        case Layer::Relu: x = rt_torch_torchtensor_relu(x); break;
        case Layer::Pool: x = rt_torch_nn_max_pool2d(x, kTwos, 2, kTwos, 2, kNone, 2); break;
        case Layer::Flatten: x = rt_torch_torchtensor_view(x, rows, 2); break;
      }
      locals.keep(x);
    }
    return x;
  }

  const Workload& work_;
  Scope parameters_, inputs_, targets_;
  int64_t optimizer_ = 0;
};

// ---- the comparison

/// Processor time of the process, which other work on the machine disturbs least.
double now_us() {
  timespec time;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_nsec) * 1e-3;
}

/// Microseconds a step.
template <typename Side>
double round_of(Side& side, int steps) {
  const double start = now_us();
  for (int i = 0; i < steps; ++i) side.step(static_cast<size_t>(i % kMinibatches));
  return (now_us() - start) / steps;
}

struct Samples {
  std::vector<double> values;
  double at_rank(double rank) {
    std::sort(values.begin(), values.end());
    const double last = static_cast<double>(values.size()) - 1;
    return values[static_cast<size_t>(std::clamp(rank, 0.0, last))];
  }
  double median() { return at_rank(static_cast<double>(values.size()) / 2); }
  /// An end of the median's 95 % interval, from the ranks: sign is -1 or 1.
  double bound(int sign) {
    const auto count = static_cast<double>(values.size());
    return at_rank((count + sign * 1.96 * std::sqrt(count)) / 2);
  }
};

/// The largest difference between the parameters of both.
double distance(const Ours& ours, const Theirs& theirs) {
  const std::vector<at::Tensor> a = ours.parameters(), b = theirs.parameters();
  double largest = 0;
  for (size_t i = 0; i < a.size(); ++i)
    largest = std::max(largest, (a[i] - b[i]).abs().max().item<double>());
  return largest;
}

void compare(const Workload& work, int rounds) {
  const Start start = make_start(work);
  Ours ours(work, start);
  // Dropping a gradient or zeroing it, whichever is faster for them.
  Theirs dropping(work, start, true), zeroing(work, start, false);
  round_of(ours, kWarmUp);
  round_of(dropping, kWarmUp);
  round_of(zeroing, kWarmUp);
  const double apart = distance(ours, dropping);
  if (!(apart < 1e-4)) stop(std::string(work.name) + ": the parameters differ");

  Samples engine, drop, zero, drop_ratio, zero_ratio;
  rt_torch_stats_reset();
  for (int round = 0; round < rounds; ++round) {
    const bool first = round % 2 == 0;
    double us = 0;
    if (first) us = round_of(ours, work.steps);
    drop.values.push_back(round_of(dropping, work.steps));
    zero.values.push_back(round_of(zeroing, work.steps));
    if (!first) us = round_of(ours, work.steps);
    engine.values.push_back(us);
    drop_ratio.values.push_back(drop.values.back() / us);
    zero_ratio.values.push_back(zero.values.back() / us);
  }
  const double steps = static_cast<double>(rounds) * work.steps;
  const auto a_step = [steps](const char* name) {
    return static_cast<double>(rt_torch_stat(name)) / steps;
  };
  const double batches = a_step("batches"), hits = a_step("cache_hits"), nodes = a_step("nodes"),
               run_us = a_step("run_ns") / 1000;
  const bool drops = drop.median() < zero.median();
  Samples& ratio = drops ? drop_ratio : zero_ratio;
  std::printf("%-43s engine %8.1f us  libtorch %8.1f us  ratio %.2f [%.2f, %.2f]", work.name,
              engine.median(), (drops ? drop : zero).median(), ratio.median(), ratio.bound(-1),
              ratio.bound(1));
  if (work.bar > 0)
    std::printf("  bar %.2f %s", work.bar, ratio.bound(1) >= work.bar ? "met" : "MISSED");
  std::printf(
      "\n    %.2f batches a step, %.2f hits, %.0f nodes, %.1f us in the executor;"
      " parameters within %.0e\n",
      batches, hits, nodes, run_us, apart);
  std::fflush(stdout);
}

std::vector<Layer> mlp(std::vector<int64_t> widths) {
  std::vector<Layer> layers;
  for (size_t i = 1; i < widths.size(); ++i) {
    if (i > 1) layers.push_back({Layer::Relu});
    layers.push_back({Layer::Linear, {widths[i], widths[i - 1]}});
  }
  return layers;
}

}  // namespace

int main(int argc, char** argv) {
  setenv("RT_TORCH_BACKEND", "libtorch", 0);
  setenv("RT_TORCH_THREADS", "1", 0);
  at::set_num_threads(1);
  const int rounds = argc > 1 ? std::atoi(argv[1]) : 100;
  const std::string only = argc > 2 ? argv[2] : "";
  if (argc > 3 || rounds < 1) stop("usage: rt_train_bench [rounds [part of a name]]");
  const std::vector<Layer> small = mlp({64, 128, 128, 32}), large = mlp({512, 512, 512, 32}),
                           conv = {{Layer::Conv, {16, 1, 3, 3}},
                                   {Layer::Relu},
                                   {Layer::Pool},
                                   {Layer::Conv, {32, 16, 3, 3}},
                                   {Layer::Relu},
                                   {Layer::Pool},
                                   {Layer::Flatten},
                                   {Layer::Linear, {10, 128}}};
  const std::vector<Workload> workloads = {
      {"MLP 64-128-128-32, batch 4, mse", small, {4, 64}, 32, false, false, 200, 1.5},
      {"MLP 64-128-128-32, batch 4, cross entropy", small, {4, 64}, 32, true, false, 200, 1.5},
      {"MLP 64-128-128-32, batch 4, Adam", small, {4, 64}, 32, true, true, 200, 0},
      {"MLP 512-512-512-32, batch 64, mse", large, {64, 512}, 32, false, false, 10, 0.97},
      {"MLP 512-512-512-32, batch 64, cross entropy", large, {64, 512}, 32, true, false, 10, 0.97},
      {"conv net 8x8, batch 32", conv, {32, 1, 8, 8}, 10, true, false, 20, 0},
  };
  std::printf("libtorch %s, medians of %d rounds [95 %% interval]\n", rt_torch_version(), rounds);
  check();
  for (const Workload& work : workloads)
    if (std::string(work.name).find(only) != std::string::npos) compare(work, rounds);
}
