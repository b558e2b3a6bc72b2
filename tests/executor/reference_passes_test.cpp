// reference_passes_test.cpp -- the passes over batches, and longer programs of the block
// interpreter.
#include "elementwise/interpreter.h"
#include "fallback_cpu/parallel.h"
#include "graph/batch/passes.h"
#include "tests/executor/reference_rig.h"

namespace rt::test {
namespace {

using Floats = std::vector<float>;

std::vector<Op> ops_of(const Batch& batch) {
  std::vector<Op> ops;
  for (const Batch::Step& step : batch.steps) ops.push_back(step.op);
  return ops;
}

TEST(MergeCommon, JoinsEqualStepsAndWhatFollowsThem) {
  Rig rig;
  const Value x = rig.input({2}, Floats{1, 2}), y = rig.input({2}, Floats{3, 4});
  const Value a = rig.step(Op::Add, {x, y}), b = rig.step(Op::Add, {x, y});
  const Value c = rig.step(Op::Neg, {a}), d = rig.step(Op::Neg, {b});
  const Value swapped = rig.step(Op::Add, {y, x});
  rig.batch.roots = {c.id, d.id, swapped.id};
  const Batch merged = merge_common(rig.batch);
  EXPECT_EQ(ops_of(merged), (std::vector<Op>{Op::Add, Op::Neg, Op::Add}));
  ASSERT_EQ(merged.roots.size(), 3u);
  EXPECT_EQ(merged.roots[0], merged.roots[1]);
  EXPECT_NE(merged.roots[0], merged.roots[2]);
  const auto roots = rig.run_program();
  EXPECT_EQ(rig.values<float>(*roots[1]), (Floats{-4, -6}));
  EXPECT_EQ(rig.values<float>(*roots[2]), (Floats{4, 6}));
}

TEST(MergeCommon, KeepsApartWhatDiffers) {
  Rig rig;
  const Value x = rig.input({2, 2}, Floats{1, 2, 3, 4});
  const Value steps[] = {
      rig.step(Op::AddScalar, {x}, {1.0}),         rig.step(Op::AddScalar, {x}, {1.0}),
      rig.step(Op::SumDim, {x}, {0, 0}),           rig.step(Op::SumDim, {x}, {1, 0}),
      rig.step(Op::Reshape, {x}, {}, {4}),         rig.step(Op::Reshape, {x}, {}, {1, 4}),
      rig.step(Op::Cast, {x}, {}, {}, DType::F64), rig.step(Op::Cast, {x}, {}, {}, DType::I64)};
  for (const Value step : steps) rig.batch.roots.push_back(step.id);
  EXPECT_EQ(merge_common(rig.batch).steps.size(), std::size(steps));
}

TEST(Decompose, LeavesKernelsOnlyAndKeepsTypes) {
  Rig rig;
  const Value x = rig.input({2, 3}, Floats(6, 1)), w = rig.input({4, 3}, Floats(12, 1));
  const Value bias = rig.input({4}, Floats(4, 1)), target = rig.input<int64_t>({2}, {0, 3});
  const Value scaled = rig.step(Op::MulScalar, {rig.step(Op::Linear, {x, w, bias})}, {0.5});
  const Value loss = rig.step(Op::CrossEntropyLoss, {scaled, target});
  rig.batch.roots = {loss.id, scaled.id};
  const Batch flat = decompose(rig.batch);
  EXPECT_EQ(ops_of(flat), (std::vector<Op>{Op::T, Op::Matmul, Op::Add, Op::MulScalar,
                                           Op::LogSoftmax, Op::NllLoss}));
  EXPECT_EQ(flat.free_scalars, 1u);
  EXPECT_EQ(flat.values[flat.roots[0]].dtype, DType::F32);
  EXPECT_EQ(flat.values[flat.roots[0]].rank, 0);
}

TEST(Decompose, ConstantsLieBehindTheFreeScalars) {
  Rig rig;
  const Value x = rig.input({2, 2}, Floats{1, 2, 3, 4}), odds = rig.input({2, 2}, Floats(4, .5f));
  const Value scaled = rig.step(Op::MulScalar, {x}, {2.0});
  const Value first = rig.step(Op::CrossEntropyLoss, {scaled, odds});
  const Value second = rig.step(Op::CrossEntropyLoss, {scaled, odds});
  rig.batch.roots = {first.id, second.id};
  const Batch flat = decompose(rig.batch);
  EXPECT_EQ(flat.free_scalars, 1u);
  ASSERT_EQ(flat.scalars.size(), 2u);
  EXPECT_EQ(std::bit_cast<double>(flat.scalars[1]), 2.0);
  const Batch merged = merge_common(flat);
  EXPECT_EQ(merged.roots[0], merged.roots[1]);
  // Constants stay when a run changes the free scalar.
  auto program = rig.backend->compile(rig.batch);
  const int64_t zero[] = {std::bit_cast<int64_t>(0.0)};
  BufferRef roots[2];
  program->run(rig.inputs, zero, roots);
  EXPECT_NEAR(rig.values<float>(*roots[0])[0], std::log(2.0), 1e-6);
  EXPECT_GT(program->bytes(), 0u);
}

TEST(Decompose, TheOrderOfInputsStays) {
  Rig rig;
  const Value late = rig.input({1}, Floats{1}), early = rig.input({1}, Floats{10});
  const Value sum = rig.step(Op::AddScalar, {early}, {1.0});
  const Value both = rig.step(Op::Sub, {sum, late});
  rig.expect(both, {1}, Floats{10});
}

TEST(Extract, TakesOneStepWithItsScalars) {
  Rig rig;
  const Value x = rig.input({2}, Floats{1, 2});
  const Value a = rig.step(Op::AddScalar, {x}, {1.0});
  const Value b = rig.step(Op::AddScalar, {a}, {2.0});
  const Value c = rig.step(Op::Mul, {b, b});
  rig.batch.roots = {c.id};
  const Batch scalar = extract(rig.batch, 1);
  ASSERT_EQ(scalar.scalars.size(), 1u);
  EXPECT_EQ(std::bit_cast<double>(scalar.scalars[0]), 2.0);
  EXPECT_EQ(scalar.free_scalars, 1u);
  EXPECT_EQ(scalar.attributes[0], 0);
  const Batch product = extract(rig.batch, 2);
  EXPECT_EQ(product.values.size(), 2u);
  EXPECT_TRUE(product.is_input(0));
  EXPECT_EQ(product.roots, std::vector<uint32_t>{1});
}

TEST(LastUses, CountInputsUnusedResultsAndRoots) {
  Rig rig;
  const Value x = rig.input({1}, Floats{1}), y = rig.input({1}, Floats{2});
  const Value sum = rig.step(Op::Add, {x, y});
  const Value unused = rig.step(Op::Neg, {sum});
  const Value root = rig.step(Op::Mul, {sum, y});
  rig.batch.roots = {root.id};
  const LastUses uses = last_uses(rig.batch);
  const auto after = [&](uint32_t step) {
    const auto values = uses.after(step);
    return std::vector<uint32_t>(values.begin(), values.end());
  };
  EXPECT_EQ(after(0), std::vector<uint32_t>{x.id});
  EXPECT_EQ(after(1), std::vector<uint32_t>{unused.id});
  EXPECT_EQ(after(2), (std::vector<uint32_t>{y.id, sum.id}));
}

TEST(BlockProgram, LongProgramsGiveTheBitsOfSingleOps) {
  constexpr int64_t kRows = 37, kColumns = 301;
  Rig rig;
  Floats numbers(kRows * kColumns), row(kColumns);
  for (size_t i = 0; i < numbers.size(); ++i) numbers[i] = std::sin(static_cast<float>(i)) * 3;
  for (size_t i = 0; i < row.size(); ++i) row[i] = std::cos(static_cast<float>(i));
  const Value x = rig.input({kRows, kColumns}, numbers), bias = rig.input({kColumns}, row);
  const Value ten = rig.input<int64_t>({}, {10});
  const Value sum = rig.step(Op::Add, {x, bias});
  const Value bent = rig.step(Op::Tanh, {sum});
  const Value ints =
      rig.step(Op::Cast, {rig.step(Op::MulScalar, {bent}, {9.5})}, {}, {}, DType::I64);
  const Value both = rig.step(Op::Mul, {ints, ten});
  const auto values = rig.run_steps();

  // Registers: x, bias, ten; the sum, tanh, scaled, cast, times ten.
  cpu::BlockProgram program;
  for (const DType dtype : {DType::F32, DType::F32, DType::I64, DType::F32, DType::F32, DType::F32,
                            DType::I64, DType::I64})
    program.registers.push_back(dtype);
  program.code = {{Op::Add, 3, {0, 1}, 0},
                  {Op::Tanh, 4, {3, 0}, 0},
                  {Op::MulScalar, 5, {4, 0}, 0},
                  {Op::Cast, 6, {5, 0}, 0},
                  {Op::Mul, 7, {6, 2}, 0}};
  program.outputs = {4, 7};
  const int64_t sizes[] = {kRows, kColumns};
  const Strides full{kColumns, 1}, broadcast{0, 1}, same{0, 0};
  const cpu::ElementSource sources[] = {{rig.inputs[0]->data(), DType::F32, full},
                                        {rig.inputs[1]->data(), DType::F32, broadcast},
                                        {rig.inputs[2]->data(), DType::I64, same}};
  for (const int threads : {1, 3}) {
    Floats first(numbers.size());
    std::vector<int64_t> second(numbers.size());
    char* const outputs[] = {reinterpret_cast<char*>(first.data()),
                             reinterpret_cast<char*>(second.data())};
    cpu::run_blocks(program, sizes, sources, rig.batch.scalars, outputs, cpu::own_team(threads));
    EXPECT_TRUE(first == rig.values<float>(*values[bent.id]));
    EXPECT_TRUE(second == rig.values<int64_t>(*values[both.id]));
  }
}

TEST(BlockProgram, WhatIsTheSameForAllIsComputedOnce) {
  const float a = 2, b = 3;
  cpu::BlockProgram program;
  program.registers.resize(3, DType::F32);
  program.code = {{Op::Mul, 2, {0, 1}, 0}};
  program.outputs = {2};
  const int64_t sizes[] = {2, 300};
  const Strides none{0, 0};
  const cpu::ElementSource sources[] = {{reinterpret_cast<const char*>(&a), DType::F32, none},
                                        {reinterpret_cast<const char*>(&b), DType::F32, none}};
  Floats out(600);
  char* const outputs[] = {reinterpret_cast<char*>(out.data())};
  cpu::run_blocks(program, sizes, sources, {}, outputs, {});
  EXPECT_EQ(out, Floats(600, 6));
}

}  // namespace
}  // namespace rt::test
