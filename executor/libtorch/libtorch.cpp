// libtorch.cpp -- the libtorch backend: calls the plugin, and the reference backend for the rest.
#include "executor/libtorch/libtorch.h"

#include <bit>
#include <new>

#include "executor/libtorch/libtorch_visit.h"
#include "fallback_cpu/reference.h"
#include "graph/batch/kernel_choice.h"
#include "graph/error.h"

namespace rt {
namespace {

/// Receives a text from the plugin.
class Received {
 public:
  plugin::Text sink() {
    return {this, [](void* self, const char* text, size_t size) {
              try {
                static_cast<Received*>(self)->text_.append(text, size);
              } catch (const std::exception&) {  // no memory: the text is lost
              }
            }};
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

plugin::BatchLists lists_of(const Batch& batch) {
  return {batch.values, batch.steps, batch.operands, batch.attributes,
          batch.dims,   batch.roots, batch.scalars,  batch.free_scalars};
}

constexpr const char* kClosed =
    "libtorch is closed: this thread or the process ends; compute on CUDA devices before that";

class LibtorchProgram final : public Program {
 public:
  LibtorchProgram(plugin::PluginProgram* compiled, const OpSet& ops)
      : compiled_(compiled), ops_(ops) {}
  ~LibtorchProgram() override {
    if (const LibtorchVisit visit; visit) compiled_->destroy();
  }
  void run(std::span<const BufferRef> inputs, std::span<const int64_t> scalars,
           std::span<BufferRef> roots) override {
    LibtorchVisit visit;
    if (!visit) fail(kClosed);
    Received error;
    const bool done = compiled_->run(inputs.data(), scalars.data(), roots.data(), error.sink());
    visit.ran(ops_);
    if (!done) throw Error(error.text());
  }
  size_t bytes() const override { return sizeof *this + compiled_->bytes(); }
  FusedCount fused() const override { return compiled_->fused(); }

 private:
  plugin::PluginProgram* compiled_;
  const OpSet ops_;
};

class LibtorchRandomState final : public RandomState {
 public:
  explicit LibtorchRandomState(plugin::PluginBackend& plugin)
      : plugin_(plugin), state_(plugin.random_state()) {
    if (!state_) throw std::bad_alloc();
  }
  ~LibtorchRandomState() override { plugin_.forget(state_); }
  const void* state() const { return state_; }

 private:
  plugin::PluginBackend& plugin_;
  void* state_;
};

class LibtorchBackend final : public Backend {
 public:
  LibtorchBackend(plugin::Entry open, MemoryCount& memory, int threads, Optimizations use)
      : host_(make_reference_backend(memory, threads, use)), fuse_(use.fuse) {
    const plugin::Host host{plugin::kInterface, RT_TORCH_BUILD, threads, &memory, use};
    Received error;
    plugin_ = open(&host, error.sink());
    if (!plugin_) throw Error(error.text());
    LibtorchVisit::opened();
  }
  ~LibtorchBackend() override { plugin_->close(); }

  std::string_view name() const override { return "libtorch"; }
  std::string version() const override { return plugin_->version(); }
  int device_count() const override { return plugin_->device_count(); }

  void run_step(const Batch& batch, uint32_t step, Frame& frame) override;
  std::unique_ptr<Program> compile(const Batch& batch) override {
    const LibtorchVisit visit;
    if (!visit || (fuse_ && prefers_reference(batch))) return host_->compile(batch);
    Received error;
    plugin::PluginProgram* compiled = plugin_->compile(lists_of(batch), error.sink());
    if (!compiled) throw Error(error.text());
    return std::make_unique<LibtorchProgram>(compiled, ops_of(batch));
  }

  void observe(RunObserver& observer) override {
    host_->observe(observer);
    plugin_->observe(
        {&observer, [](void* to, const char* name, const char* about, int64_t start, int64_t end) {
           static_cast<RunObserver*>(to)->ran(name, about, start, end);
         }});
  }

  BufferRef allocate(DType dtype, Sizes sizes, Device device) override {
    if (device.is_cuda()) return moved(*host_->allocate(dtype, sizes, {}), device);
    return host_->allocate(dtype, sizes, device);
  }
  BufferRef from_host(const void* data, DType dtype, Sizes sizes, Device device) override {
    const BufferRef here = host_->from_host(data, dtype, sizes, {});
    return device.is_cuda() ? moved(*here, device) : here;
  }
  void to_host(const Buffer& buffer, DType dtype, void* out) override {
    if (!buffer.device().is_cuda()) return host_->to_host(buffer, dtype, out);
    host_->to_host(*moved(buffer, Device{}), dtype, out);
  }

  void seed(uint64_t seed) override {
    Received error;
    if (const LibtorchVisit visit; visit && !plugin_->seed(seed, error.sink()))
      throw Error(error.text());
    host_->seed(seed);
  }
  std::unique_ptr<RandomState> random_state() override {
    return std::make_unique<LibtorchRandomState>(*plugin_);
  }
  void restore(const RandomState& state) override {
    plugin_->restore(static_cast<const LibtorchRandomState&>(state).state());
  }

  void synchronize(Device device) override {
    Received error;
    if (const LibtorchVisit visit; visit && !plugin_->synchronize(device, error.sink()))
      throw Error(error.text());
  }
  bool idle(Device device) override {
    Received error;
    bool answer = true;
    if (const LibtorchVisit visit; visit && !plugin_->idle(device, &answer, error.sink()))
      throw Error(error.text());
    return answer;
  }
  DeviceMemory memory(Device device) override {
    const LibtorchVisit visit;
    return visit ? plugin_->memory(device) : DeviceMemory{};
  }
  void empty_cache() override {
    if (const LibtorchVisit visit; visit) plugin_->empty_cache();
  }
  int64_t fallback_nodes() const override { return fallback_nodes_; }
  std::string script(const Batch& batch, ScriptForm form) override {
    const LibtorchVisit visit;
    if (!visit) return Backend::script(batch, form);
    Received text, error;
    if (!plugin_->script(lists_of(batch), form, text.sink(), error.sink()))
      throw Error(error.text());
    return text.text();
  }
  void after_fork() override {
    LibtorchVisit::after_fork();
    plugin_->after_fork();
    host_->after_fork();
  }

 private:
  BufferRef moved(const Buffer& buffer, Device device);
  void run_on_host(const Batch& batch, uint32_t step, Frame& frame, const std::string& why);
  std::string refusal(const Batch& batch, uint32_t step, const Frame& frame,
                      const std::string& otherwise);

  std::unique_ptr<Backend> host_;  ///< the reference backend: CPU memory, rows that libtorch lacks
  const bool fuse_;
  plugin::PluginBackend* plugin_ = nullptr;
  std::atomic<int64_t> fallback_nodes_{0};
};

/// A copy on another device. Waits for a copy to the CPU.
BufferRef LibtorchBackend::moved(const Buffer& buffer, Device device) {
  LibtorchVisit visit;
  if (!visit) fail(kClosed);
  const Buffer* const operand = &buffer;
  const plugin::StepCall call{.op = Op::Move,
                              .dtype = buffer.dtype(),
                              .device = device,
                              .operands = std::span(&operand, 1),
                              .attributes = {},
                              .sizes = buffer.sizes()};
  BufferRef result;
  Received error;
  const plugin::Outcome outcome = plugin_->run_step(call, &result, error.sink());
  visit.ran(Op::Move);
  if (outcome != plugin::Outcome::Done) throw Error(error.text());
  return result;
}

/// The reference backend's message where it refuses the step too, else `otherwise`. Its messages
/// have cause and remedy, and are equal on every machine.
std::string LibtorchBackend::refusal(const Batch& batch, uint32_t step, const Frame& frame,
                                     const std::string& otherwise) {
  const OpInfo& row = info(batch.steps[step].op);
  if (!row.can_fail() || row.rules.effect != Effect::None) return otherwise;
  std::vector<BufferRef> values(frame.values.begin(), frame.values.end());
  for (uint32_t operand : batch.operands_of(batch.steps[step]))
    if (operand != kNone.id && values[operand]->device().is_cuda())
      values[operand] = moved(*values[operand], Device{});
  Frame here{values, frame.scalars};
  try {
    host_->run_step(batch, step, here);
  } catch (const std::exception& error) {
    return error.what();
  }
  return otherwise;
}

/// Runs a step on the reference backend. Throws `why` where the step needs a CUDA device.
void LibtorchBackend::run_on_host(const Batch& batch, uint32_t step, Frame& frame,
                                  const std::string& why) {
  const Batch::Step& at = batch.steps[step];
  bool on_cuda = batch.values[at.result].device >= 0;
  for (uint32_t operand : batch.operands_of(at))
    on_cuda = on_cuda || (operand != kNone.id && batch.values[operand].device >= 0);
  if (on_cuda) throw StepError(step, why);
  host_->run_step(batch, step, frame);
  ++fallback_nodes_;
}

void LibtorchBackend::run_step(const Batch& batch, uint32_t step, Frame& frame) {
  const Batch::Step& at = batch.steps[step];
  // As in compiled batches, which gives equal bits. Op::Fused comes only from tools.
  if (at.op == Op::Fused || (fuse_ && prefers_reference(batch, step)))
    return host_->run_step(batch, step, frame);
  LibtorchVisit visit;
  if (!visit) return run_on_host(batch, step, frame, kClosed);
  const Batch::Item& item = batch.values[at.result];
  Small<const Buffer*, 6> operands;
  for (uint32_t operand : batch.operands_of(at))
    operands.push_back(operand == kNone.id ? nullptr : frame.values[operand].get());
  const Small<int64_t, 10> attributes = batch.bound_attributes(at, frame.scalars);
  const plugin::StepCall call{.op = at.op,
                              .dtype = item.dtype,
                              .device = Device{item.device},
                              .operands = operands,
                              .attributes = attributes,
                              .sizes = batch.sizes(at.result)};
  Received error;
  const auto outcome = plugin_->run_step(call, &frame.values[at.result], error.sink());
  visit.ran(at.op);
  switch (outcome) {
    case plugin::Outcome::Done: return;
    case plugin::Outcome::Failed: throw StepError(step, refusal(batch, step, frame, error.text()));
    case plugin::Outcome::Missing: run_on_host(batch, step, frame, error.text());
  }
}

}  // namespace

std::unique_ptr<Backend> make_libtorch_backend(MemoryCount& memory, int threads,
                                               const std::string& folder, Optimizations use) {
  return std::make_unique<LibtorchBackend>(load_libtorch(folder), memory, threads, use);
}

}  // namespace rt
