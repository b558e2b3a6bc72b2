// batch_builder.cpp -- appends steps with inference to a batch.
#include "graph/batch/batch_builder.h"

#include <bit>

namespace rt {

void BatchBuilder::infer(Args& args) {
  const OpInfo& row = info(args.op);
  std::vector<TensorType> types;
  for (const Value operand : args.operands) types.push_back(type(operand));
  // Inference needs the scalars' bits. A scalar that it changes becomes a constant of this batch,
  // and the others keep their indices.
  Small<int64_t, 10> numbers(args.attributes);
  for (uint32_t i = 0; i < row.scalars; ++i)
    args.attributes[i] = batch_.scalars[static_cast<size_t>(numbers[i])];
  rt::infer(args, types);
  for (uint32_t i = 0; i < row.scalars; ++i) {
    const int64_t before = batch_.scalars[static_cast<size_t>(numbers[i])];
    args.attributes[i] =
        args.attributes[i] == before ? numbers[i] : constant_bits(args.attributes[i]);
  }
}

Value BatchBuilder::append(Args& args) {
  infer(args);
  std::vector<uint32_t> operands;
  for (const Value operand : args.operands) operands.push_back(operand.id);
  return {batch_.add_step(args.op, operands, args.attributes, args.dtype, args.device, args.shape)};
}

int64_t BatchBuilder::constant(double value) {
  return constant_bits(std::bit_cast<int64_t>(value));
}

int64_t BatchBuilder::constant_bits(int64_t bits) {
  const auto [known, fresh] =
      constants_.try_emplace(bits, static_cast<int64_t>(batch_.scalars.size()));
  if (fresh) batch_.scalars.push_back(bits);
  return known->second;
}

}  // namespace rt
