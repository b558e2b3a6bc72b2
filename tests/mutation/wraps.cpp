// wraps.cpp -- replaces functions of the core by the linker's --wrap, so that the library needs no
// hook: rt::infer, the short ways rt::Graph::infer_alike and append_plain, and
// rt::make_reference_backend.
#include <algorithm>
#include <bit>

#include "graph/batch/passes.h"
#include "graph/tape/tape.h"
#include "tests/mutation/mutation.h"

namespace rt_test {

using rt::Args;
using rt::Backend;
using rt::Batch;
using rt::BufferRef;
using rt::Frame;
using rt::MemoryCount;
using rt::OpInfo;
using rt::TensorType;

// Names of the linker, as for real_infer.
void wrapped_infer(Args& args, std::span<const TensorType> types) __asm__("__wrap_" RT_INFER);
bool wrapped_infer_alike(const rt::Graph& graph, Args& args) __asm__("__wrap_" RT_INFER_ALIKE);
rt::Value wrapped_append_plain(rt::Graph& graph, rt::Tape& tape, rt::Op op,
                               std::span<const rt::Value> operands,
                               const rt::Small<int64_t, 10>& attributes,
                               uint32_t location) __asm__("__wrap_" RT_APPEND_PLAIN);
std::unique_ptr<Backend> real_make_backend(
    MemoryCount& memory, int threads, rt::Optimizations use) __asm__("__real_" RT_MAKE_BACKEND);
std::unique_ptr<Backend> wrapped_make_backend(
    MemoryCount& memory, int threads, rt::Optimizations use) __asm__("__wrap_" RT_MAKE_BACKEND);

namespace {

SeenRows* observed = nullptr;
size_t observed_case = 0;
const Mutation* active = nullptr;
bool has_applied = false;

bool same_answer(const Args& a, const Args& b) {
  return a.attributes == b.attributes && a.shape == b.shape && a.dtype == b.dtype &&
         a.device == b.device;
}

}  // namespace

void observe_into(SeenRows* rows, size_t case_number) {
  observed = rows;
  observed_case = case_number;
}

void activate(const Mutation* mutation) {
  active = mutation;
  has_applied = false;
}

bool applied() { return has_applied; }

// ---- Rules ------------------------------------------------------------------

/// Disables the short ways, so that every call reaches rt::infer.
bool wrapped_infer_alike(const rt::Graph&, Args&) { return false; }
rt::Value wrapped_append_plain(rt::Graph&, rt::Tape&, rt::Op, std::span<const rt::Value>,
                               const rt::Small<int64_t, 10>&, uint32_t) {
  return rt::kNone;
}

void wrapped_infer(Args& args, std::span<const TensorType> types) {
  const bool mutated = active && active->kind.infer && active->row.op == args.op;
  if (!observed && !mutated) return real_infer(args, types);
  if (observed) (*observed)[args.op].cases.insert(observed_case);
  const AskedCall asked(args, types);
  real_infer(args, types);
  if (observed) (*observed)[args.op].calls.push_back(asked);
  if (!mutated) return;
  const Args before = args;
  try {
    active->kind.infer(*active, asked, args);
  } catch (const rt::Error&) {
    has_applied = true;
    throw;
  }
  if (!active->kind.step) has_applied |= !same_answer(before, args);
}

AskedCall::AskedCall(const Args& the_args, std::span<const TensorType> types)
    : args(the_args), types_(types.begin(), types.end()) {
  for (const TensorType& type : types) sizes_.emplace_back(type.sizes);
  for (size_t i = 0; i < types.size(); ++i) types_[i].sizes = sizes_[i];
}

void AskedCall::set_sizes(size_t operand, rt::Sizes sizes) {
  sizes_[operand] = rt::Shape(sizes);
  types_[operand].sizes = sizes_[operand];
}

// ---- Steps ------------------------------------------------------------------

namespace {

/// The step's operands in the order of their first use, as inputs of `batch`.
std::vector<BufferRef> inputs_of(const Batch& batch, uint32_t step, const Frame& frame) {
  std::vector<uint32_t> numbers;
  std::vector<BufferRef> inputs;
  for (const uint32_t operand : batch.operands_of(batch.steps[step])) {
    if (operand == rt::kNone.id || std::ranges::count(numbers, operand) > 0) continue;
    numbers.push_back(operand);
    inputs.push_back(frame.values[operand]);
  }
  return inputs;
}

/// Runs `batch` step by step on `backend`; returns all values.
std::vector<BufferRef> run_all(Backend& backend, const Batch& batch,
                               std::span<const BufferRef> inputs) {
  std::vector<BufferRef> values(batch.values.size());
  for (uint32_t value = 0, input = 0; value < values.size(); ++value)
    if (batch.is_input(value)) values[value] = inputs[input++];
  Frame frame{values, batch.scalars};
  for (uint32_t step = 0; step < batch.steps.size(); ++step) backend.run_step(batch, step, frame);
  return values;
}

/// Runs a compiled batch step by step, so that mutations of steps apply.
class StepByStep final : public rt::Program {
 public:
  StepByStep(Backend& backend, const Batch& batch) : backend_(backend), batch_(batch) {}
  void run(std::span<const BufferRef> inputs, std::span<const int64_t> scalars,
           std::span<BufferRef> roots) override {
    std::ranges::copy(scalars, batch_.scalars.begin());
    const std::vector<BufferRef> values = run_all(backend_, batch_, inputs);
    for (size_t i = 0; i < roots.size(); ++i) roots[i] = values[batch_.roots[i]];
  }
  size_t bytes() const override { return sizeof *this + batch_.bytes(); }

 private:
  Backend& backend_;
  Batch batch_;
};

/// Mutates steps of the reference backend, including those of decomposed rows.
class MutatedBackend final : public Backend {
 public:
  explicit MutatedBackend(std::unique_ptr<Backend> real) : real_(std::move(real)) {}

  void run_step(const Batch& batch, uint32_t step, Frame& frame) override {
    const OpInfo& row = rt::info(batch.steps[step].op);
    if (observed) (*observed)[row.op].cases.insert(observed_case);
    if (!active || !active->kind.step || active->row.op != row.op)
      return run_unchanged(batch, step, frame);
    StepRun run(*this, batch, step, frame);
    has_applied |= active->kind.step(*active, run);
  }
  void run_unchanged(const Batch& batch, uint32_t step, Frame& frame) {
    const OpInfo& row = rt::info(batch.steps[step].op);
    if (row.rules.kernel != rt::Kernel::None) return real_->run_step(batch, step, frame);
    try {
      const Batch parts = rt::decompose(rt::extract(batch, step));
      const auto values = run_all(*this, parts, inputs_of(batch, step, frame));
      frame.values[batch.steps[step].result] = values[parts.roots[0]];
    } catch (const rt::Error& error) {
      throw rt::StepError(step, error.text());
    }
  }
  std::unique_ptr<rt::Program> compile(const Batch& batch) override {
    return std::make_unique<StepByStep>(*this, batch);
  }

  std::string_view name() const override { return real_->name(); }
  std::string version() const override { return real_->version(); }
  int device_count() const override { return real_->device_count(); }
  BufferRef allocate(rt::DType dtype, rt::Sizes sizes, rt::Device device) override {
    return real_->allocate(dtype, sizes, device);
  }
  BufferRef from_host(const void* data, rt::DType dtype, rt::Sizes sizes,
                      rt::Device device) override {
    return real_->from_host(data, dtype, sizes, device);
  }
  void to_host(const rt::Buffer& buffer, rt::DType dtype, void* out) override {
    real_->to_host(buffer, dtype, out);
  }
  void seed(uint64_t seed) override { real_->seed(seed); }
  std::unique_ptr<rt::RandomState> random_state() override { return real_->random_state(); }
  void restore(const rt::RandomState& state) override { real_->restore(state); }
  void after_fork() override { real_->after_fork(); }

 private:
  std::unique_ptr<Backend> real_;
};

}  // namespace

std::unique_ptr<Backend> wrapped_make_backend(MemoryCount& memory, int threads,
                                              rt::Optimizations use) {
  return std::make_unique<MutatedBackend>(real_make_backend(memory, threads, use));
}

StepRun::StepRun(Backend& backend, const Batch& batch, uint32_t step, Frame& frame)
    : backend_(backend),
      batch_(batch),
      step_(step),
      result_(batch.steps[step].result),
      frame_(frame) {
  for (const uint32_t operand : batch.operands_of(batch.steps[step]))
    if (operand != rt::kNone.id) operands_.push_back(operand);
}

void StepRun::run() { static_cast<MutatedBackend&>(backend_).run_unchanged(batch_, step_, frame_); }

std::vector<char> StepRun::bytes() const {
  const rt::Buffer& result = *frame_.values[result_];
  std::vector<char> bytes(static_cast<size_t>(result.numel() * rt::item_size(result.dtype())));
  backend_.to_host(result, result.dtype(), bytes.data());
  return bytes;
}

void StepRun::replace(const std::vector<char>& bytes) {
  const BufferRef old = frame_.values[result_];
  frame_.values[result_] =
      backend_.from_host(bytes.data(), old->dtype(), old->sizes(), old->device());
}

bool StepRun::run_heeds_scalar(uint32_t number) {
  run();
  const OpInfo& row = rt::info(batch_.steps[step_].op);
  if (row.rules.effect != rt::Effect::None) return true;  // a second run would draw other numbers
  const std::vector<char> right = bytes();
  Batch other = batch_;
  int64_t& bits =
      other.scalars[static_cast<size_t>(batch_.attributes_of(batch_.steps[step_]).scalar(number))];
  bits = std::bit_cast<int64_t>(std::bit_cast<double>(bits) * 2 + 1);
  Frame frame{frame_.values, other.scalars};
  try {
    StepRun(backend_, other, step_, frame).run();
  } catch (const rt::Error&) {
    return true;
  }
  const bool heeds = bytes() != right;
  replace(right);
  return heeds;
}

void StepRun::fill_with_zeros() {
  const rt::TensorType type = batch_.type(result_);
  const std::vector<char> zeros(
      static_cast<size_t>(rt::numel(type.sizes) * rt::item_size(type.dtype)));
  frame_.values[result_] = backend_.from_host(zeros.data(), type.dtype, type.sizes, type.device);
}

}  // namespace rt_test
