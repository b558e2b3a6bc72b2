// record.cpp -- times recording, forcing and freeing through the C ABI.
#include <benchmark/benchmark.h>

#include <array>
#include <chrono>
#include <vector>

#include "rt_torch.h"

namespace {

constexpr int64_t kSide = 16;
constexpr int kChain = 1000;
constexpr std::array<int64_t, 2> kSizes = {kSide, kSide};

/// If a call has failed: stops the benchmark with the library's message.
bool failed(benchmark::State& state) {
  const char* error = rt_torch_last_error();
  if (*error == '\0') return false;
  state.SkipWithError(error);
  rt_torch_clear_error();
  return true;
}

/// Reports only the time of `body` as the iteration's.
template <class F>
void timed(benchmark::State& state, F body) {
  const auto start = std::chrono::steady_clock::now();
  body();
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  state.SetIterationTime(took.count());
}

/// Shows the time of one call beside that of an iteration, which makes `calls` of them.
void per_call(benchmark::State& state, const char* name, double calls) {
  state.counters[name] = benchmark::Counter(
      calls, benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}

int64_t ones() { return rt_torch_tensor_ones(kSizes.data(), kSizes.size()); }

/// A chain of adds, in which all but the first two operands are pending.
class Chain {
 public:
  explicit Chain(int length) : handles_(static_cast<size_t>(length) + 2) {}

  /// Creates the two operands, which stay pending.
  void begin() {
    handles_[0] = ones();
    handles_[1] = ones();
  }
  void record() {
    for (size_t i = 2; i < handles_.size(); ++i)
      handles_[i] = rt_torch_torchtensor_add(handles_[i - 1], handles_[i - 2]);
  }
  /// Frees every value but the last. Pending nodes use them, so that nothing is forced.
  void free_consumed() {
    for (size_t i = 0; i + 1 < handles_.size(); ++i) rt_torch_torchtensor_free(handles_[i]);
  }
  void free_last() { rt_torch_torchtensor_free(handles_.back()); }

 private:
  std::vector<int64_t> handles_;
};

void record_add_16x16(benchmark::State& state) {
  Chain chain(kChain);
  for (auto _ : state) {
    chain.begin();
    timed(state, [&] { chain.record(); });
    chain.free_consumed();
    rt_torch_flush();
    chain.free_last();
    if (failed(state)) return;
  }
  per_call(state, "per_call", kChain);
}
BENCHMARK(record_add_16x16)->UseManualTime()->Unit(benchmark::kMicrosecond);

void free_consumed_16x16(benchmark::State& state) {
  Chain chain(kChain);
  for (auto _ : state) {
    chain.begin();
    chain.record();
    timed(state, [&] { chain.free_consumed(); });
    rt_torch_flush();
    chain.free_last();
    if (failed(state)) return;
  }
  per_call(state, "per_call", kChain + 1);
}
BENCHMARK(free_consumed_16x16)->UseManualTime()->Unit(benchmark::kMicrosecond);

/// 1000 adds of 16x16, with their kernels.
void force_cached_batch_of_1000(benchmark::State& state) {
  Chain chain(kChain);
  const auto run = [&](auto force) {
    chain.begin();
    chain.record();
    chain.free_consumed();
    force();
    chain.free_last();
  };
  for (int warm = 0; warm < 3; ++warm) run([] { rt_torch_flush(); });
  const int64_t batches = rt_torch_stat("batches");
  const int64_t hits = rt_torch_stat("cache_hits");
  for (auto _ : state) {
    run([&] { timed(state, [] { rt_torch_flush(); }); });
    if (failed(state)) return;
  }
  if (rt_torch_stat("cache_hits") - hits != rt_torch_stat("batches") - batches)
    state.SkipWithError("not every batch was a cache hit");
  per_call(state, "per_node", kChain + 2);
}
BENCHMARK(force_cached_batch_of_1000)->UseManualTime()->Unit(benchmark::kMicrosecond);

void shape_dim_of_concrete(benchmark::State& state) {
  const int64_t tensor = ones();
  rt_torch_flush();
  for (auto _ : state) benchmark::DoNotOptimize(rt_torch_torchtensor_shape_dim(tensor, 1));
  rt_torch_torchtensor_free(tensor);
  failed(state);
}
BENCHMARK(shape_dim_of_concrete);

/// The cheapest force: one creation, and a query of its shape.
void record_ones_then_shape(benchmark::State& state) {
  for (auto _ : state) {
    const int64_t tensor = ones();
    benchmark::DoNotOptimize(rt_torch_torchtensor_shape_dim(tensor, 1));
    rt_torch_torchtensor_free(tensor);
  }
  failed(state);
}
BENCHMARK(record_ones_then_shape);

void create_from_data_16x16(benchmark::State& state) {
  const std::vector<double> data(kSide * kSide, 0.5);
  for (auto _ : state) {
    const int64_t tensor = rt_torch_tensor_from_data(data.data(), static_cast<int64_t>(data.size()),
                                                     kSizes.data(), kSizes.size());
    rt_torch_torchtensor_free(tensor);
  }
  failed(state);
}
BENCHMARK(create_from_data_16x16);

void read_item_of_concrete(benchmark::State& state) {
  const int64_t one = 1;
  const int64_t tensor = rt_torch_tensor_full(&one, 1, 2.5);
  rt_torch_flush();
  for (auto _ : state) benchmark::DoNotOptimize(rt_torch_torchtensor_item(tensor));
  rt_torch_torchtensor_free(tensor);
  failed(state);
}
BENCHMARK(read_item_of_concrete);

}  // namespace
