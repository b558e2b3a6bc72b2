// random.cpp -- seeds the generators, draws from them, saves and restores their states.
#include "executor/torchscript/random.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Context.h>
#include <ATen/core/dispatch/Dispatcher.h>

#include <new>

#include "executor/torchscript/operators.h"

namespace rt::torchscript {

int64_t Generators::own() {
  static auto* const generators = new Generators;
  return reinterpret_cast<int64_t>(generators);
}

Generators& Generators::instance() {
  static auto* const generators = [] {
    register_operators();
    const auto first = c10::Dispatcher::singleton().findSchemaOrThrow("rt_torch::generators", "");
    return reinterpret_cast<Generators*>(first.typed<int64_t()>().call());
  }();
  return *generators;
}

/// The generator of a device. It begins as a clone of PyTorch's default generator, to get its type,
/// and does not share state with that.
const at::Generator& Generators::of(at::Device device) {
  const size_t index = device.is_cpu() ? 0 : static_cast<size_t>(device.index()) + 1;
  if (index >= all_.size()) all_.resize(index + 1);
  at::Generator& generator = all_[index];
  if (!generator.defined()) {
    generator = at::globalContext().defaultGenerator(device).clone();
    generator.set_current_seed(seed_);
  }
  return generator;
}

void Generators::seed(uint64_t seed) {
  const std::lock_guard lock(mutex_);
  seed_ = seed;
  for (at::Generator& generator : all_)
    if (generator.defined()) generator.set_current_seed(seed);
}

Generators::Draw::Draw(at::Device device)
    : lock_(instance().mutex_), generator_(instance().of(device)) {
  instance().turns_.take();
}

Generators::State Generators::state() {
  const std::lock_guard lock(mutex_);
  State state{{}, turns_.take()};
  for (const at::Generator& generator : all_)
    state.states.push_back(generator.defined() ? generator.get_state() : at::Tensor());
  return state;
}

void Generators::restore(const State& state) {
  const std::lock_guard lock(mutex_);
  if (turns_.take() != state.turns) return;
  for (size_t i = 0; i < all_.size(); ++i) {
    const bool had = i < state.states.size() && state.states[i].defined();
    if (had) all_[i].set_state(state.states[i]);
    else if (all_[i].defined()) all_[i].set_current_seed(seed_);
  }
}

void Generators::after_fork() {
  new (&mutex_) std::mutex;
  for (const at::Generator& generator : all_)
    if (generator.defined()) new (&generator.unsafeGetGeneratorImpl()->mutex_) std::mutex;
}

}  // namespace rt::torchscript
