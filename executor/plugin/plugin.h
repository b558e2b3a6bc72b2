// plugin.h -- the interface between the core and librt_torch_torchscript.so, which runs batches on
// libtorch. No exception, no type of the standard library and no global variable crosses it.
#pragma once
#include "graph/batch/backend.h"

namespace rt::plugin {

/// Version of this interface. Both sides come from one build: a plugin of another one is refused.
inline constexpr uint32_t kInterface = 2;

/// A list that the caller owns and that lasts for the call.
template <class T>
struct List {
  const T* data = nullptr;
  size_t size = 0;
  List() = default;
  template <class Container>
  List(const Container& from) : data(from.data()), size(from.size()) {}
  operator std::span<const T>() const { return {data, size}; }
};

/// Receives text from a callee, in pieces. Must not throw.
struct Text {
  void* to;
  void (*append)(void* to, const char* text, size_t size);
};

/// The arrays of a batch; see Batch.
struct BatchLists {
  List<Batch::Item> values;
  List<Batch::Step> steps;
  List<uint32_t> operands;
  List<int64_t> attributes, dims;
  List<uint32_t> roots;
  List<int64_t> scalars;
  uint32_t free_scalars;
};

/// One step to be run now.
struct StepCall {
  Op op;
  DType dtype;  ///< of the result
  Device device;
  List<const Buffer*> operands;  ///< null: an optional tensor that is absent
  List<int64_t> attributes;      ///< as in Args, with the bits of the scalars
  List<int64_t> sizes;           ///< of the result
};

/// Receives a report after each run; see RunObserver. Times are those of now_ns().
struct Observer {
  void* to = nullptr;
  void (*ran)(void* to, const char* name, const char* about, int64_t start, int64_t end) = nullptr;
};

/// A compiled batch. Several threads may run it at the same time.
class PluginProgram {
 public:
  /// As rt::Program::run. On an error returns false and describes it in `error`.
  virtual bool run(const BufferRef* inputs, const int64_t* scalars, BufferRef* roots,
                   Text error) noexcept = 0;
  virtual size_t bytes() const noexcept = 0;
  virtual FusedCount fused() const noexcept = 0;
  virtual void destroy() noexcept = 0;

 protected:
  ~PluginProgram() = default;
};

enum class Outcome : uint8_t {
  Done,
  Failed,
  Missing,  ///< this libtorch has no such operator
};

/// A backend for one host. See rt::Backend for functions without a comment. A function with `error`
/// describes a failure there, and returns false, null or an Outcome other than Done.
class PluginBackend {
 public:
  virtual const char* version() const noexcept = 0;  ///< of libtorch
  virtual int device_count() const noexcept = 0;     ///< CUDA devices
  virtual Outcome run_step(const StepCall& call, BufferRef* result, Text error) noexcept = 0;
  virtual PluginProgram* compile(const BatchLists& batch, Text error) noexcept = 0;
  virtual void observe(Observer observer) noexcept = 0;
  virtual bool script(const BatchLists& batch, ScriptForm form, Text out, Text error) noexcept = 0;
  virtual bool seed(uint64_t seed, Text error) noexcept = 0;
  virtual void* random_state() noexcept = 0;
  virtual void restore(const void* state) noexcept = 0;
  virtual void forget(void* state) noexcept = 0;
  virtual bool synchronize(Device device, Text error) noexcept = 0;
  virtual bool idle(Device device, bool* answer, Text error) noexcept = 0;
  virtual DeviceMemory memory(Device device) noexcept = 0;
  virtual void empty_cache() noexcept = 0;
  /// In a forked child: one thread, and no CUDA, which a fork leaves unusable.
  virtual void after_fork() noexcept = 0;
  virtual void close() noexcept = 0;  ///< destroys it, after the last of its programs

 protected:
  ~PluginBackend() = default;
};

/// The host's part of the interface, and its settings.
struct Host {
  uint32_t interface;   ///< kInterface
  const char* build;    ///< see RT_TORCH_BUILD in CMakeLists.txt
  int threads;          ///< <= 0: libtorch chooses
  MemoryCount* memory;  ///< outlives every buffer
  Optimizations use;
};

}  // namespace rt::plugin

extern "C" {
/// The plugin's only exported function. Returns null and describes the reason in `error` where it
/// refuses this host. The caller releases the result by close().
rt::plugin::PluginBackend* rt_torch_open_torchscript(const rt::plugin::Host* host,
                                                     rt::plugin::Text error);
}

namespace rt::plugin {
using Entry = decltype(&rt_torch_open_torchscript);
inline constexpr const char* kEntry = "rt_torch_open_torchscript";
}  // namespace rt::plugin
