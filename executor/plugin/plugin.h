// plugin.h -- the boundary between the core and librt_torch_torchscript.so, which runs batches on
// libtorch. No exception, no type of the standard library and no global crosses it.
#pragma once
#include "graph/batch/backend.h"

namespace rt::plugin {

/// Both sides are built from the same sources: a plugin of another build is refused.
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

/// Where a callee puts text for its caller.
struct Text {
  void* to;
  void (*append)(void* to, const char* text, size_t size);
};

/// A batch in its arrays; see Batch.
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
  List<const Buffer*> operands;  ///< nullptr for an optional tensor that is not there
  List<int64_t> attributes;      ///< as in Args, the scalars' bits in their places
  List<int64_t> sizes;           ///< of the result
};

/// Whom to tell after a run what ran when; see RunObserver.
struct Observer {
  void* to = nullptr;
  void (*ran)(void* to, const char* name, const char* about, int64_t start, int64_t end) = nullptr;
};

/// A batch compiled. Runs of one program may overlap.
class PluginProgram {
 public:
  /// As rt::Program::run; false with `error` said.
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

/// What the plugin does for one host. See rt::Backend for calls without a comment.
class Executor {
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
  virtual void close() noexcept = 0;  ///< after the last of its programs

 protected:
  ~Executor() = default;
};

/// What the plugin needs of its host.
struct Host {
  uint32_t interface;
  const char* build;    ///< see RT_TORCH_BUILD in CMakeLists.txt
  int threads;          ///< 0: as libtorch chooses
  MemoryCount* memory;  ///< lasts as long as any buffer
  Optimizations use;
};

}  // namespace rt::plugin

extern "C" {
/// The plugin's one function. NULL, with `error` said, when it cannot serve this host.
rt::plugin::Executor* rt_torch_open_torchscript(const rt::plugin::Host* host,
                                                rt::plugin::Text error);
}

namespace rt::plugin {
using Entry = decltype(&rt_torch_open_torchscript);
inline constexpr const char* kEntry = "rt_torch_open_torchscript";
}  // namespace rt::plugin
