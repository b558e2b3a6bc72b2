// program.cpp -- infers types and layouts of a program's values.
#include "tests/fuzz/program.h"

#include "graph/error.h"

namespace rt::fuzz {

const Outline::Fact* Outline::find(uint32_t id) const {
  const auto found = facts_.find(id);
  return found == facts_.end() ? nullptr : &found->second;
}

Outline::Fact Outline::infer(Args& args, std::span<const uint32_t> operands) const {
  std::vector<TensorType> types;
  for (const uint32_t operand : operands) {
    const Fact* fact = operand == kAbsent ? nullptr : find(operand);
    if (!fact && operand != kAbsent) fail("an operand has failed");
    if (fact) types.push_back(fact->type());
    else types.push_back({.device = {}, .none = true, .sizes = {}});
  }
  rt::infer(args, types);
  const OpInfo& row = info(args.op);
  Layout layout{args.shape, contiguous_strides(args.shape), 0};
  // Programs stay on the CPU, where a move returns its operand.
  if (args.op == Op::Move) layout = find(operands[0])->layout;
  if (row.rules.view) {
    Layout view;
    if (row.rules.view({row, args.attributes}, args.shape, find(operands[0])->layout, view))
      layout = std::move(view);
  }
  return {args.dtype, std::move(layout)};
}

bool Outline::add(const Instruction& instruction) {
  using Verb = Instruction::Verb;
  if (instruction.verb == Verb::Data) {
    const Literal& literal = instruction.literal;
    facts_[instruction.id] = {literal.dtype, {literal.sizes, contiguous_strides(literal.sizes), 0}};
  } else if (instruction.verb == Verb::Call) {
    Args args = instruction.args;
    try {
      facts_[instruction.id] = infer(args, instruction.operands);
    } catch (const Error&) {
      return false;
    }
  }
  return true;
}

}  // namespace rt::fuzz
