// run.cpp -- calls operators for single steps, and runs compiled graphs.
#include "executor/torchscript/run.h"

#include <ATen/EmptyTensor.h>
#include <c10/core/InferenceMode.h>
#include <c10/util/Exception.h>
#include <torch/csrc/jit/runtime/interpreter.h>

#include <algorithm>
#include <bit>

#include "executor/torchscript/allocator.h"
#include "executor/torchscript/buffer.h"
#include "executor/torchscript/fused.h"
#include "executor/torchscript/threads.h"
#include "graph/error.h"

namespace rt::torchscript {
namespace {

namespace jit = torch::jit;
using From = ArgumentSource::From;

/// The interpreter's compiler recurses over chains of values used once and leaves the stack near
/// 21,000 nodes at 8 MiB; clients have threads of 1 MiB.
constexpr uint32_t kMaxSteps = 2048;

/// Drops libtorch's warnings, which would go to the client's stderr.
class Silence final : public c10::WarningHandler {
 public:
  void process(const c10::Warning&) override {}
};

/// A run's settings of libtorch: no autograd, no warnings, recycled memory, our number of threads.
class RunScope {
  static Silence& silence() {
    static auto* const handler = new Silence;
    return *handler;
  }
  const OwnThreads threads_;
  const c10::InferenceMode inference_;
  const PooledMemory pooled_;
  const c10::WarningUtils::WarningHandlerGuard quiet_{&silence()};
};

/// True where the scalar tensor for a result of this dtype is a wrapped f64, as PyTorch's numbers.
/// A plain f64 would make an f16 result f64, and an f16 would be rounded before its use.
bool is_wrapped(DType dtype) { return dtype != DType::F32 && dtype != DType::F64; }

at::Tensor make_number(DType dtype) {
  at::Tensor number = at::detail::empty_cpu({}, dtype == DType::F32 ? at::kFloat : at::kDouble,
                                            std::nullopt, std::nullopt, std::nullopt, std::nullopt);
  if (is_wrapped(dtype)) number.unsafeGetTensorImpl()->set_wrapped_number(true);
  return number;
}

void set_number(const at::Tensor& number, double value) {
  void* const to = number.mutable_data_ptr();
  if (number.scalar_type() == at::kFloat) *static_cast<float*>(to) = static_cast<float>(value);
  else *static_cast<double*>(to) = value;
}

/// The operands of a step as tensors, converted and checked as its row asks.
class Operands {
 public:
  Operands(const Plan& plan, const plugin::StepCall& call) : call_(call) {
    for (const Buffer* buffer : std::span<const Buffer* const>(call.operands))
      tensors_.push_back(buffer ? tensor_over(*buffer) : at::Tensor());
    if (plan.row->rules.promote)
      for (at::Tensor& tensor : tensors_) tensor = tensor.to(scalar_type(call.dtype));
    // Op::AsStrided counts elements in row-major order, aten::as_strided those in memory.
    if (plan.row->op == Op::AsStrided) tensors_[0] = tensors_[0].contiguous();
    if (call.device.is_cuda()) check(*plan.row);
  }
  c10::IValue at(uint32_t i) const {
    return tensors_[i].defined() ? c10::IValue(tensors_[i]) : c10::IValue();
  }
  c10::IValue all() const { return c10::IValue(tensors_); }

 private:
  void check(const OpInfo& row) const {
    if (!row.rules.range) return;
    Small<TensorType, 6> types;
    for (const Buffer* buffer : std::span<const Buffer* const>(call_.operands))
      types.push_back(buffer ? TensorType{buffer->dtype(), buffer->device(), false, buffer->sizes()}
                             : TensorType{DType::F32, Device{}, true, {}});
    static const auto& handle = *new c10::OperatorHandle(
        c10::Dispatcher::singleton().findSchemaOrThrow("rt_torch::check_range", ""));
    for (const AllowedRange& check : row.rules.range({row, call_.attributes}, types)) {
      jit::Stack stack{tensors_[check.operand], check.low, check.high, check.ignored};
      handle.callBoxed(stack);
    }
  }

  const plugin::StepCall& call_;
  std::vector<at::Tensor> tensors_;
};

c10::IValue scalar_of(const ArgumentSource& source, const plugin::StepCall& call) {
  const int64_t bits = std::span<const int64_t>(call.attributes)[source.at];
  if (!source.floating) return bits;
  const auto value = std::bit_cast<double>(bits);
  if (source.from == From::Scalar) return value;
  const at::Tensor number = make_number(call.dtype);
  set_number(number, value);
  return number;
}

/// Only views may have other strides than row-major, as inference says. Elementwise operators keep
/// the strides of their operands, so that other results are made contiguous.
at::Tensor laid_out(const at::Tensor& result, const OpInfo& row) {
  return row.rules.view ? result : result.contiguous();
}

}  // namespace

Buffer* run_step(const plugin::Host& host, const Plan& plan, const plugin::StepCall& call) {
  const RunScope scope;
  const Operands operands(plan, call);
  const AttributesView attributes{*plan.row, call.attributes};
  jit::Stack stack;
  stack.reserve(plan.sources.size());
  for (const ArgumentSource& source : plan.sources) {
    switch (source.from) {
      case From::Operand: stack.push_back(operands.at(source.at)); break;
      case From::Operands: stack.push_back(operands.all()); break;
      case From::ScalarTensor:
      case From::Scalar: stack.push_back(scalar_of(source, call)); break;
      default: stack.push_back(attribute(source, attributes, call.dtype, call.device, call.sizes));
    }
  }
  plan.aten->callBoxed(stack);
  stack = {stack[plan.row->rules.result]};
  if (plan.then) plan.then->callBoxed(stack);
  const at::Tensor& result = stack[0].toTensor();
  return buffer_of(laid_out(result, *plan.row), call.dtype, call.device, call.sizes, *host.memory);
}

struct CompiledBatch::Piece {
  struct Input {
    uint32_t slot;
    bool last;  ///< no later piece, no root and not the tail uses it
  };
  jit::Code code;
  std::vector<Input> inputs;
  std::vector<Part::Further> further;
  std::vector<Part::Planned> planned;
  std::vector<uint32_t> results;  ///< slots
  std::vector<std::unique_ptr<NodeOperator>> operators;
};

struct CompiledBatch::Kept {
  std::vector<at::Tensor> numbers;  ///< one for every NumberTensor, in the order of the pieces
  std::vector<at::Tensor> planned;  ///< all planned memory, in the order of the pieces
};

constexpr uint32_t kNoSlot = UINT32_MAX;

CompiledBatch::CompiledBatch(const plugin::Host& host, const Batch& batch)
    : host_(host),
      tail_(cpu::tail_of(batch, host.use)),
      values_(batch.values.size()),
      scalars_(batch.scalars),
      free_scalars_(batch.free_scalars),
      steps_(batch.steps.size()),
      fused_(fused_count(batch)) {
  std::vector<uint32_t> slot_of(batch.values.size(), kNoSlot);
  const auto slot = [&](uint32_t value) {
    if (slot_of[value] == kNoSlot) slot_of[value] = slots_++;
    return slot_of[value];
  };
  for (uint32_t value = 0; value < batch.values.size(); ++value) {
    if (batch.is_input(value)) slot(value);
    uses_cuda_ = uses_cuda_ || batch.values[value].device >= 0;
  }
  inputs_ = slots_;
  const uint32_t steps = tail_ ? tail_->begin() : static_cast<uint32_t>(batch.steps.size());
  for (uint32_t begin = 0; begin < steps; begin += kMaxSteps) {
    Part part = lower(batch, begin, std::min(steps, begin + kMaxSteps), Purpose::Running, host.use,
                      host.memory);
    Piece piece{.code = jit::Code(part.graph, "rt_torch"),
                .inputs = {},
                .further = part.further,
                .planned = part.planned,
                .results = {},
                .operators = std::move(part.operators)};
    for (uint32_t value : part.inputs) piece.inputs.push_back({slot(value), false});
    for (uint32_t value : part.results) piece.results.push_back(slot(value));
    pieces_.push_back(std::move(piece));
  }
  std::vector<bool> needed(slots_);
  const auto leaving = [&](uint32_t value) {
    const Batch::Item& item = batch.values[value];
    if (slot_of[value] != kNoSlot) needed[slot_of[value]] = true;
    return Leaving{
        &info(batch.producer(value).op), value, slot_of[value], item.dtype, Device{item.device},
        Shape(batch.sizes(value))};
  };
  for (const uint32_t root : batch.roots) roots_.push_back(leaving(root));
  if (tail_) {
    std::vector<bool> seen(batch.values.size());
    tail_->for_each_needed([&](uint32_t value) {
      if (!seen[value]) needed_.push_back(leaving(value));
      seen[value] = true;
    });
  }
  for (size_t i = pieces_.size(); i-- > 0;) {
    for (Piece::Input& input : pieces_[i].inputs) input.last = !needed[input.slot];
    for (const Piece::Input& input : pieces_[i].inputs) needed[input.slot] = true;
  }
}

CompiledBatch::~CompiledBatch() { delete kept_.load(); }

std::unique_ptr<CompiledBatch::Kept> CompiledBatch::make_kept() const {
  auto made = std::make_unique<Kept>();
  for (const Piece& piece : pieces_) {
    for (const Part::Further& input : piece.further)
      if (input.form == Part::Input::NumberTensor)
        made->numbers.push_back(make_number(input.dtype));
    for (const Part::Planned& planned : piece.planned)
      made->planned.push_back(
          at::detail::empty_cpu({planned.sizes.data(), planned.sizes.size()}, planned.type));
  }
  return made;
}

BufferRef CompiledBatch::buffer(const Leaving& leaving,
                                const std::vector<c10::IValue>& slots) const {
  const at::Tensor tensor = laid_out(slots[leaving.slot].toTensor(), *leaving.row);
  return BufferRef(buffer_of(tensor, leaving.dtype, leaving.device, leaving.sizes, *host_.memory));
}

void CompiledBatch::run(const BufferRef* inputs, const int64_t* scalars, BufferRef* roots) {
  const RunScope scope;
  std::vector<int64_t> with_constants;
  if (scalars_.size() > free_scalars_) {
    with_constants = scalars_;
    std::copy_n(scalars, free_scalars_, with_constants.begin());
    scalars = with_constants.data();
  }
  std::vector<c10::IValue> slots(slots_);
  run_pieces(inputs, scalars, slots);
  for (const Leaving& root : roots_) {
    if (root.slot != kNoSlot) *roots = buffer(root, slots);
    ++roots;
  }
  if (tail_) run_tail(inputs, scalars, roots - roots_.size(), slots);
}

void CompiledBatch::run_pieces(const BufferRef* inputs, const int64_t* scalars,
                               std::vector<c10::IValue>& slots) {
  const BoundScalars bound(scalars);
  std::unique_ptr<Kept> kept(kept_.exchange(nullptr));
  if (!kept) kept = make_kept();
  auto number = kept->numbers.begin();
  auto planned = kept->planned.begin();
  jit::Stack stack;
  for (const Piece& piece : pieces_) {
    stack.clear();
    stack.reserve(piece.inputs.size() + piece.further.size());
    for (const Piece::Input& input : piece.inputs) {
      c10::IValue& value = slots[input.slot];
      if (value.isNone()) value = tensor_over(*inputs[input.slot]);
      if (input.last) stack.push_back(std::move(value));
      else stack.push_back(value);
    }
    for (const Part::Further& input : piece.further) {
      switch (input.form) {
        case Part::Input::Memory: stack.emplace_back(*planned++); break;
        case Part::Input::Integer: stack.emplace_back(scalars[input.id]); break;
        case Part::Input::NumberTensor:
          set_number(*number, std::bit_cast<double>(scalars[input.id]));
          stack.emplace_back(*number++);
          break;
        default: stack.emplace_back(std::bit_cast<double>(scalars[input.id]));
      }
    }
    jit::InterpreterState(piece.code).run(stack);
    for (size_t i = 0; i < piece.results.size(); ++i) slots[piece.results[i]] = std::move(stack[i]);
  }
  delete kept_.exchange(kept.release());
}

namespace {

/// Gives a tail the memory and the threads of libtorch.
class Means final : public cpu::Tail::Means {
 public:
  explicit Means(MemoryCount& memory) : memory_(memory) {}
  BufferRef allocate(DType dtype, Sizes sizes) override {
    return buffer(at::detail::empty_cpu({sizes.data(), sizes.size()}, scalar_type(dtype)), dtype);
  }
  BufferRef in_order(const BufferRef& from) override {
    return buffer(tensor_over(*from).contiguous(), from->dtype());
  }
  cpu::Team team() override { return own_team(); }

 private:
  BufferRef buffer(const at::Tensor& tensor, DType dtype) const {
    const Sizes sizes(tensor.sizes().data(), tensor.sizes().size());
    return BufferRef(buffer_of(tensor, dtype, Device{}, sizes, memory_));
  }
  MemoryCount& memory_;
};

}  // namespace

/// Nothing may throw after the tail's run, because the tail overwrites inputs.
void CompiledBatch::run_tail(const BufferRef* inputs, const int64_t* scalars, BufferRef* roots,
                             std::vector<c10::IValue>& slots) const {
  std::vector<BufferRef> values(values_);
  for (const Leaving& needed : needed_) values[needed.value] = buffer(needed, slots);
  slots.clear();  // frees references, so that the tail can reuse memory
  Means means(*host_.memory);
  tail_->run({inputs, inputs_}, values, {scalars, scalars_.size()}, means, nullptr);
  for (size_t i = 0; i < roots_.size(); ++i)
    if (roots_[i].slot == kNoSlot) roots[i] = values[roots_[i].value];
}

size_t CompiledBatch::bytes() const {
  // Bytes, measured as growth of resident memory with cached chains of 1000 and 10,000 adds.
  constexpr size_t kPerStep = 850;
  size_t bytes = sizeof *this + steps_ * kPerStep + (tail_ ? tail_->bytes() : 0);
  for (const Piece& piece : pieces_) {
    for (const auto& made : piece.operators) bytes += made->bytes();
    for (const Part::Planned& planned : piece.planned)
      bytes += static_cast<size_t>(numel(planned.sizes)) * c10::elementSize(planned.type);
  }
  return bytes;
}

}  // namespace rt::torchscript
