// fused.cpp -- runs the operator rt_torch::fused.
#include "executor/torchscript/fused.h"

#include <ATen/EmptyTensor.h>
#include <ATen/Parallel.h>

#include "executor/torchscript/buffer.h"
#include "graph/error.h"

namespace rt::torchscript {
namespace {

namespace jit = torch::jit;

void each_piece(int64_t pieces, int, void (*body)(void*, int64_t), void* context) {
  at::parallel_for(0, pieces, 1, [=](int64_t begin, int64_t end) {
    for (int64_t piece = begin; piece < end; ++piece) body(context, piece);
  });
}

Sizes sizes_of(at::IntArrayRef list) { return {list.data(), list.size()}; }

}  // namespace

FusedOperator::FusedOperator(const Batch& batch, const Batch::Step& step, bool reuse)
    : group_(batch.group_of(step)), reuse_(reuse) {
  for (const uint32_t operand : batch.operands_of(step))
    inputs_.push_back({scalar_type(batch.values[operand].dtype), Shape(batch.sizes(operand))});
  for (const int64_t index : batch.attributes_of(step).list(0))
    scalars_.push_back(static_cast<uint32_t>(index));
}

void FusedOperator::run(jit::Stack& stack) const {
  const size_t count = inputs_.size();
  const size_t first = stack.size() - count;
  Small<cpu::FusedGroup::Input, 8> inputs;
  Small<bool, 8> free;
  for (size_t i = 0; i < count; ++i) {
    at::Tensor& tensor = stack[first + i].toTensor();
    const Sizes sizes = sizes_of(tensor.sizes());
    if (tensor.scalar_type() != inputs_[i].type ||
        !std::ranges::equal(sizes, Sizes(inputs_[i].sizes)))
      fail("libtorch gave ", toString(tensor.scalar_type()), " ", to_string(sizes), " where ",
           toString(inputs_[i].type), " ", to_string(inputs_[i].sizes), " was inferred");
    if (cpu::crosswise(sizes, sizes_of(tensor.strides()))) tensor = tensor.contiguous();
    inputs.push_back(
        {static_cast<const char*>(tensor.const_data_ptr()), sizes_of(tensor.strides())});
    // The interpreter moves a value to its last user, so that `tensor` can be the only reference.
    if (reuse_ && group_.large()) free.push_back(is_alone(tensor));
  }
  Small<int64_t, 64> scalars;
  for (const uint32_t index : scalars_) scalars.push_back(BoundScalars::now()[index]);
  const Small<int32_t, 8> reused_inputs =
      free.empty() ? Small<int32_t, 8>() : group_.reused_inputs(std::span<const bool>(free));
  jit::Stack results;
  Small<char*, 8> outputs;
  for (const cpu::FusedGroup::Result& result : group_.results()) {
    const int32_t reused = reused_inputs.empty() ? -1 : reused_inputs[outputs.size()];
    at::Tensor tensor;
    if (reused >= 0) {
      tensor = stack[first + static_cast<size_t>(reused)].toTensor();
      inputs[static_cast<uint32_t>(reused)].overwritten = true;
    } else {
      tensor = at::detail::empty_cpu({result.sizes.data(), result.sizes.size()},
                                     scalar_type(result.dtype));
    }
    outputs.push_back(static_cast<char*>(tensor.mutable_data_ptr()));
    results.emplace_back(std::move(tensor));
  }
  group_.run(inputs, scalars, outputs, own_team());
  stack.resize(first);
  for (c10::IValue& result : results) stack.push_back(std::move(result));
}

cpu::Team own_team() { return {at::get_num_threads(), each_piece}; }

}  // namespace rt::torchscript
