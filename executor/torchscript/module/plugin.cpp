// plugin.cpp -- the plugin's exported function, and its backend. Exceptions become texts here.
#include "executor/plugin/plugin.h"

#include <torch/version.h>

#include <algorithm>
#include <string_view>

#include "executor/torchscript/buffer.h"
#include "executor/torchscript/cuda/driver.h"
#include "executor/torchscript/follow.h"
#include "executor/torchscript/random.h"
#include "executor/torchscript/run.h"
#include "executor/torchscript/threads.h"
#include "graph/batch/fuse.h"
#include "graph/batch/kernel_choice.h"
#include "graph/batch/passes.h"
#include "graph/error.h"

namespace rt::torchscript {
namespace {

using plugin::Text;

void put(Text out, std::string_view text) { out.append(out.to, text.data(), text.size()); }

/// The first line of a message of libtorch. The rest is its stack and advice on its variables.
std::string_view first_line(std::string_view message) {
  message.remove_prefix(std::min(message.find_first_not_of('\n'), message.size()));
  return message.substr(0, message.find('\n'));
}

/// Runs `body`. Returns false and describes the cause in `error` where it throws.
template <class Body>
bool guarded(Text error, const Body& body) noexcept {
  try {
    body();
    return true;
  } catch (const c10::Error& thrown) {
    put(error, first_line(thrown.what_without_backtrace()));
  } catch (const std::bad_alloc&) {
    put(error, "out of memory");
  } catch (const std::exception& thrown) {
    put(error, first_line(thrown.what()));
  } catch (...) {
    put(error, "libtorch failed without a message");
  }
  return false;
}

Batch batch_of(const plugin::BatchLists& lists) {
  const auto copy = [](const auto& list) { return std::vector(list.data, list.data + list.size); };
  return {.values = copy(lists.values),
          .steps = copy(lists.steps),
          .operands = copy(lists.operands),
          .attributes = copy(lists.attributes),
          .dims = copy(lists.dims),
          .roots = copy(lists.roots),
          .groups = {},
          .scalars = copy(lists.scalars),
          .free_scalars = lists.free_scalars};
}

bool forked = false;

/// Throws in a forked process. A CUDA context does not survive a fork, and its use would hang or
/// kill the process.
void check_device(bool cuda) {
  if (cuda && forked)
    fail(
        "CUDA cannot be used in a forked process; fork before the first tensor, or start the "
        "process by exec");
}

class Compiled final : public plugin::PluginProgram {
 public:
  Compiled(const plugin::Host& host, const Batch& batch, const plugin::Observer& observer)
      : batch_(host, batch), observer_(observer) {}
  bool run(const BufferRef* inputs, const int64_t* scalars, BufferRef* roots,
           Text error) noexcept override {
    return guarded(error, [&] {
      check_device(batch_.uses_cuda());
      if (observer_.ran) follow(observer_, [&] { batch_.run(inputs, scalars, roots); });
      else batch_.run(inputs, scalars, roots);
    });
  }
  size_t bytes() const noexcept override { return batch_.bytes(); }
  FusedCount fused() const noexcept override { return batch_.fused(); }
  void destroy() noexcept override { delete this; }

 private:
  CompiledBatch batch_;
  plugin::Observer observer_;
};

class Torchscript final : public plugin::PluginBackend {
 public:
  explicit Torchscript(const plugin::Host& host) : host_(host) {}

  const char* version() const noexcept override { return TORCH_VERSION; }
  int device_count() const noexcept override { return devices_; }

  plugin::Outcome run_step(const plugin::StepCall& call, BufferRef* result,
                           Text error) noexcept override {
    plugin::Outcome outcome = plugin::Outcome::Failed;
    guarded(error, [&] {
      const Plan& plan = plan_of(call.op);
      if (!plan.problem.empty()) {
        outcome = plugin::Outcome::Missing;
        fail(plan.problem);
      }
      check_device(call.device.is_cuda());
      *result = BufferRef(torchscript::run_step(host_, plan, call));
      outcome = plugin::Outcome::Done;
    });
    return outcome;
  }

  plugin::PluginProgram* compile(const plugin::BatchLists& lists, Text error) noexcept override {
    plugin::PluginProgram* made = nullptr;
    guarded(error, [&] {
      const Batch batch = batch_of(lists);
      if (!host_.use.fuse) {
        made = new Compiled(host_, merge_common(batch), observer_);
        return;
      }
      // Single steps become groups too, because a step by itself runs by the code of groups, and
      // bits must be equal.
      const Batch flat = decompose(
          batch, [](const Batch& of, uint32_t step) { return prefers_reference(of, step); });
      made = new Compiled(host_, fuse(merge_common(flat), 1), observer_);
    });
    return made;
  }

  void observe(plugin::Observer observer) noexcept override { observer_ = observer; }

  bool script(const plugin::BatchLists& lists, ScriptForm form, Text out,
              Text error) noexcept override {
    return guarded(error, [&] {
      const Batch batch = batch_of(lists);
      put(out, form == ScriptForm::Ir ? ir_text(batch) : module_archive(batch));
    });
  }

  bool seed(uint64_t seed, Text error) noexcept override {
    return guarded(error, [&] { Generators::instance().seed(seed); });
  }
  void* random_state() noexcept override {
    void* state = nullptr;
    guarded(nowhere(), [&] { state = new Generators::State(Generators::instance().state()); });
    return state;
  }
  void restore(const void* state) noexcept override {
    guarded(nowhere(), [&] {
      if (state) Generators::instance().restore(*static_cast<const Generators::State*>(state));
    });
  }
  void forget(void* state) noexcept override { delete static_cast<Generators::State*>(state); }

  bool synchronize(Device device, Text error) noexcept override {
    return guarded(error, [&] {
      if (device.is_cuda() && !forked) synchronize_cuda(device);
    });
  }
  bool idle(Device device, bool* answer, Text error) noexcept override {
    return guarded(error, [&] { *answer = !device.is_cuda() || forked || cuda_is_idle(device); });
  }
  DeviceMemory memory(Device device) noexcept override {
    DeviceMemory figures;
    guarded(nowhere(), [&] { figures = cuda_memory(device); });
    return figures;
  }
  void close() noexcept override { delete this; }
  void empty_cache() noexcept override { guarded(nowhere(), empty_cuda_cache); }
  void after_fork() noexcept override {
    forked = true;
    guarded(nowhere(), [] {
      use_threads(1);
      Generators::instance().after_fork();
    });
  }

 private:
  static Text nowhere() {
    return {nullptr, [](void*, const char*, size_t) {}};
  }
  plugin::Host host_;
  plugin::Observer observer_;
  const int devices_ = cuda_devices();  ///< read once, because a forked process cannot ask
};

}  // namespace
}  // namespace rt::torchscript

__attribute__((visibility("default"))) rt::plugin::PluginBackend* rt_torch_open_torchscript(
    const rt::plugin::Host* host, rt::plugin::Text error) {
  using namespace rt::torchscript;
  rt::plugin::PluginBackend* opened = nullptr;
  guarded(error, [&] {
    if (host->interface != rt::plugin::kInterface ||
        std::string_view(host->build) != RT_TORCH_BUILD)
      rt::fail("the plugin belongs to another build of this library; install both from one build");
    std::string no_cuda;
    load_cuda(no_cuda);
    use_threads(host->threads);
    opened = new Torchscript(*host);
  });
  return opened;
}
