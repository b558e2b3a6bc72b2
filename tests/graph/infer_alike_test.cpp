// infer_alike_test.cpp -- rows with keeps_type keep the type of operands of one type.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <ostream>

#include "graph/ops/op.h"

namespace rt {

static void PrintTo(const OpInfo* row, std::ostream* out) { *out << row->name; }

namespace {

std::vector<const OpInfo*> rows() {
  std::vector<const OpInfo*> rows;
  for (const OpInfo& row : all_ops())
    if (row.keeps_type) rows.push_back(&row);
  return rows;
}

class KeepsType : public testing::TestWithParam<const OpInfo*> {};

TEST_P(KeepsType, InferenceSaysTheSame) {
  const OpInfo& row = *GetParam();
  for (const DType dtype : {DType::F32, DType::F64, DType::F16, DType::BF16}) {
    for (const Shape& sizes : {Shape{}, Shape{3}, Shape{2, 0, 4}, Shape{1, 5}}) {
      const TensorType type{.dtype = dtype, .device = {}, .none = false, .sizes = sizes};
      const std::vector<TensorType> operands(row.tensors, type);
      Args args;
      args.op = row.op;
      for (uint32_t i = 0; i < row.tensors; ++i) args.operands.push_back(Value{i});
      args.attributes.resize(uint32_t{row.scalars} + row.integers);
      const Small<int64_t, 10> attributes = args.attributes;
      infer(args, operands);
      EXPECT_EQ(args.dtype, dtype);
      EXPECT_TRUE(args.device == type.device);
      EXPECT_TRUE(args.shape == sizes) << to_string(args.shape);
      EXPECT_TRUE(args.attributes == attributes)
          << "inference normalises words, so it cannot be left out";
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Rows, KeepsType, testing::ValuesIn(rows()),
                         [](const auto& row) { return std::string(row.param->name); });

TEST(KeepsTypeRows, AreThoseOfElementwiseKernelsAndFewMore) {
  const auto found = rows();
  EXPECT_GE(found.size(), 30u);
  for (const Op op : {Op::Add, Op::Mul, Op::Relu, Op::AddScalar, Op::Exp, Op::Gelu})
    EXPECT_TRUE(info(op).keeps_type) << info(op).name;
  for (const Op op : {Op::Sum, Op::Matmul, Op::Move, Op::Cast, Op::Eq, Op::Transpose})
    EXPECT_FALSE(info(op).keeps_type) << info(op).name;
}

}  // namespace
}  // namespace rt
