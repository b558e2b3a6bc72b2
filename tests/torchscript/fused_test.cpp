// fused_test.cpp -- groups as operators of libtorch's graphs, against the same graphs without them.
#include "executor/libtorch.h"
#include "tests/executor/reference_rig.h"

namespace rt::test {
namespace {

using Floats = std::vector<float>;

/// A product between two groups, one of which has a sum and takes a transposed operand.
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
    Rig rig(make_libtorch_backend(memory, 2, "", fuse));
    for (const Value root : build(rig)) rig.batch.roots.push_back(root.number);
    const auto program = rig.backend->compile(rig.batch);
    EXPECT_EQ(program->fused().groups, fuse ? 2 : 0);
    EXPECT_EQ(program->fused().steps, fuse ? 6 : 0);
    for (int run = 0; run < 2; ++run) {  // the second with what the first has left behind
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

TEST(Fused, ScalarsAreThoseOfTheRun) {
  MemoryCount memory;
  Rig rig(make_libtorch_backend(memory, 1, ""));
  const Value x = rig.input({2}, Floats{1, 2});
  const Value y = rig.step(Op::AddScalar, {rig.step(Op::MulScalar, {x}, {2.0})}, {1.0});
  rig.batch.roots = {y.number};
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
