// reference.cpp -- dispatch of steps to kernels, composite rows, compiled programs, host transfers.
#include "fallback_cpu/reference.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <new>
#include <vector>

#include "elementwise/fused.h"
#include "elementwise/tail.h"
#include "fallback_cpu/attention.h"
#include "fallback_cpu/kernels.h"
#include "fallback_cpu/parallel.h"
#include "graph/batch/fuse.h"
#include "graph/batch/passes.h"
#include "graph/clock.h"

namespace rt::cpu {
namespace {

/// Runs `body`, and throws Error where it runs out of memory.
template <class Body>
decltype(auto) out_of_memory_as_error(const Body& body) {
  try {
    return body();
  } catch (const std::bad_alloc&) {
    fail("out of memory");
  }
}

bool has_halves(const KernelCall& call) {
  return is_half(call.dtype) || std::ranges::any_of(call.operands, [&](uint32_t number) {
           return number != kNone.id && is_half(call.values[number]->dtype());
         });
}

/// Computes 16-bit floats in f32 and rounds the result, as PyTorch does.
BufferRef call_in_f32(const KernelCall& call) {
  KernelCall wide = call;
  wide.dtype = DType::F32;
  std::vector<BufferRef> values;
  std::vector<uint32_t> numbers;
  for (const uint32_t number : call.operands) {
    numbers.push_back(number == kNone.id ? number : static_cast<uint32_t>(values.size()));
    if (number == kNone.id) continue;
    const BufferRef& operand = call.values[number];
    values.push_back(is_half(operand->dtype()) ? wide.converted(operand) : operand);
  }
  wide.values = values;
  wide.operands = numbers;
  if (!is_half(call.dtype)) wide.dtype = call.dtype;
  return call.converted(compute(wide));
}

/// Computes the group of a step. The values `dying` are not needed afterwards.
void run_group(const Machine& machine, const Batch& batch, const Batch::Step& step,
               const FusedGroup& group, std::span<const uint32_t> dying, const Frame& frame) {
  Small<int64_t, 64> scalars;
  for (const int64_t number : batch.attributes_of(step).list(0))
    scalars.push_back(frame.scalars[static_cast<size_t>(number)]);
  fused(machine, group, batch.operands_of(step), dying, scalars, frame.values, step.result);
}

/// Runs a step whose row has a kernel.
void run_kernel(const Machine& machine, const Batch& batch, const Batch::Step& step,
                const Frame& frame) {
  const OpInfo& row = info(step.op);
  const Small<int64_t, 10> attributes = batch.bound_attributes(step, frame.scalars);
  const Batch::Item& item = batch.values[step.result];
  if (item.device >= 0) fail("the reference backend has no device ", name(Device{item.device}));
  const KernelCall call{machine,
                        row,
                        frame.values,
                        batch.operands_of(step),
                        AttributesView{row, attributes},
                        item.dtype,
                        batch.sizes(step.result)};
  frame.values[step.result] = has_halves(call) && !row.has(kMoves) && !row.rules.takes_halves
                                  ? call_in_f32(call)
                                  : compute(call);
}

class ReferenceProgram final : public Program {
 public:
  ReferenceProgram(const Machine& machine, const Batch& batch, RunObserver* observer)
      : machine_(machine),
        observer_(observer),
        batch_(prepared(machine, batch, attention_)),
        uses_(last_uses(batch_)),
        tail_(tail_of(batch_, machine.use)) {
    groups_.reserve(batch_.groups.size());
    for (const Batch::Step& step : std::span(batch_.steps).first(steps_before_tail()))
      if (step.op == Op::Fused) groups_.emplace_back(batch_.group_of(step));
    for (uint32_t i = 0; i < batch_.values.size(); ++i)
      if (batch_.is_input(i)) inputs_.push_back(i);
  }
  void run(std::span<const BufferRef> inputs, std::span<const int64_t> scalars,
           std::span<BufferRef> roots) override {
    out_of_memory_as_error([&] {
      std::vector<BufferRef> values(batch_.values.size());
      for (size_t i = 0; i < inputs_.size(); ++i) values[inputs_[i]] = inputs[i];
      std::vector<int64_t> with_constants;
      if (batch_.scalars.size() > batch_.free_scalars) {
        with_constants = batch_.scalars;
        std::copy(scalars.begin(), scalars.end(), with_constants.begin());
        scalars = with_constants;
      }
      run_all({values, scalars}, inputs);
      for (size_t i = 0; i < roots.size(); ++i) roots[i] = values[batch_.roots[i]];
    });
  }
  FusedCount fused() const override { return fused_count(batch_); }
  size_t bytes() const override {
    size_t groups = 0;
    for (const FusedGroup& group : groups_) groups += group.bytes();
    for (const Attention& attention : attention_) groups += attention.bytes();
    return sizeof *this + groups + batch_.bytes() + (tail_ ? tail_->bytes() : 0) +
           (uses_.values.capacity() + uses_.ends.capacity() + inputs_.capacity()) *
               sizeof(uint32_t);
  }

 private:
  static Batch prepared(const Machine& machine, const Batch& batch,
                        std::vector<Attention>& attention) {
    Batch flat = merge_common(rt::decompose(batch));
    if (!machine.use.fuse) return flat;
    // A single step is cheaper as a group too, because the group's code is prepared once.
    Batch fused = fuse(flat, 1);
    attention = Attention::join(fused);
    return fused;
  }
  size_t steps_before_tail() const { return tail_ ? tail_->begin() : batch_.steps.size(); }

  /// Gives the tail the memory and the threads of this backend.
  class Means final : public Tail::Means {
   public:
    explicit Means(const Machine& machine) : machine_(machine) {}
    BufferRef allocate(DType dtype, Sizes sizes) override {
      return cpu::allocate(dtype, sizes, machine_.memory);
    }
    BufferRef in_order(const BufferRef& buffer) override {
      return contiguous(buffer, machine_.memory, machine_.team);
    }
    Team team() override { return machine_.team; }

   private:
    const Machine& machine_;
  };

  /// Runs all steps, and releases each value after its last use.
  void run_all(const Frame& frame, std::span<const BufferRef> inputs) const {
    std::vector<int64_t> times;
    if (observer_) {
      times.reserve(batch_.steps.size() + 1);
      times.push_back(now_ns());
    }
    const auto release = [&](uint32_t step) {
      for (const uint32_t value : uses_.after(step)) frame.values[value] = BufferRef();
    };
    auto group = groups_.begin();
    auto attention = attention_.begin();
    for (uint32_t i = 0; i < steps_before_tail(); ++i) {
      const Batch::Step& step = batch_.steps[i];
      if (attention != attention_.end() && i >= attention->first()) {
        // Its last step computes all, from operands of each.
        if (step.op == Op::Fused) ++group;
        if (i == attention->last()) {
          attention->run(machine_, batch_, frame);
          for (uint32_t before = attention->first(); before < i; ++before) release(before);
          ++attention;
          release(i);
        }
      } else {
        if (step.op == Op::Fused)
          run_group(machine_, batch_, step, *group++, uses_.after(i), frame);
        else run_kernel(machine_, batch_, step, frame);
        release(i);
      }
      if (observer_) times.push_back(now_ns());
    }
    if (tail_) {
      for (const uint32_t input : inputs_) frame.values[input] = {};
      Means means(machine_);
      tail_->run(inputs, frame.values, frame.scalars, means, observer_ ? &times : nullptr);
    }
    if (observer_) observer_->ran_steps(batch_, times);
  }

  const Machine& machine_;
  RunObserver* observer_;
  std::vector<Attention> attention_;  ///< in the order of their steps
  const Batch batch_;
  const LastUses uses_;
  const std::unique_ptr<Tail> tail_;
  std::vector<FusedGroup> groups_;
  std::vector<uint32_t> inputs_;
};

/// Runs a step that is a composite of other ops, as a batch of its own.
void run_composite(const Machine& machine, const Batch& batch, uint32_t step, Frame& frame) {
  Batch alone = extract(batch, step);
  const AttributesView attributes = batch.attributes_of(batch.steps[step]);
  for (uint32_t i = 0; i < attributes.row.scalars; ++i)
    alone.scalars[i] = frame.scalars[static_cast<size_t>(attributes.scalar(i))];
  std::vector<BufferRef> inputs;
  std::vector<uint32_t> seen;
  for (uint32_t operand : batch.operands_of(batch.steps[step])) {
    if (operand == kNone.id || std::find(seen.begin(), seen.end(), operand) != seen.end()) continue;
    seen.push_back(operand);
    inputs.push_back(frame.values[operand]);
  }
  BufferRef root;
  ReferenceProgram(machine, alone, nullptr).run(inputs, alone.scalars, {&root, 1});
  frame.values[batch.steps[step].result] = std::move(root);
}

class ReferenceBackend final : public Backend {
 public:
  ReferenceBackend(MemoryCount& memory, int threads, Optimizations use);
  std::string_view name() const override { return "reference"; }
  std::string version() const override;
  int device_count() const override { return 0; }
  void run_step(const Batch& batch, uint32_t step, Frame& frame) override;
  std::unique_ptr<Program> compile(const Batch& batch) override;
  void observe(RunObserver& observer) override { observer_ = &observer; }
  BufferRef allocate(DType dtype, Sizes sizes, Device device) override;
  BufferRef from_host(const void* data, DType dtype, Sizes sizes, Device device) override;
  void to_host(const Buffer& buffer, DType dtype, void* out) override;
  void seed(uint64_t seed) override;
  std::unique_ptr<RandomState> random_state() override;
  void restore(const RandomState& state) override;
  void after_fork() override {
    machine_.team.threads = 1;
    new (&random_.mutex) std::mutex;  // a thread that the fork left behind may hold it
  }

 private:
  Generator random_;
  Machine machine_;
  RunObserver* observer_ = nullptr;
};

}  // namespace

ReferenceBackend::ReferenceBackend(MemoryCount& memory, int threads, Optimizations use)
    : machine_{memory, own_team(threads), random_, use} {}

std::string ReferenceBackend::version() const { return "reference " RT_TORCH_VERSION; }

void ReferenceBackend::run_step(const Batch& batch, uint32_t step, Frame& frame) {
  try {
    out_of_memory_as_error([&] {
      const Batch::Step& at = batch.steps[step];
      if (at.op == Op::Fused)
        run_group(machine_, batch, at, FusedGroup(batch.group_of(at)), {}, frame);
      else if (info(at.op).rules.kernel == Kernel::None)
        run_composite(machine_, batch, step, frame);
      else run_kernel(machine_, batch, at, frame);
    });
  } catch (const Error& error) {
    throw StepError(step, error.text());
  }
}

std::unique_ptr<Program> ReferenceBackend::compile(const Batch& batch) {
  return std::make_unique<ReferenceProgram>(machine_, batch, observer_);
}

BufferRef ReferenceBackend::allocate(DType dtype, Sizes sizes, Device device) {
  if (device.is_cuda()) fail("the reference backend has no device ", rt::name(device));
  return out_of_memory_as_error([&] { return cpu::allocate(dtype, sizes, machine_.memory); });
}

BufferRef ReferenceBackend::from_host(const void* data, DType dtype, Sizes sizes, Device device) {
  BufferRef buffer = allocate(dtype, sizes, device);
  const int64_t count = buffer->numel();
  if (count > 0) std::memcpy(buffer->data(), data, static_cast<size_t>(count * item_size(dtype)));
  return buffer;
}

void ReferenceBackend::to_host(const Buffer& buffer, DType dtype, void* out) {
  copy_elements(static_cast<char*>(out), dtype, contiguous_strides(buffer.sizes()),
                source_of(buffer), buffer.sizes(), machine_.team);
}

void ReferenceBackend::seed(uint64_t seed) {
  const std::lock_guard lock(random_.mutex);
  random_.draws = Draws(seed);
}

std::unique_ptr<RandomState> ReferenceBackend::random_state() {
  const std::lock_guard lock(random_.mutex);
  return std::make_unique<DrawsState>(random_.draws, random_.turns.take());
}

void ReferenceBackend::restore(const RandomState& state) {
  const std::lock_guard lock(random_.mutex);
  const auto& kept = static_cast<const DrawsState&>(state);
  if (random_.turns.take() == kept.turns) random_.draws = kept.draws;
}

}  // namespace rt::cpu

namespace rt {

std::unique_ptr<Backend> make_reference_backend(MemoryCount& memory, int threads,
                                                Optimizations use) {
  return std::make_unique<cpu::ReferenceBackend>(memory, threads, use);
}

}  // namespace rt
