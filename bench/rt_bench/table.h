// table.h -- all workloads and their bars, for the side that Api is: Abi or Aten.
#pragma once
#include <memory>
#include <utility>
#include <vector>

#include "bench/rt_bench/training.h"
#include "bench/rt_bench/workloads.h"

namespace rt_bench {

template <class Api, class Work>
class SideOf : public Side {
 public:
  template <class... Args>
  explicit SideOf(const Args&... args) : work_(args...) {}

  void run(int64_t steps, Stopwatch& watch) override {
    const typename Api::Mode mode(Work::kGradients);
    if constexpr (requires { work_.step(watch); }) {
      for (int64_t i = 0; i < steps; ++i) work_.step(watch);
    } else {
      watch.start();
      for (int64_t i = 0; i < steps; ++i) work_.step();
      Api::wait();
      watch.stop();
    }
    Api::check();
  }
  std::vector<float> state() override {
    const typename Api::Mode mode(Work::kGradients);
    std::vector<float> values = work_.state();
    Api::check();
    return values;
  }

 private:
  Work work_;
};

/// A row. It constructs the workload from `args` only before it is measured.
template <class Api, template <class> class Work, class... Args>
Workload row(Info info, Args... args) {
  return {std::move(info), [=] { return std::make_unique<SideOf<Api, Work<Api>>>(args...); }};
}

template <class Api>
std::vector<Workload> workloads() {
  const Sizes small = {16, 16}, large = {4 << 20};
  const Network mlp_sgd = {mlp({64, 128, 128, 32}), {4, 64}, 32, false, false};
  Network mlp_adamw = mlp_sgd, mlp_classify = mlp_sgd;
  mlp_adamw.adamw = true;
  mlp_classify.classify = true;
  const Network mlp_512 = {mlp({512, 512, 512, 32}), {64, 512}, 32, false, false};
  const Network conv = {conv_net(), {32, 1, 8, 8}, 10, true, false};
  const Network digits = {mlp({64, 64, 10}), {32, 64}, 10, true, false};
  constexpr Bar chain_100 = {.one_thread = 10, .stretch = 18}, chain_1000 = {10},
                large_chain = {.one_thread = 6, .more_threads = 4, .stretch = 8},
                costly_chain = {4};
  constexpr double kTraining = 1e-4, kProducts = 1e-4;
  const auto batch = [](const char* name, const char* title, double above_us) {
    return Info{name, title, {.above_us = above_us}, 1e-5, true};
  };
  return {
      // ---- elementwise
      row<Api, Chain>({"chain_100_16x16",
                       "100 elementwise ops, 16x16",
                       {.libtorch = chain_100, .reference = chain_100}},
                      100, small),
      row<Api, Chain>({"chain_1000_16x16",
                       "1000 elementwise ops, 16x16",
                       {.libtorch = chain_1000, .reference = chain_1000}},
                      1000, small),
      row<Api, Chain>({"deep_chain", "20,000 elementwise ops, 16x16"}, 20000, small),
      row<Api, Chain>({"chain_20_4m",
                       "20 elementwise ops, 4 M floats",
                       {.libtorch = large_chain, .reference = large_chain}},
                      20, large),
      row<Api, CostlyChainSum>({"exp_tanh_sum_4m",
                                "20 ops with exp and tanh, then a sum, 4 M floats",
                                {.libtorch = costly_chain, .reference = costly_chain},
                                1e-4},
                               20, large),
      // ---- training
      row<Api, NetworkTraining>(
          {"mlp_sgd", "MLP 64-128-128-32 step, batch 4, mse, SGD", {.libtorch = {2.2}}, kTraining},
          mlp_sgd),
      row<Api, NetworkTraining>({"mlp_adamw",
                                 "MLP 64-128-128-32 step, batch 4, mse, AdamW",
                                 {.libtorch = {3}},
                                 kTraining},
                                mlp_adamw),
      row<Api, NetworkTraining>({"mlp_cross_entropy",
                                 "MLP 64-128-128-32 step, batch 4, cross entropy, SGD",
                                 {},
                                 kTraining},
                                mlp_classify),
      row<Api, NetworkTraining>({"mlp_512",
                                 "MLP 512-512-512-32 step, batch 64, mse, SGD",
                                 {.libtorch = {0.97}},
                                 kTraining},
                                mlp_512),
      row<Api, NetworkTraining>(
          {"conv_net", "conv net step, 8x8, batch 32, SGD", {.libtorch = {0.97}}, kTraining}, conv),
      row<Api, NetworkTraining>(
          {"digits", "64-64-10 step as of digits.c, batch 32, SGD", {.reference = {1}}, kTraining},
          digits),
      row<Api, TransformerTraining>(
          // The gradient of the keys' bias is 0 but for rounding, which AdamW scales to its rate.
          {"transformer", "char transformer step, batch 16, AdamW", {}, 1e-2},
          TransformerSizes{16, 64, 64, 4, 80}),
      // ---- matrix products
      row<Api, Attention>(
          {"attention", "attention block forward, batch 8, 64x64", {.libtorch = {1.3}}, kProducts},
          8, 64, 64),
      row<Api, CausalAttention>(
          {"attention_512", "causal attention, 8 heads, 4x512x512", {}, kProducts}, 4, 512, 512, 8),
      row<Api, Matmuls>({"matmul_10_512", "10 matmuls, 512x512", {.libtorch = {0.97}}, kProducts},
                        10, 512),
      // ---- small batches and new ones
      row<Api, Chain>(
          {"shape_every_10", "100 ops, 16x16, a shape asked every 10", {.libtorch = {3}}}, 100,
          small, Ask::OneSizeEveryTenOps),
      row<Api, Chain>({"shape_every_op", "20 ops, 16x16, all sizes asked after each"}, 20, small,
                      Ask::AllSizesEveryOp),
      row<Api, OneOp>({"one_op", "one op, 16x16, read at once", {.libtorch = {0.6}}}, small),
      row<Api, ChangingScalars>({"changing_scalars", "100 ops, 16x16, new scalars each"}, 100,
                                small),
      row<Api, ChangingShapes>({"changing_shapes", "20 ops, a new shape each time"}, 20),
      // ---- batches without their recording
      row<Api, BatchCost>(batch("batch_1", "batch of 1 add, 16x16, cached", 2.1), 1, true),
      row<Api, BatchCost>(batch("batch_10", "batch of 10 adds, cached", 3), 10, true),
      row<Api, BatchCost>(batch("batch_100", "batch of 100 adds, cached", 12), 100, true),
      row<Api, BatchCost>(batch("batch_1000", "batch of 1000 adds, cached", 102), 1000, true),
      row<Api, BatchCost>(batch("batch_new_1000", "batch of 1000 adds, first seen", 1000), 1000,
                          false),
  };
}

}  // namespace rt_bench
