// elementwise.cpp -- single elementwise ops as programs of the block interpreter, copies and views.
#include <cstring>
#include <vector>

#include "elementwise/dtypes.h"
#include "elementwise/fused.h"
#include "fallback_cpu/kernels.h"
#include "fallback_cpu/parallel.h"
#include "graph/ops/infer.h"
#include "graph/ops/views.h"

namespace rt::cpu {
namespace {

/// Throws unless all elements lie between 0 and 1. The condition is written so that NaN fails too.
void check_probabilities(const KernelCall& call, uint32_t operand) {
  const BufferRef buffer = call.contiguous(call.operand(operand));
  visit_float(call.row.name, buffer->dtype(), [&]<class T>(Type<T>) {
    const T* const values = reinterpret_cast<const T*>(buffer->data());
    for (int64_t i = 0, n = buffer->numel(); i < n; ++i)
      if (!(values[i] >= T{0} && values[i] <= T{1}))
        fail(call.row.params[operand].name,
             " must hold probabilities between 0 and 1, and element ", i, " is ",
             to_string(static_cast<double>(values[i])));
  });
}

/// Writes `part` over the elements of `result` that `strides` and `offset`, in elements, select.
void put(const KernelCall& call, const Buffer& part, const Buffer& result, Sizes strides,
         int64_t offset) {
  copy_elements(result.data() + offset * item_size(call.dtype), call.dtype, strides,
                source_of(part), part.sizes(), call.machine.team);
}

BufferRef slice_backward(const KernelCall& call) {
  BufferRef result = call.result();
  std::memset(result->data(), 0, static_cast<size_t>(result->numel() * item_size(call.dtype)));
  const Buffer& part = *call.operand(0);
  Layout slice;
  view::slice(call.attributes, part.sizes(), result->layout(), slice);
  put(call, part, *result, slice.strides, slice.offset);
  return result;
}

DType compute_dtype(const KernelCall& call) {
  if (call.dtype != DType::Bool) return call.dtype;
  Small<TensorType, 2> types;
  for (uint32_t i = 0; i < call.operands.size(); ++i) {
    const Buffer& operand = *call.operand(i);
    types.push_back({operand.dtype(), operand.device(), false, operand.sizes()});
  }
  return computed_in(call.row, {types.data(), types.size()}, call.dtype);
}

}  // namespace

BufferRef KernelCall::copied(const Buffer& buffer) const {
  BufferRef result = allocate(dtype, buffer.sizes(), machine.memory);
  copy_elements(result->data(), dtype, result->strides(), source_of(buffer), buffer.sizes(),
                machine.team);
  return result;
}

BufferRef KernelCall::converted(const BufferRef& buffer) const {
  return buffer->dtype() == dtype ? buffer : copied(*buffer);
}

void run_blocks(const BlockProgram& program, Sizes sizes, std::span<const ElementSource> sources,
                std::span<const int64_t> scalars, std::span<char* const> outputs,
                const Team& team) {
  BlockCode(program).run(sizes, sources, scalars, outputs, team);
}

void fused(const Machine& machine, const FusedGroup& group, std::span<const uint32_t> operands,
           std::span<const uint32_t> dying, std::span<const int64_t> scalars,
           std::span<BufferRef> values, uint32_t result) {
  Small<int32_t, 8> reused_inputs;
  if (machine.use.reuse && group.large() && !dying.empty()) {
    Small<bool, 8> free;
    for (const uint32_t number : operands) {
      const Buffer& operand = *values[number];
      free.push_back(std::ranges::find(dying, number) != dying.end() && operand.unique() &&
                     operand.contiguous() &&
                     operand.storage()->bytes() == operand.numel() * item_size(operand.dtype()));
    }
    reused_inputs = group.reused_inputs(free);
  }
  Small<FusedGroup::Input, 8> inputs;
  std::vector<BufferRef> copies;
  for (const uint32_t number : operands) {
    const Buffer* operand = values[number].get();
    if (crosswise(operand->sizes(), operand->strides())) {
      copies.push_back(contiguous(values[number], machine.memory, machine.team));
      operand = copies.back().get();
    }
    inputs.push_back({operand->data(), operand->strides()});
  }
  Small<char*, 8> results;
  for (const FusedGroup::Result& type : group.results()) {
    const int32_t reused = reused_inputs.empty() ? -1 : reused_inputs[results.size()];
    if (reused >= 0) {
      values[result] = values[operands[static_cast<size_t>(reused)]];
      inputs[static_cast<uint32_t>(reused)].overwritten = true;
    } else {
      values[result] = allocate(type.dtype, type.sizes, machine.memory);
    }
    results.push_back(values[result++]->data());
  }
  group.run(inputs, scalars, results, machine.team);
}

BufferRef elementwise(const KernelCall& call) {
  const Op op = call.row.op;
  if (op == Op::Cast) return call.converted(call.operand(0));
  const DType dtype = compute_dtype(call);
  if (!computes(op, dtype)) refuse(call.row.name, dtype);
  if (op == Op::BinaryCrossEntropyTerms) {
    check_probabilities(call, 0);
    check_probabilities(call, 1);
  }
  const auto count = static_cast<uint32_t>(call.operands.size());
  BlockProgram program;
  program.registers.resize(count, dtype);
  program.registers.push_back(call.dtype);
  if (op == Op::Where) program.registers[0] = DType::Bool;
  program.code.push_back({op, static_cast<uint16_t>(count), {0, 1, 2}, 0});
  program.outputs.push_back(static_cast<uint16_t>(count));
  Strides strides[kMaxOperands];
  ElementSource sources[kMaxOperands];
  BufferRef operands[kMaxOperands];
  for (uint32_t i = 0; i < count; ++i) {
    operands[i] = call.operand(i);
    if (crosswise(operands[i]->sizes(), operands[i]->strides()))
      operands[i] = call.contiguous(operands[i]);
    const Buffer& operand = *operands[i];
    strides[i].resize(static_cast<uint32_t>(call.sizes.size()));
    broadcast_strides(operand.sizes(), operand.strides(), call.sizes, strides[i].data());
    sources[i] = {operand.data(), operand.dtype(), strides[i]};
  }
  BufferRef result = call.result();
  char* const out[] = {result->data()};
  run_blocks(program, call.sizes, {sources, count},
             call.attributes.attributes.first(call.row.scalars), out, call.machine.team);
  return result;
}

BufferRef view(const KernelCall& call) {
  BufferRef source = call.operand(0);
  Layout layout;
  const ViewRule rule = call.row.rules.view;
  if (!rule(call.attributes, call.sizes, source->layout(), layout)) {
    source = call.contiguous(source);
    if (!rule(call.attributes, call.sizes, source->layout(), layout))
      fail("no layout for a view as ", to_string(call.sizes));
  }
  return BufferRef(new Buffer(source->storage(), source->dtype(), std::move(layout)));
}

BufferRef clone(const KernelCall& call) {
  const BufferRef& source = call.operand(0);
  if (call.row.op == Op::Move) return source;
  if (call.row.op == Op::SliceBackward) return slice_backward(call);
  BufferRef result = call.copied(*source);
  if (call.row.op == Op::AsStridedScatter)
    put(call, *call.operand(1), *result, call.attributes.list(1), call.attributes.integer(0));
  return result;
}

}  // namespace rt::cpu
