// kernels.cpp -- times single kernels and chains of them through the C ABI. bench/kernels.py times
// them in PyTorch; ours run on the reference backend, both sides on one thread.
#include <benchmark/benchmark.h>

#include <functional>
#include <string>
#include <vector>

#include "rt_torch.h"

namespace {

using Sizes = std::vector<int64_t>;
using Op = std::function<int64_t(int64_t, int64_t)>;

/// Uniform values in [low, high), as f32 or f64.
int64_t numbers(const Sizes& sizes, double low, double high, bool f64) {
  int64_t count = 1;
  for (const int64_t size : sizes) count *= size;
  std::vector<double> data(static_cast<size_t>(count));
  uint64_t state = 88172645463325252u;
  for (double& number : data) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    number = low + (high - low) * static_cast<double>(state >> 11) * 0x1p-53;
  }
  const auto rank = static_cast<int64_t>(sizes.size());
  return rt_torch_tensor(data.data(), count, sizes.data(), rank, f64 ? 1 : 0, 0);
}

/// Each iteration records, forces and frees one result.
void run(benchmark::State& state, const Op& op, const Sizes& sizes, const Sizes& other, bool f64) {
  const int64_t a = numbers(sizes, -4, 4, f64), b = numbers(other, 0, 1, f64);
  rt_torch_flush();
  for (auto _ : state) {
    const int64_t result = op(a, b);
    rt_torch_flush();
    rt_torch_torchtensor_free(result);
  }
  rt_torch_torchtensor_free(a);
  rt_torch_torchtensor_free(b);
  if (*rt_torch_last_error()) state.SkipWithError(rt_torch_last_error());
  rt_torch_clear_error();
}

void add(const char* name, const Op& op, const Sizes& sizes, const Sizes& other) {
  for (const bool f64 : {false, true})
    benchmark::RegisterBenchmark(
        (std::string(f64 ? "f64/" : "f32/") + name).c_str(),
        [=](benchmark::State& state) { run(state, op, sizes, other, f64); })
        ->Unit(benchmark::kMicrosecond);
}

/// Twenty of the cheapest ops. All results but the last are freed while they are pending.
int64_t chain(int64_t a, int64_t b) {
  int64_t last = rt_torch_torchtensor_mul(a, b);
  for (int i = 1; i < 20; ++i) {
    const int64_t next =
        i % 2 ? rt_torch_torchtensor_add(last, b) : rt_torch_torchtensor_mul(last, b);
    rt_torch_torchtensor_free(last);
    last = next;
  }
  return last;
}

using Unary = int64_t (*)(int64_t);
Op of_first(Unary function) {
  return [=](int64_t a, int64_t) { return function(a); };
}
Op of_second(Unary function) {
  return [=](int64_t, int64_t b) { return function(b); };
}

const bool registered = [] {
  const Sizes million{1 << 20}, square{512, 512}, rows{64, 1024};
  add("add", rt_torch_torchtensor_add, million, million);
  add("mul", rt_torch_torchtensor_mul, million, million);
  add("relu", of_first(rt_torch_torchtensor_relu), million, million);
  add("exp", of_first(rt_torch_torchtensor_exp), million, million);
  add("log", of_second(rt_torch_torchtensor_log), million, million);
  add("tanh", of_first(rt_torch_torchtensor_tanh), million, million);
  add("sigmoid", of_first(rt_torch_torchtensor_sigmoid), million, million);
  add("gelu", of_first(rt_torch_torchtensor_gelu), million, million);
  add("sqrt", of_second(rt_torch_torchtensor_sqrt), million, million);
  add(
      "pow", [](int64_t, int64_t b) { return rt_torch_torchtensor_pow(b, 1.7); }, million, million);
  add("chain", chain, million, million);
  add("matmul", rt_torch_torchtensor_matmul, square, square);
  add(
      "softmax", [](int64_t a, int64_t) { return rt_torch_torchtensor_softmax(a, 1); }, rows, rows);
  add(
      "softmax_0", [](int64_t a, int64_t) { return rt_torch_torchtensor_softmax(a, 0); }, rows,
      rows);
  add(
      "log_softmax", [](int64_t a, int64_t) { return rt_torch_torchtensor_log_softmax(a, 1); },
      rows, rows);
  add(
      "layer_norm",
      [](int64_t a, int64_t) {
        const int64_t last = 1024;
        return rt_torch_nn_layer_norm(a, &last, 1, 0, 0, 1e-5);
      },
      rows, rows);
  add("conv2d",
      [](int64_t a, int64_t b) {
        const int64_t one = 1, none = 0;
        return rt_torch_nn_conv2d(a, b, 0, &one, 1, &none, 1, &one, 1, 1);
      },
      {32, 16, 32, 32}, {32, 16, 3, 3});
  add(
      "sum_0", [](int64_t a, int64_t) { return rt_torch_torchtensor_sum_dim(a, 0, 0); }, rows,
      rows);
  add(
      "sum_1", [](int64_t a, int64_t) { return rt_torch_torchtensor_sum_dim(a, 1, 0); }, rows,
      rows);
  add(
      "max_0", [](int64_t a, int64_t) { return rt_torch_torchtensor_max_dim(a, 0, 0); }, rows,
      rows);
  add(
      "max_1", [](int64_t a, int64_t) { return rt_torch_torchtensor_max_dim(a, 1, 0); }, rows,
      rows);
  add(
      "argmax_0", [](int64_t a, int64_t) { return rt_torch_torchtensor_argmax(a, 0, 0); }, rows,
      rows);
  add(
      "argmax_1", [](int64_t a, int64_t) { return rt_torch_torchtensor_argmax(a, 1, 0); }, rows,
      rows);
  return true;
}();

}  // namespace
