// backends.h -- chooses, loads and replaces the backend that runs batches; finds its devices.
#pragma once
#include <memory>
#include <string>
#include <string_view>

#include "graph/batch/backend.h"

namespace rt {

class Engine;
struct CallContext;

class Backends {
 public:
  explicit Backends(Engine& engine) : engine_(engine) {}

  /// The backend. The first use loads it with the lock released, which may take seconds. Throws
  /// Error where the chosen one is not available.
  Backend& get();
  Backend* loaded() const { return backend_.get(); }  ///< null before the first use
  /// Loads the backend called `name`: auto, libtorch or reference. Releases the lock. Throws Error
  /// where it is not available or a tensor exists; then the backend stays as it was.
  void set(CallContext& context, std::string_view name);
  /// Loads the backend. Throws Error where RT_TORCH_DEVICE names a device that does not exist.
  Device default_device();
  /// The CPU for index < 0, else CUDA `index`, which loads the backend. Throws Error where that
  /// device does not exist.
  Device device(int64_t index);

  int64_t fallback_nodes() const;  ///< nodes that a backend could not run, so that another did
  void reset_fallback_nodes();
  void before_fork();
  void after_fork();  ///< in the child

 private:
  std::unique_ptr<Backend> load(std::string name);
  void check_no_tensors() const;
  bool falls_back_to_cpu(const std::string& device);

  Engine& engine_;
  std::unique_ptr<Backend> backend_;
  int64_t fallback_nodes_ = 0;      ///< of earlier backends, less those before a reset
  bool loading_ = false;            ///< a thread loads a backend with the lock released
  bool reported_fallback_ = false;  ///< the use of the CPU for CUDA devices was printed
};

}  // namespace rt
