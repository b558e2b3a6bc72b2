// random.h -- generators of our own: PyTorch in the same process keeps its random numbers.
#pragma once
#include <ATen/core/Generator.h>

#include <mutex>
#include <vector>

#include "graph/turns.h"

namespace rt::torchscript {

/// The generators of all devices, the CPU's first. Each draw of one tensor is a whole.
class Generators {
 public:
  /// Those that the operators draw from: one for all copies of this plugin in the process. Never
  /// destroyed.
  static Generators& instance();
  /// For that: the address of this copy's.
  static int64_t own();

  void seed(uint64_t seed);

  /// A draw by the calling thread: others wait.
  class Draw {
   public:
    explicit Draw(at::Device device);
    const at::Generator& generator() const { return generator_; }

   private:
    const std::lock_guard<std::mutex> lock_;
    at::Generator generator_;
  };

  struct State {
    std::vector<at::Tensor> states;
    uint64_t turns;
  };
  State state();
  /// Unless another thread has drawn since: its numbers must not come again.
  void restore(const State& state);

  /// In a forked child: a thread that is not here may have been drawing.
  void after_fork();

 private:
  const at::Generator& of(at::Device device);

  std::mutex mutex_;
  std::vector<at::Generator> all_;  ///< undefined where a device has not drawn yet
  uint64_t seed_ = 0;
  Turns turns_;
};

}  // namespace rt::torchscript
