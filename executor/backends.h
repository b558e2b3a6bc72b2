// backends.h -- the backend that runs batches: chosen, loaded, changed; and the devices it has.
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

  Backend& get();                                     ///< loaded at its first use without the lock
  Backend* loaded() const { return backend_.get(); }  ///< null before that
  /// Loads the backend of that name: auto, libtorch or reference. Throws when it is not available
  /// or a tensor exists already.
  void set(CallContext& context, std::string_view name);
  Device default_device();  ///< throws when RT_TORCH_DEVICE names one that does not exist
  /// The CPU for index < 0, else CUDA `index`; throws when that does not exist.
  Device device(int64_t index);

  int64_t fallback_nodes() const;  ///< nodes of all backends that another backend ran
  void reset_fallback_nodes();
  void before_fork();
  void after_fork();  ///< in the child

 private:
  std::unique_ptr<Backend> load(std::string name);
  void check_no_tensors() const;
  bool falls_back_to_cpu(const std::string& device);

  Engine& engine_;
  std::unique_ptr<Backend> backend_;
  int64_t fallback_nodes_ = 0;      ///< of the backends before this one, less those before a reset
  bool loading_ = false;            ///< some thread loads a backend
  bool reported_fallback_ = false;  ///< that the CPU is used for CUDA devices
};

}  // namespace rt
