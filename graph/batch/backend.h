// backend.h -- the interface of a backend, which runs batches.
#pragma once
#include <memory>
#include <string>

#include "graph/batch/batch.h"
#include "graph/error.h"
#include "graph/memory/buffer.h"

namespace rt {

/// The values of a running batch: one slot per value (inputs filled in, the others empty until
/// their step has run) and all scalars, constants included.
struct Frame {
  std::span<BufferRef> values;
  std::span<const int64_t> scalars;
};

/// A failure of one step at run time. `text` is the cause without the call.
class StepError : public Error {
 public:
  StepError(uint32_t step, std::string text) : Error(std::move(text)), step_(step) {}
  uint32_t step() const { return step_; }

 private:
  uint32_t step_;
};

/// Receives a report after each run, on the run's thread. Times are those of now_ns().
class RunObserver {
 public:
  virtual ~RunObserver() = default;
  /// The steps of a batch, one after the other: step i from times[i] to times[i + 1].
  virtual void ran_steps(const Batch& batch, std::span<const int64_t> times) noexcept = 0;
  /// A piece of work of a backend that does not run step by step: its name and its subject.
  virtual void ran(std::string_view name, std::string_view about, int64_t start,
                   int64_t end) noexcept = 0;
};

/// The number of groups of several steps in a program, and of the steps in them.
struct FusedCount {
  int64_t groups = 0, steps = 0;
};
inline FusedCount fused_count(const Batch& batch) {
  FusedCount count;
  for (const Batch& group : batch.groups) {
    if (group.steps.size() < 2) continue;
    ++count.groups;
    count.steps += std::ssize(group.steps);
  }
  return count;
}

/// A compiled batch. Several threads may run it at the same time.
class Program {
 public:
  virtual ~Program() = default;
  /// `inputs` are in the batch's order, and `scalars` the bits of the free scalars. Fills `roots`
  /// in order. After an Error the inputs are unchanged, so that the steps can run instead.
  /// Otherwise buffers that `inputs` alone refers to may have been written over.
  virtual void run(std::span<const BufferRef> inputs, std::span<const int64_t> scalars,
                   std::span<BufferRef> roots) = 0;
  virtual size_t bytes() const = 0;  ///< that it holds while it is cached
  virtual FusedCount fused() const { return {}; }
};

/// The state of a backend's random numbers, to repeat a run that failed.
class RandomState {
 public:
  virtual ~RandomState() = default;
};

/// Bytes that a device's allocator has given out.
struct DeviceMemory {
  int64_t allocated = 0, peak = 0;
};

enum class ScriptForm : uint8_t {
  Ir,      ///< the graph as text
  Module,  ///< an archive that torch.jit.load opens
};

class Backend {
 public:
  virtual ~Backend() = default;
  virtual std::string_view name() const = 0;  ///< "libtorch" or "reference"
  virtual std::string version() const = 0;    ///< for rt_torch_version
  virtual int device_count() const = 0;       ///< CUDA devices
  /// Runs one step of `batch` now: reads its operands from the frame and writes its result
  /// there. Throws StepError.
  virtual void run_step(const Batch& batch, uint32_t step, Frame& frame) = 0;
  virtual std::unique_ptr<Program> compile(const Batch& batch) = 0;
  /// The observer gets reports of the runs of all programs that are compiled after this call.
  virtual void observe(RunObserver&) {}

  /// A contiguous buffer with unspecified contents. Throws Error without memory or device.
  virtual BufferRef allocate(DType dtype, Sizes sizes, Device device) = 0;
  /// Copies numel(sizes) elements from `data` on the host.
  virtual BufferRef from_host(const void* data, DType dtype, Sizes sizes, Device device) = 0;
  /// Writes all elements row-major as `dtype` to `out` on the host. Waits for the device.
  virtual void to_host(const Buffer& buffer, DType dtype, void* out) = 0;

  virtual void seed(uint64_t seed) = 0;
  virtual std::unique_ptr<RandomState> random_state() = 0;
  virtual void restore(const RandomState& state) = 0;

  /// Waits for a device. Throws when something that ran there has failed.
  virtual void synchronize(Device) {}
  /// True where nothing is left to wait for. Throws as synchronize() does.
  virtual bool idle(Device) { return true; }
  virtual DeviceMemory memory(Device) { return {}; }  ///< of a CUDA device
  virtual void empty_cache() {}  ///< frees memory that CUDA devices keep for reuse
  /// The number of nodes that this backend could not run, so that another one did.
  virtual int64_t fallback_nodes() const { return 0; }
  /// The batch as TorchScript. Throws where there is no libtorch.
  virtual std::string script(const Batch&, ScriptForm) {
    fail("TorchScript needs the libtorch backend; this process uses the ", name(), " backend");
  }
  /// Called in a forked child, which lacks the other threads.
  virtual void after_fork() = 0;
};

}  // namespace rt
