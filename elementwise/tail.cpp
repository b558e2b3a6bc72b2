// tail.cpp -- finds a batch's tail; takes memory for all of its groups, and then computes them.
#include "elementwise/tail.h"

#include <algorithm>
#include <new>

#include "graph/batch/fuse.h"
#include "graph/batch/passes.h"
#include "graph/clock.h"
#include "graph/memory/host_memory.h"

namespace rt::cpu {
namespace {

/// A block of memory, which may be empty.
class Block {
 public:
  explicit Block(size_t bytes) : bytes_(static_cast<int64_t>(bytes)) {
    if (bytes > 0 && !(data_ = take_block(bytes_))) throw std::bad_alloc();
  }
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;
  ~Block() {
    if (data_) give_block(data_, bytes_);
  }
  char* data() const { return static_cast<char*>(data_); }

 private:
  const int64_t bytes_;
  void* data_ = nullptr;
};

}  // namespace

/// Operands, results and scalars of one run of a group.
struct Tail::Ready {
  Small<FusedGroup::Input, kMaxRegisters> inputs;
  Small<char*, kMaxRegisters> results;
  Small<int64_t, 64> scalars;
  std::vector<BufferRef> copies;
};

Tail::Tail(const Batch& batch) : begin_(static_cast<uint32_t>(batch.steps.size())) {
  const LastUses uses = last_uses(batch);
  const auto dies = [&](uint32_t value, uint32_t step) {
    return std::ranges::count(uses.after(step), value) > 0;
  };
  uint32_t first = begin_;  // the first step that may write over an input
  for (uint32_t i = begin_; i-- > 0 && batch.steps[i].op == Op::Fused;) {
    std::vector<uint32_t> results, operands;
    for (uint32_t k = 0; k < batch.steps[i].results; ++k)
      results.push_back(batch.steps[i].result + k);
    for (const uint32_t operand : batch.operands_of(batch.steps[i]))
      if (dies(operand, i)) operands.push_back(operand);
    if (fits_over_input(batch, results, operands)) first = i;
  }
  if (first == begin_) return;
  std::vector<std::optional<uint32_t>> input_of(batch.values.size());
  for (uint32_t value = 0, inputs = 0; value < batch.values.size(); ++value)
    if (batch.is_input(value)) input_of[value] = inputs++;
  while (begin_ > first) {
    const Batch::Step& step = batch.steps[begin_ - 1];
    Group group{FusedGroup(batch.group_of(step)), {}, {}, step.result};
    const std::optional<size_t> reserve = group.code.reserve();
    if (!reserve) break;
    reserve_ = std::max(reserve_, *reserve);
    --begin_;
    for (const uint32_t value : batch.operands_of(step))
      group.operands.push_back({value, input_of[value], dies(value, begin_)});
    for (const int64_t number : batch.attributes_of(step).list(0))
      group.scalars.push_back(static_cast<uint32_t>(number));
    groups_.push_back(std::move(group));
  }
  std::ranges::reverse(groups_);
  if (!groups_.empty()) first_result_ = groups_.front().result;
}

/// Gives results new memory, or the memory of operands.
void Tail::prepare(const Group& group, std::span<const BufferRef> inputs,
                   std::span<BufferRef> values, std::span<const int64_t> scalars, Means& means,
                   Ready& ready) const {
  const auto buffer = [&](const Operand& operand) -> const BufferRef& {
    return operand.input ? inputs[*operand.input] : values[operand.value];
  };
  Small<bool, kMaxRegisters> free;
  for (const Operand& operand : group.operands) {
    const Buffer* is = buffer(operand).get();
    free.push_back(operand.dies && is->unique() && is->contiguous() &&
                   is->storage()->bytes() == is->numel() * item_size(is->dtype()));
    if (crosswise(is->sizes(), is->strides())) {
      ready.copies.push_back(means.in_order(buffer(operand)));
      is = ready.copies.back().get();
    }
    ready.inputs.push_back({is->data(), is->strides()});
  }
  const auto reused_inputs = group.code.reused_inputs(free);
  uint32_t result = group.result;
  for (const FusedGroup::Result& type : group.code.results()) {
    const int32_t reused = group.code.large() ? reused_inputs[ready.results.size()] : -1;
    if (reused >= 0) {
      values[result] = buffer(group.operands[static_cast<size_t>(reused)]);
      ready.inputs[static_cast<uint32_t>(reused)].overwritten = true;
    } else {
      values[result] = means.allocate(type.dtype, type.sizes);
    }
    ready.results.push_back(values[result++]->data());
  }
  for (const uint32_t number : group.scalars) ready.scalars.push_back(scalars[number]);
}

void Tail::run(std::span<const BufferRef> inputs, std::span<BufferRef> values,
               std::span<const int64_t> scalars, Means& means, std::vector<int64_t>* times) const {
  std::vector<Ready> ready(groups_.size());
  for (size_t i = 0; i < groups_.size(); ++i)
    prepare(groups_[i], inputs, values, scalars, means, ready[i]);
  const Block reserve(reserve_);
  const Team team = means.team();
  for (size_t i = 0; i < groups_.size(); ++i) {
    const Ready& at = ready[i];
    groups_[i].code.run(at.inputs, at.scalars, at.results, team, reserve.data());
    if (times) times->push_back(now_ns());
  }
}

size_t Tail::bytes() const {
  size_t bytes = sizeof *this;
  for (const Group& group : groups_)
    bytes += sizeof group + group.code.bytes() + group.operands.capacity() * sizeof(Operand) +
             group.scalars.capacity() * sizeof(uint32_t);
  return bytes;
}

}  // namespace rt::cpu
