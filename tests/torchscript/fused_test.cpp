// fused_test.cpp -- compares libtorch's graphs with fused groups with graphs without them.
#include <thread>

#include "executor/libtorch/libtorch.h"
#include "tests/executor/reuse_cases.h"

namespace rt::test {
namespace {

using Floats = std::vector<float>;

/// A product between two groups; one group has a sum and a transposed operand.
std::vector<Value> build(Rig& rig) {
  Floats numbers(70 * 70);
  for (size_t i = 0; i < numbers.size(); ++i) numbers[i] = std::sin(static_cast<float>(i));
  const Value x = rig.input({70, 70}, numbers);
  const Value turned = rig.strided<float>(numbers, {Shape{70, 70}, Strides{1, 70}, 0});
  const Value row = rig.input({70}, Floats(numbers.begin(), numbers.begin() + 70));
  const Value a = rig.step(Op::Tanh, {rig.step(Op::Add, {x, turned})});
  const Value product = rig.step(Op::Matmul, {a, rig.step(Op::T, {a})});
  const Value b = rig.step(Op::MulScalar, {rig.step(Op::Add, {product, row})}, {0.125});
  const Value positive = rig.step(Op::Relu, {b});
  return {a, positive, rig.step(Op::Mean, {positive})};
}

TEST(Fused, GroupsGiveWhatSingleOperatorsGive) {
  MemoryCount memory;
  std::vector<Floats> results[2];
  for (const bool fuse : {false, true}) {
    Rig rig(make_libtorch_backend(memory, 2, "", {.fuse = fuse}));
    for (const Value root : build(rig)) rig.batch.roots.push_back(root.id);
    const auto program = rig.backend->compile(rig.batch);
    EXPECT_EQ(program->fused().groups, fuse ? 2 : 0);
    EXPECT_EQ(program->fused().steps, fuse ? 6 : 0);
    for (int run = 0; run < 2; ++run) {  // the second run finds the state that the first one left
      results[fuse].clear();
      std::vector<BufferRef> roots(rig.batch.roots.size());
      program->run(rig.inputs, rig.batch.scalars, roots);
      for (const BufferRef& root : roots) results[fuse].push_back(rig.values<float>(*root));
    }
  }
  for (size_t root = 0; root < results[0].size(); ++root)
    for (size_t i = 0; i < results[0][root].size(); ++i)
      ASSERT_NEAR(results[1][root][i], results[0][root][i],
                  1e-5 + 1.3e-6 * std::abs(results[0][root][i]))
          << "root " << root << ", element " << i;
}

TEST(Fused, ReuseOfMemoryDoesNotShow) {
  for (const ReuseCase& each : kReuseCases) {
    SCOPED_TRACE(each.name);
    MemoryCount memory;
    std::vector<std::vector<char>> results[2], inputs[2];
    for (const bool reuse : {false, true}) {
      Rig rig(make_libtorch_backend(memory, 2, "", {.reuse = reuse}));
      build(each, rig);
      const auto program = rig.backend->compile(rig.batch);
      std::vector<BufferRef> roots(rig.batch.roots.size());
      program->run(std::vector(rig.inputs), rig.batch.scalars, roots);
      for (const BufferRef& root : roots) results[reuse].push_back(rig.bytes(*root));
      for (const BufferRef& input : rig.inputs) inputs[reuse].push_back(rig.bytes(*input));
    }
    EXPECT_TRUE(results[0] == results[1]);
    EXPECT_TRUE(inputs[0] == inputs[1]);
  }
}

TEST(Fused, ResultsLieOverInputsThatOnlyTheProgramHas) {
  expect_over_inputs([](MemoryCount& memory, Optimizations use) {
    return make_libtorch_backend(memory, 2, "", use);
  });
}

/// A program owns memory for small products and sums, but not for those that leave it as roots.
TEST(Fused, PlannedMemoryIsOfOneRun) {
  MemoryCount memory;
  Rig rig(make_libtorch_backend(memory, 1, ""));
  Floats numbers(64 * 64);  // so large that libtorch computes the products, see kernel_choice.h
  for (size_t i = 0; i < numbers.size(); ++i) numbers[i] = std::cos(static_cast<float>(i));
  const Value x = rig.input({64, 64}, numbers);
  const Value first = rig.step(Op::Matmul, {x, x}), second = rig.step(Op::Matmul, {first, x});
  const Value third = rig.step(Op::Matmul, {second, first});
  const Value seen = rig.step(Op::Matmul, {third, x});  // a view of it is a root
  const Value sums = rig.step(Op::SumDim, {third}, {1, 0});
  // The inverse keeps the batch on libtorch, see kernel_choice.h.
  for (const Value root :
       {rig.step(Op::Inverse, {x}), third, rig.step(Op::T, {seen}), rig.step(Op::Relu, {sums})})
    rig.batch.roots.push_back(root.id);
  std::sort(rig.batch.roots.begin(), rig.batch.roots.end());
  const auto run = [&](Program& program, float factor) {
    Floats scaled = numbers;
    for (float& number : scaled) number *= factor;
    const BufferRef inputs[] = {rig.buffer<float>(Shape{64, 64}, scaled)};
    std::vector<BufferRef> roots(rig.batch.roots.size());
    program.run(inputs, rig.batch.scalars, roots);
    return roots;
  };
  const auto bytes = [&](const std::vector<BufferRef>& roots) {
    std::vector<std::vector<char>> list;
    for (const BufferRef& root : roots) list.push_back(rig.bytes(*root));
    return list;
  };
  const auto program = rig.backend->compile(rig.batch);
  const auto without = make_libtorch_backend(memory, 1, "", {.reuse = false});
  const auto plain = without->compile(rig.batch);
  EXPECT_GT(program->bytes(), plain->bytes());  // the program owns the memory
  const auto once = run(*program, 1), twice = run(*program, 2);
  EXPECT_EQ(bytes(once), bytes(run(*plain, 1)));
  EXPECT_EQ(bytes(twice), bytes(run(*plain, 2)));
  // Concurrent runs must not share it.
  std::vector<std::thread> threads;
  for (int i = 1; i <= 4; ++i)
    threads.emplace_back([&, i] {
      const auto wanted = bytes(run(*plain, static_cast<float>(i)));
      for (int k = 0; k < 100; ++k) ASSERT_EQ(bytes(run(*program, static_cast<float>(i))), wanted);
    });
  for (std::thread& thread : threads) thread.join();
  rig.inputs.clear();
}

TEST(Fused, ScalarsAreThoseOfTheRun) {
  MemoryCount memory;
  Rig rig(make_libtorch_backend(memory, 1, ""));
  const Value x = rig.input({2}, Floats{1, 2});
  const Value y = rig.step(Op::AddScalar, {rig.step(Op::MulScalar, {x}, {2.0})}, {1.0});
  rig.batch.roots = {y.id};
  const auto program = rig.backend->compile(rig.batch);
  for (const double factor : {2.0, 5.0}) {
    const int64_t scalars[] = {std::bit_cast<int64_t>(factor), std::bit_cast<int64_t>(-1.0)};
    BufferRef root;
    program->run(rig.inputs, scalars, {&root, 1});
    const auto by = static_cast<float>(factor);
    EXPECT_EQ(rig.values<float>(*root), (Floats{by - 1, 2 * by - 1}));
  }
}

}  // namespace
}  // namespace rt::test
