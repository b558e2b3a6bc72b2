// kernel.cpp -- calls the reference backend's kernels over libtorch's tensors.
#include "executor/torchscript/kernel.h"

#include <ATen/record_function.h>

#include "executor/torchscript/buffer.h"
#include "executor/torchscript/fused.h"
#include "fallback_cpu/kernels.h"

namespace rt::torchscript {
namespace {

namespace jit = torch::jit;

/// The memory of a tensor, which it keeps.
class TensorStorage final : public Storage {
 public:
  explicit TensorStorage(at::Tensor tensor)
      : Storage(const_cast<void*>(tensor.const_data_ptr()), static_cast<int64_t>(tensor.nbytes()),
                Device{}, nullptr),
        tensor_(std::move(tensor)) {}

 private:
  const at::Tensor tensor_;
};

BufferRef buffer_over(at::Tensor tensor, DType dtype) {
  const Sizes sizes(tensor.sizes().data(), tensor.sizes().size());
  Layout layout{Shape(sizes), Strides(Sizes(tensor.strides().data(), sizes.size())), 0};
  Ref<Storage> storage(new TensorStorage(std::move(tensor)));
  return BufferRef(new Buffer(std::move(storage), dtype, std::move(layout)));
}

}  // namespace

KernelOperator::KernelOperator(MemoryCount& memory, const Batch& batch, const Batch::Step& step)
    : memory_(memory),
      row_(info(step.op)),
      dtype_(batch.values[step.result].dtype),
      sizes_(batch.sizes(step.result)),
      attributes_(batch.attributes_of(step).attributes) {
  for (const uint32_t operand : batch.operands_of(step)) {
    operands_.emplace_back();
    if (operand != kNone.id) operands_.back() = batch.values[operand].dtype;
  }
}

void KernelOperator::run(jit::Stack& stack) const {
  static auto& no_draws = *new cpu::Generator;  // no random row prefers a kernel
  const size_t first = stack.size() - operands_.size();
  RECORD_FUNCTION(row_.rules.aten.data(), c10::ArrayRef(stack).slice(first));
  std::vector<BufferRef> values;
  values.reserve(operands_.size());
  Small<uint32_t, 6> operands;
  for (size_t i = 0; i < operands_.size(); ++i) {
    operands.push_back(operands_[i] ? static_cast<uint32_t>(values.size()) : kNone.id);
    if (operands_[i])
      values.push_back(buffer_over(std::move(stack[first + i]).toTensor(), *operands_[i]));
  }
  Small<int64_t, 10> attributes = attributes_;
  for (uint32_t i = 0; i < row_.scalars; ++i)
    attributes[i] = BoundScalars::now()[static_cast<size_t>(attributes[i])];
  const cpu::Machine machine{memory_, own_team(), no_draws, {}};
  const BufferRef result =
      cpu::compute({machine, row_, values, operands, {row_, attributes}, dtype_, sizes_});
  stack.resize(first);
  stack.emplace_back(tensor_over(*result));
}

size_t KernelOperator::bytes() const { return sizeof *this; }

}  // namespace rt::torchscript
