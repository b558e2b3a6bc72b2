// fused.cpp -- makes a group of steps a program of the block interpreter.
#include "elementwise/fused.h"

#include <algorithm>
#include <unordered_map>

#include "graph/error.h"

namespace rt::cpu {
namespace {

/// A run keeps up to so many scalars on the stack.
constexpr uint32_t kFewScalars = 64;

/// The size that a group's steps have in common.
Sizes sizes_of(const Batch& group) {
  if (group.steps.empty()) return {};
  const Batch::Step& first = group.steps.front();
  return group.sizes(is_fold(first.op) ? group.operands_of(first)[0] : first.result);
}

void check(const Batch& group) {
  const Sizes sizes = sizes_of(group);
  for (const Batch::Step& step : group.steps) {
    const std::string_view name = info(step.op).name;
    if (is_fold(step.op)) {
      const uint32_t operand = group.operands_of(step)[0];
      if (!std::ranges::equal(group.sizes(operand), sizes))
        fail("a group takes the ", name, " of values of one size, ", to_string(sizes));
      if (!computes(Op::Eq, group.values[operand].dtype))
        fail("a group has no ", name, " of ", rt::name(group.values[operand].dtype));
    } else if (info(step.op).rules.kernel != Kernel::Elementwise || info(step.op).can_fail()) {
      fail("a group computes elementwise steps, and ", name, " is none");
    } else if (!std::ranges::equal(group.sizes(step.result), sizes)) {
      fail("the steps of a group have results of one size, ", to_string(sizes), ", and ", name,
           " gives ", to_string(group.sizes(step.result)));
    } else if (const DType dtype = operand_dtype(group, step, step.operand_count - 1);
               !computes(step.op, dtype)) {
      fail("a group has no ", name, " of ", rt::name(dtype));
    }
  }
}

/// Assigns registers to a group's values and writes the instructions.
class Writing {
 public:
  explicit Writing(const Batch& group) : group_(group) {
    check(group);
    for (const Batch::Step& step : group.steps) inputs(step);
    for (const Batch::Step& step : group.steps)
      if (!is_fold(step.op)) instruction(step);
  }
  /// The register of a value in its own dtype or in one that a step takes it in.
  uint16_t of(uint32_t value, DType dtype) const { return registers_.at(key(value, dtype)); }

  BlockProgram program;
  std::vector<uint32_t> inputs_by_register;

 private:
  static uint64_t key(uint32_t value, DType dtype) {
    return uint64_t{value} << 8 | static_cast<uint64_t>(dtype);
  }
  uint16_t add(uint32_t value, DType dtype) {
    const auto [known, fresh] =
        registers_.try_emplace(key(value, dtype), static_cast<uint16_t>(program.registers.size()));
    if (fresh) program.registers.push_back(dtype);
    return known->second;
  }

  void inputs(const Batch::Step& step) {
    for (uint32_t i = 0; i < step.operand_count; ++i) {
      const uint32_t value = group_.operands_of(step)[i];
      if (!group_.is_input(value)) continue;
      if (add(value, operand_dtype(group_, step, i)) == inputs_by_register.size())
        inputs_by_register.push_back(value);
    }
  }
  void instruction(const Batch::Step& step) {
    BlockProgram::Instruction made{step.op, 0, {}, 0};
    for (uint32_t i = 0; i < step.operand_count; ++i) {
      const uint32_t value = group_.operands_of(step)[i];
      const DType wanted = operand_dtype(group_, step, i), has = group_.values[value].dtype;
      if (!group_.is_input(value) && has != wanted) {
        // Converted again for each step that takes it, which is faster than keeping it.
        const uint16_t source = of(value, has);
        registers_.erase(key(value, wanted));
        program.code.push_back({Op::Cast, add(value, wanted), {source}, 0});
      }
      made.sources[i] = of(value, wanted);
    }
    if (info(step.op).scalars > 0)
      made.scalar = static_cast<uint16_t>(group_.attributes_of(step).scalar(0));
    made.target = add(step.result, group_.values[step.result].dtype);
    program.code.push_back(made);
  }

  const Batch& group_;
  std::unordered_map<uint64_t, uint16_t> registers_;
};

}  // namespace

FusedGroup::FusedGroup(const Batch& group) : sizes_(sizes_of(group)) {
  Writing writing(group);
  std::vector<uint32_t> number(group.values.size(), 0);
  for (uint32_t value = 0, inputs = 0; value < group.values.size(); ++value)
    if (group.is_input(value)) number[value] = inputs++;
  for (const uint32_t value : writing.inputs_by_register)
    operands_.push_back({number[value], group.values[value].dtype, Shape(group.sizes(value))});
  std::vector<uint32_t> folds;
  for (uint32_t i = 0; i < group.roots.size(); ++i) {
    const uint32_t root = group.roots[i];
    const DType dtype = group.values[root].dtype;
    results_.push_back({dtype, Shape(group.sizes(root))});
    large_ = large_ || numel(group.sizes(root)) * item_size(dtype) >= kLargeResult;
    const Batch::Step& step = group.producer(root);
    if (is_fold(step.op)) {
      const uint32_t source = group.operands_of(step)[0];
      writing.program.folds.push_back(
          {step.op, writing.of(source, group.values[source].dtype), dtype});
      if (group.is_input(source)) folded_.push_back(number[source]);
      folds.push_back(i);
    } else {
      writing.program.outputs.push_back(writing.of(root, dtype));
      order_.push_back(i);
    }
  }
  order_.insert(order_.end(), folds.begin(), folds.end());
  free_scalars_ = group.free_scalars;
  constants_.assign(group.scalars.begin() + group.free_scalars, group.scalars.end());
  code_ = BlockCode(writing.program);
}

void FusedGroup::run(std::span<const Input> inputs, std::span<const int64_t> scalars,
                     std::span<char* const> results, const Team& team, char* reserve) const {
  const uint32_t rank = sizes_.size();
  Small<int64_t, kFewDims * kMaxRegisters> strides;
  strides.resize(rank * static_cast<uint32_t>(operands_.size()));
  Small<ElementSource, kMaxRegisters> sources;
  for (const Operand& operand : operands_) {
    int64_t* const to = strides.data() + sources.size() * rank;
    broadcast_strides(operand.sizes, inputs[operand.input].strides, sizes_, to);
    const Input& input = inputs[operand.input];
    sources.push_back({input.data, operand.dtype, {to, rank}, input.overwritten});
  }
  Small<int64_t, kFewScalars> all(scalars);
  all.append(constants_);
  Small<char*, kMaxRegisters> outputs;
  for (const uint32_t result : order_) outputs.push_back(results[result]);
  code_.run(sizes_, sources, all, outputs, team, reserve);
}

std::optional<size_t> FusedGroup::reserve() const {
  if (sizes_.size() > kFewDims || free_scalars_ + constants_.size() > kFewScalars) return {};
  return code_.memory_of_run(numel(sizes_));
}

Small<int32_t, 8> FusedGroup::reused_inputs(std::span<const bool> free) const {
  Small<int32_t, 8> reused_inputs;
  for (const Result& result : results_) {
    int32_t reused = -1;
    for (const Operand& operand : operands_) {
      const auto input = static_cast<int32_t>(operand.input);
      if (free[operand.input] && operand.dtype == result.dtype &&
          std::ranges::equal(Sizes(operand.sizes), Sizes(result.sizes)) &&
          std::ranges::find(folded_, operand.input) == folded_.end() &&
          std::ranges::find(reused_inputs, input) == reused_inputs.end())
        reused = input;
    }
    reused_inputs.push_back(reused);
  }
  return reused_inputs;
}

size_t FusedGroup::bytes() const {
  return sizeof *this + code_.bytes() + operands_.size() * sizeof(Operand) +
         results_.size() * sizeof(Result);
}

void broadcast_strides(Sizes sizes, Sizes strides, Sizes to, int64_t* out) {
  const size_t missing = to.size() - sizes.size();
  for (size_t d = 0; d < to.size(); ++d) {
    const bool repeated = d < missing || (sizes[d - missing] == 1 && to[d] != 1);
    out[d] = repeated ? 0 : strides[d - missing];
  }
}

bool crosswise(Sizes sizes, Sizes strides) {
  constexpr int64_t kBig = 4096;
  return sizes.size() > 1 && strides.back() > 1 && sizes.back() > 1 && numel(sizes) >= kBig;
}

}  // namespace rt::cpu
