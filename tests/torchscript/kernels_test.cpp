// kernels_test.cpp -- steps that kernels of the reference backend compute on the libtorch backend:
// alone, in a batch that libtorch runs, and in one that the reference backend runs as a whole.
#include <cmath>

#include "graph/batch/kernel_choice.h"
#include "tests/executor/reference_rig.h"
#include "tests/torchscript/rig.h"

namespace rt::test {
namespace {

std::vector<float> waves(int64_t count, float phase) {
  std::vector<float> values(static_cast<size_t>(count));
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = std::sin(static_cast<float>(i) * 0.37F + phase) * 3;
  return values;
}

/// A step of each family that has a rule, on operands of so many rows.
std::vector<Value> steps_of(Rig& rig, int64_t rows) {
  const Value x = rig.input({static_cast<int64_t>(rows), 72}, waves(rows * 72, 0));
  const Value y = rig.input({static_cast<int64_t>(rows), 72}, waves(rows * 72, 1));
  const Value w = rig.input({72}, waves(72, 2)), matrix = rig.input({24, 72}, waves(24 * 72, 3));
  const Value bias = rig.input({24}, waves(24, 4));
  const Value turned = rig.step(Op::T, {matrix});
  return {rig.step(Op::Softmax, {x}, {1}),
          rig.step(Op::LogSoftmaxBackward, {x, y}, {0}),
          rig.step(Op::LayerNorm, {x, w, w}, {1e-5, 1, 72}),
          rig.step(Op::VarDims, {x}, {0, 0, 1, 0}),
          rig.step(Op::SumDim, {x}, {1, 0}),
          rig.step(Op::Matmul, {x, turned}),
          rig.step(Op::Linear, {x, matrix, bias})};
}

/// Runs the batch compiled; the values are its roots.
std::vector<BufferRef> compiled(Rig& rig, const std::vector<Value>& values) {
  rig.batch.roots.clear();
  for (const Value value : values) rig.batch.roots.push_back(value.id);
  return rig.run_program();
}

class Kernels : public testing::TestWithParam<int64_t> {};
INSTANTIATE_TEST_SUITE_P(Rows, Kernels, testing::Values(8, 3000));

TEST_P(Kernels, GiveTheirBitsAloneAndInEveryBatch) {
  Rig whole(libtorch({})), mixed(libtorch({})), reference;
  const std::vector<Value> values = steps_of(whole, GetParam());
  std::vector<Value> of_mixed = steps_of(mixed, GetParam());
  EXPECT_EQ(prefers_reference(whole.batch), GetParam() == 8);
  // No kernel is preferred for an inverse, so that libtorch runs the batch.
  of_mixed.push_back(mixed.step(Op::Inverse, {mixed.input({2, 2}, {1, 2, 3, 5})}));
  EXPECT_FALSE(prefers_reference(mixed.batch));
  const std::vector<BufferRef> stepped = whole.run_steps(), in_whole = compiled(whole, values),
                               in_mixed = compiled(mixed, of_mixed),
                               wanted = compiled(reference, steps_of(reference, GetParam()));
  size_t preferred = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    const Batch::Step& step = whole.batch.producer(values[i].id);
    SCOPED_TRACE(info(step.op).name);
    EXPECT_EQ(whole.bytes(*in_whole[i]), whole.bytes(*in_mixed[i]));
    EXPECT_EQ(whole.bytes(*in_whole[i]), whole.bytes(*stepped[values[i].id]));
    const auto number = static_cast<uint32_t>(&step - whole.batch.steps.data());
    if (prefers_reference(whole.batch, number)) {
      ++preferred;
      EXPECT_EQ(whole.bytes(*in_whole[i]), whole.bytes(*wanted[i]));
    }
  }
  // Of many rows, the sum is libtorch's, and the two products are but on AMD's processors.
  EXPECT_GE(preferred, GetParam() == 8 ? values.size() : values.size() - 3);
  EXPECT_LE(preferred, GetParam() == 8 ? values.size() : values.size() - 1);
}

}  // namespace
}  // namespace rt::test
