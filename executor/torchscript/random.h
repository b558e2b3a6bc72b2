// random.h -- our random generators, so that PyTorch in the same process keeps its numbers.
#pragma once
#include <ATen/core/Generator.h>

#include <mutex>
#include <vector>

#include "graph/turns.h"

namespace rt::torchscript {

/// The generators of all devices, the CPU's first. Several threads may call; the draws of one
/// tensor stay together.
class Generators {
 public:
  /// The generators that the operators draw from, shared by all copies of this plugin in the
  /// process. Never destroyed.
  static Generators& instance();
  /// The address of this copy's generators. instance() takes those of the first copy.
  static int64_t own();

  void seed(uint64_t seed);

  /// In its scope the calling thread draws, and other threads wait.
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
  /// Does nothing where another thread has drawn since state(), because its numbers would repeat.
  void restore(const State& state);

  /// In a forked child: renews the locks, because a thread that is gone may have held them.
  void after_fork();

 private:
  const at::Generator& of(at::Device device);

  std::mutex mutex_;
  std::vector<at::Generator> all_;  ///< undefined where a device has not drawn yet
  uint64_t seed_ = 0;
  Turns turns_;
};

}  // namespace rt::torchscript
