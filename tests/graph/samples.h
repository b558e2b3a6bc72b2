// samples.h -- a plausible one-step batch for any row of the op table, and other small batches.
#pragma once
#include <gtest/gtest.h>

#include <bit>
#include <numeric>
#include <string>
#include <vector>

#include "graph/batch/batch.h"
#include "graph/error.h"

namespace rt::test {

/// The message of the Error that `call` throws; "" if it throws none.
template <class Call>
std::string message_of(const Call& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.text();
  }
  return "";
}

/// The rows of the op table and their names, for tests with a case per row.
inline std::vector<const OpInfo*> every_row() {
  std::vector<const OpInfo*> all;
  for (const OpInfo& row : all_ops()) all.push_back(&row);
  return all;
}
inline std::string name_of_row(const testing::TestParamInfo<const OpInfo*>& row) {
  return std::string(row.param->name);
}

/// True for operands to which no gradient flows, though they may be floats: statistics, labels.
inline bool takes_no_gradient(const OpInfo& row, std::string_view operand) {
  return operand.starts_with("running_") ||
         (operand == "target" && row.name.ends_with("embedding_loss"));
}

struct Operand {
  DType dtype;
  std::vector<int64_t> sizes;
  TensorType type() const { return {.dtype = dtype, .device = {}, .sizes = sizes}; }
};

/// Attributes that fit most operands, by the parameters' names; values stand for scalars.
inline Args plausible_args(const OpInfo& row, size_t rank) {
  Args args;
  args.op = row.op;
  const auto by_name = [](std::string_view name) -> int64_t {
    if (name == "step" || name == "dim1" || name == "eps" || name == "groups") return 1;
    if (name == "k" || name == "n") return 1;
    if (name == "ignore_index") return -100;
    if (name == "delta" || name == "num_groups" || name.ends_with("scale_factor")) return 1;
    return name == "steps" || name == "end" || name == "num_weights" ? 3 : 0;
  };
  // Lists by name; all others name every dimension.
  const auto list_by_name = [](std::string_view name) -> std::vector<int64_t> {
    if (name == "stride" || name == "dilation" || name == "kernel_size") return {1, 1};
    if (name == "padding" || name == "output_padding") return {0, 0};
    if (name == "size") return {2, 2};
    if (name == "normalized_shape") return {3};
    if (name == "dims_self") return {0};
    if (name == "dims_other") return {-1};
    return {};
  };
  for (const Param& param : row.params) {
    const int64_t value = by_name(param.name);
    if (param.kind == Kind::Float)
      args.attributes.push_back(std::bit_cast<int64_t>(static_cast<double>(value)));
    if (param.kind == Kind::Index) args.attributes.push_back(value);
    if (param.kind == Kind::Sizes) args.shape = {3, 2};
  }
  for (const Param& param : row.params)
    if (param.kind == Kind::Int || param.kind == Kind::Flag)
      args.attributes.push_back(by_name(param.name));
  for (const Param& param : row.params) {
    if (param.kind != Kind::IntList) continue;
    std::vector<int64_t> list = list_by_name(param.name);
    const bool line = row.name.ends_with("1d"), volume = row.name.ends_with("3d");
    if (param.name == "output_size") list.assign(line ? 1 : 2, 2);
    else if (line || volume) list.resize(1);  // one number counts for all dimensions
    if (list.empty())
      for (size_t i = rank; i-- > 0;) list.push_back(static_cast<int64_t>(i));
    args.attributes.push_back(static_cast<int64_t>(list.size()));
    args.attributes.append(list);
  }
  return args;
}

/// A canonical batch of one step, whose type is inferred.
inline Batch one_step(Args args, const std::vector<Operand>& operands, bool last_absent = false) {
  Batch batch;
  std::vector<TensorType> types;
  std::vector<uint32_t> numbers;
  for (const Operand& operand : operands) {
    types.push_back(operand.type());
    numbers.push_back(batch.add_input(operand.dtype, {}, operand.sizes));
  }
  if (last_absent) {
    types.push_back({.device = {}, .none = true, .sizes = {}});
    numbers.push_back(kNone.id);
  }
  infer(args, types);
  for (uint32_t i = 0; i < info(args.op).scalars; ++i) {
    batch.scalars.push_back(args.attributes[i]);
    args.attributes[i] = i;
  }
  batch.free_scalars = static_cast<uint32_t>(batch.scalars.size());
  batch.roots = {
      batch.add_step(args.op, numbers, args.attributes, args.dtype, args.device, args.shape)};
  return batch;
}

/// Batches for operands that inference accepts, at most `most`. Every row must have one.
inline std::vector<Batch> samples(const OpInfo& row, size_t most) {
  const Operand choices[] = {
      {DType::F32, {2, 3}},       {DType::F32, {2, 1}},       {DType::F32, {3}},
      {DType::F32, {3, 2}},       {DType::I64, {2}},          {DType::I64, {2, 3}},
      {DType::F32, {2}},          {DType::F32, {2, 2}},       {DType::F32, {3, 2, 4, 4}},
      {DType::I64, {3, 2, 4, 4}}, {DType::F32, {3, 3, 1, 1}}, {DType::F32, {}},
      {DType::Bool, {2, 3}},      {DType::F32, {3, 3, 2}},    {DType::F32, {2, 2, 2, 2, 2}},
      {DType::F32, {3, 2, 4}},    {DType::F32, {2, 2, 3}},    {DType::F32, {2, 3, 2}}};
  const size_t n = std::size(choices);
  const size_t count = row.variadic ? 2 : row.tensors;
  size_t combinations = 1;
  for (size_t i = 0; i < count; ++i) combinations *= n;
  std::vector<Batch> found;
  for (size_t code = 0; code < combinations && found.size() < most; ++code) {
    std::vector<Operand> operands;
    for (size_t i = 0, rest = code; i < count; ++i, rest /= n)
      operands.push_back(choices[rest % n]);
    try {
      found.push_back(
          one_step(plausible_args(row, operands.empty() ? 0 : operands[0].sizes.size()), operands));
    } catch (const Error&) {
    }
  }
  EXPECT_FALSE(found.empty()) << "no operands fit " << row.name << "; add some to samples.h";
  return found;
}
inline Batch sample(const OpInfo& row) {
  const std::vector<Batch> one = samples(row, 1);
  return one.empty() ? Batch() : one[0];
}

/// matmul and add_scalar over a strided input, with two roots.
inline Batch small_batch(double scalar = 0.5) {
  Batch batch;
  const std::vector<int64_t> a = {32, 64}, b = {64, 64}, strides = {1, 64}, out = {32, 64};
  batch.add_input(DType::F32, {}, a);
  batch.add_input(DType::F32, {}, b, strides);
  const uint32_t both[] = {0, 1};
  const uint32_t product = batch.add_step(Op::Matmul, both, {}, DType::F32, {}, out);
  const uint32_t one[] = {product};
  const int64_t attributes[] = {0};
  const uint32_t sum = batch.add_step(Op::AddScalar, one, attributes, DType::F32, {}, out);
  batch.scalars = {std::bit_cast<int64_t>(scalar)};
  batch.free_scalars = 1;
  batch.roots = {product, sum};
  return batch;
}

/// A chain of `count` neg steps.
inline Batch chain(uint32_t count) {
  Batch batch;
  const std::vector<int64_t> sizes = {2};
  uint32_t last = batch.add_input(DType::F32, {}, sizes);
  for (uint32_t i = 0; i < count; ++i) {
    const uint32_t operands[] = {last};
    last = batch.add_step(Op::Neg, operands, {}, DType::F32, {}, sizes);
  }
  batch.roots = {last};
  return batch;
}

}  // namespace rt::test
