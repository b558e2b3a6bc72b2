// batch_cost.cpp -- what a batch costs beyond its kernels: ours against the same aten calls in a
// C++ loop, interleaved in one process, one thread. Bars: first sight of 1000 nodes at most 1 ms
// above the loop, a batch from the cache at most 3 us and 0.2 us a node above it.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "rt_torch.h"

namespace {

constexpr int64_t kSide = 16;
constexpr int64_t kSizes[] = {kSide, kSide};

double now_us() {
  const auto time = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration<double, std::micro>(time).count();
}

struct Samples {
  std::vector<double> us;
  double at(double part) {
    std::sort(us.begin(), us.end());
    return us[static_cast<size_t>(part * static_cast<double>(us.size() - 1))];
  }
  double median() { return at(0.5); }
};

[[noreturn]] void stop(const std::string& why) {
  std::fprintf(stderr, "batch_cost: %s\n", why.c_str());
  std::exit(1);
}

void check() {
  if (*rt_torch_last_error() != '\0') stop(rt_torch_last_error());
}

/// x + y, + y, ... through the engine; the time of the flush alone. `shift` makes batches differ.
double ours(int nodes, int shift) {
  std::vector<int64_t> values = {rt_torch_tensor_ones(kSizes, 2), rt_torch_tensor_ones(kSizes, 2)};
  rt_torch_flush();
  for (int i = 0; i < nodes; ++i)
    values.push_back(i == shift ? rt_torch_torchtensor_sub(values.back(), values[1])
                                : rt_torch_torchtensor_add(values.back(), values[1]));
  for (int i = 2; i < nodes + 1; ++i) rt_torch_torchtensor_free(values[static_cast<size_t>(i)]);
  const double start = now_us();
  rt_torch_flush();
  const double took = now_us() - start;
  for (const int64_t value : {values[0], values[1], values.back()})
    rt_torch_torchtensor_free(value);
  check();
  return took;
}

double loop(int nodes, int shift) {
  const c10::InferenceMode inference;
  const at::Tensor y = at::ones(kSizes);
  at::Tensor x = at::ones(kSizes);
  const double start = now_us();
  for (int i = 0; i < nodes; ++i) x = i == shift ? at::sub(x, y) : at::add(x, y);
  return now_us() - start;
}

void compare(const char* what, int nodes, int rounds, bool repeats, double bar_us) {
  Samples engine, eager, above;
  for (int round = -3; round < rounds; ++round) {
    // A place of its own for the sub makes a batch that has not been seen.
    const int shift = repeats ? nodes / 2 : (round + 3) % nodes;
    const double b = loop(nodes, shift), a = ours(nodes, shift);
    if (round < 0) continue;
    engine.us.push_back(a);
    eager.us.push_back(b);
    above.us.push_back(a - b);
  }
  std::printf(
      "%-12s %5d nodes  engine %8.1f us  loop %8.1f us  above %8.1f us [%.1f, %.1f]"
      "  %6.3f us a node, bar %.1f us\n",
      what, nodes, engine.median(), eager.median(), above.median(), above.at(0.25), above.at(0.75),
      above.median() / nodes, bar_us);
}

}  // namespace

int main() {
  setenv("RT_TORCH_BACKEND", "libtorch", 0);
  setenv("RT_TORCH_THREADS", "1", 0);
  at::set_num_threads(1);
  std::printf("libtorch %s, 16x16 adds, medians [quartiles]\n", rt_torch_version());
  check();
  for (const int nodes : {1, 10, 100, 1000}) compare("cached", nodes, 200, true, 3 + 0.2 * nodes);
  compare("first sight", 1000, 200, false, 1000);
}
