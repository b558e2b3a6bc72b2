// backends.cpp -- chooses, loads and replaces the backend that runs batches; finds its devices.
#include "executor/backends.h"

#include <cstdlib>
#include <iostream>

#include "executor/engine.h"
#include "executor/libtorch/libtorch.h"
#include "fallback_cpu/reference.h"
#include "graph/error.h"
#include "graph/printable.h"
#include "graph/uncancelled.h"

namespace rt {

Backend& Backends::get() {
  if (backend_) return *backend_;
  const Uncancelled uncancelled;
  engine_.wait([&] { return backend_ || !loading_; });
  if (!backend_) backend_ = load(engine_.config.backend);
  return *backend_;
}

/// Makes a backend with the lock released, because libtorch takes seconds. One thread loads at a
/// time, see loading_.
std::unique_ptr<Backend> Backends::load(std::string name) {
  struct Loading {
    Backends& backends;
    explicit Loading(Backends& these) : backends(these) {
      backends.loading_ = true;
      backends.engine_.unlock();
    }
    ~Loading() {
      backends.engine_.lock();
      backends.loading_ = false;
      backends.engine_.notify();
    }
  } const loading(*this);
  std::unique_ptr<Backend> made;
  if (name != "reference") {
    try {
      made = make_libtorch_backend(engine_.memory, engine_.config.threads, engine_.config.libtorch,
                                   engine_.config.use);
    } catch (const Error& error) {
      if (name == "libtorch") fail("the libtorch backend is not available: ", error.text());
      if (engine_.config.debug > 0)
        std::cerr << "rt_torch: using the reference backend: " << error.text() << '\n';
    }
  }
  if (!made)
    made = make_reference_backend(engine_.memory, engine_.config.threads, engine_.config.use);
  if (engine_.forked) made->after_fork();
  if (engine_.reports.trace()) made->observe(*engine_.reports.trace());
  made->seed(engine_.config.seed);
  return made;
}

void Backends::check_no_tensors() const {
  if (engine_.handles.live() > 0 || engine_.graph.pending_nodes > 0 ||
      engine_.scheduler.in_flight_nodes() > 0 || engine_.unlocked > 0)
    fail("tensors exist; choose the backend before the first one or after the last is freed");
}

void Backends::set(CallContext&, std::string_view name) {
  const Uncancelled uncancelled;
  if (name != "auto" && name != "libtorch" && name != "reference")
    fail("backend \"", printable(name), "\" is unknown; use auto, libtorch or reference");
  engine_.scheduler.complete_jobs();
  engine_.wait([&] { return !loading_; });
  check_no_tensors();
  std::string chosen(name);
  std::unique_ptr<Backend> made = load(chosen);
  check_no_tensors();  // other threads could use the old backend while the lock was released
  engine_.config.backend = std::move(chosen);
  std::unique_ptr<Backend> old = std::exchange(backend_, std::move(made));
  if (old) fallback_nodes_ += old->fallback_nodes();
  Cache::List programs = engine_.scheduler.take_programs();  // they belong to their backend
  const Unlocked unlocked(engine_);
  engine_.reports.capture().forget();  // its buffers belong to the old backend too
  programs.clear();
  old.reset();
}

/// The end of a message about a CUDA device that does not exist: the devices that do.
static std::string existing(int devices) {
  if (devices == 0) return "this process has no CUDA device";
  if (devices == 1) return "the only CUDA device is cuda:0";
  return join("the CUDA devices are cuda:0 to cuda:", devices - 1);
}

Device Backends::device(int64_t index) {
  if (index < 0) return {};
  const int devices = get().device_count();
  if (index < devices) return {static_cast<int8_t>(index)};
  if (falls_back_to_cpu(join("cuda:", index))) return {};
  fail("device cuda:", index, " does not exist; ", existing(devices),
       devices == 0 ? "; set RT_TORCH_CUDA_FALLBACK=cpu to use the CPU instead" : "");
}

/// True where RT_TORCH_CUDA_FALLBACK replaces a CUDA device by the CPU. Printed once.
bool Backends::falls_back_to_cpu(const std::string& device) {
  if (!engine_.config.cuda_falls_back || get().device_count() > 0) return false;
  if (engine_.config.debug > 0 && !std::exchange(reported_fallback_, true)) {
    const std::string text =
        join("rt_torch: there is no CUDA device; using the CPU for ", device, " and all others\n");
    const Unlocked unlocked(engine_);
    std::cerr << text;
  }
  return true;
}

Device Backends::default_device() {
  if (engine_.config.device == "cpu") return {};
  const std::string wanted = engine_.config.device;  // a copy: the lock may be released below
  const size_t colon = wanted.find(':');
  const int64_t index = colon == std::string::npos ? 0 : std::atoll(wanted.c_str() + colon + 1);
  const int devices = get().device_count();
  if (index < devices) return {static_cast<int8_t>(index)};
  const bool falls_back = falls_back_to_cpu(wanted);
  if (engine_.config.device_is_order && !falls_back)
    fail("RT_TORCH_DEVICE is '", wanted, "', which does not exist here; ", existing(devices),
         devices == 0 ? "; set it to cpu" : "; set it to cpu or to a device that exists");
  const std::string text = join("rt_torch: dl.config.sdn asks for device ", wanted,
                                ", which does not exist here; ", "using cpu\n");
  engine_.config.device = "cpu";
  if (engine_.config.debug == 0 || falls_back) return {};
  const Unlocked unlocked(engine_);
  std::cerr << text;
  return {};
}

int64_t Backends::fallback_nodes() const {
  return fallback_nodes_ + (backend_ ? backend_->fallback_nodes() : 0);
}

void Backends::reset_fallback_nodes() {
  fallback_nodes_ = backend_ ? -backend_->fallback_nodes() : 0;
}

/// Waits for a load in progress, because its thread will not exist in the child.
void Backends::before_fork() {
  engine_.wait([&] { return !loading_; });
}

void Backends::after_fork() {
  if (backend_) backend_->after_fork();
}

}  // namespace rt
