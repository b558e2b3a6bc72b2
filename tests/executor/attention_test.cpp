// attention_test.cpp -- attention strip by strip gives the bits of its steps, and keeps no scores.
#include "fallback_cpu/attention.h"

#include "graph/batch/fuse.h"
#include "graph/batch/passes.h"
#include "tests/executor/reference_rig.h"

namespace rt::test {
namespace {

template <class T>
std::vector<T> waves(int64_t count, double phase) {
  std::vector<T> made(static_cast<size_t>(count));
  for (size_t i = 0; i < made.size(); ++i)
    made[i] = static_cast<T>(3 * std::sin(phase + 0.37 * static_cast<double>(i % 10007)));
  return made;
}

/// softmax(scale * query key^T + mask) value, over two batches of two heads.
struct Parts {
  int64_t rows = 128, columns = 1024, depth = 24, width = 16;
  bool scaled = true, kept = false, turned = true, strided = false;
  Shape mask;  ///< empty: there is none
};

template <class T>
Value attention(Rig& rig, const Parts& parts) {
  const auto tensor = [&](int64_t rows, int64_t columns, double phase) {
    const std::vector<T> numbers = waves<T>(4 * rows * columns, phase);
    if (!parts.strided) return rig.input<T>({2, 2, rows, columns}, numbers);
    // Heads lie side by side in each row, as a projection gives them.
    return rig.strided<T>(numbers, {Shape{2, 2, rows, columns},
                                    Strides{rows * 2 * columns, columns, 2 * columns, 1}, 0});
  };
  const Value query = tensor(parts.rows, parts.depth, 0);
  const Value key = parts.turned
                        ? rig.step(Op::Transpose, {tensor(parts.columns, parts.depth, 1)}, {2, 3})
                        : tensor(parts.depth, parts.columns, 1);
  const Value value = tensor(parts.columns, parts.width, 2);
  const Value product = rig.step(Op::Matmul, {query, key});
  Value scores = product;
  if (parts.scaled) scores = rig.step(Op::MulScalar, {scores}, {0.2});
  if (!parts.mask.empty()) {
    std::vector<T> mask = waves<T>(numel(parts.mask), 3);
    for (size_t i = 0; i < mask.size(); i += 3) mask[i] = -std::numeric_limits<T>::infinity();
    scores = rig.step(Op::Add, {scores, rig.input<T>(parts.mask, mask)});
  }
  const Value shares = rig.step(Op::Softmax, {scores}, {3});
  const Value result = rig.step(Op::Matmul, {shares, value});
  return parts.kept ? rig.step(Op::Add, {rig.step(Op::Sum, {result}), rig.step(Op::Sum, {shares})})
                    : result;
}

size_t joined(const Rig& rig) {
  Batch fused = fuse(rig.batch, 1);
  return cpu::Attention::join(fused).size();
}

TEST(Attention, HasTheBitsOfItsSteps) {
  std::vector<Parts> cases(10);
  cases[1].scaled = false;
  cases[2].mask = {128, 1024};
  cases[3].mask = {2, 1, 1, 1024};
  cases[4].mask = {2, 2, 128, 1};
  cases[5].turned = false;
  cases[6].strided = true;
  cases[7].rows = 131;  // a prime, so that there is one strip
  cases[8].rows = 390;
  cases[8].columns = 700;
  cases[8].mask = {390, 700};
  cases[9].width = 1;
  for (const Parts& parts : cases)
    for (const int threads : {1, 3}) {
      SCOPED_TRACE(testing::Message()
                   << "case " << &parts - cases.data() << ", threads " << threads);
      Rig floats(threads), doubles(threads);
      floats.run(attention<float>(floats, parts));
      EXPECT_EQ(joined(floats), 1u);
      doubles.run(attention<double>(doubles, parts));
      EXPECT_EQ(joined(doubles), 1u);
    }
}

TEST(Attention, TwoOfABatchAreBothComputedByStrips) {
  Rig rig;
  Parts parts;
  parts.mask = {128, 1024};
  const Value one = attention<float>(rig, parts), other = attention<float>(rig, parts);
  rig.run(rig.step(Op::Sub, {one, rig.step(Op::MulScalar, {other}, {0.5})}));
  EXPECT_EQ(joined(rig), 2u);
}

TEST(Attention, IsLeftAsItIsWhereItsPartsAreReadOrSmall) {
  Rig read, small;
  Parts parts;
  parts.kept = true;
  read.run(attention<float>(read, parts));
  EXPECT_EQ(joined(read), 0u);
  parts = {};
  parts.columns = 128;
  small.run(attention<float>(small, parts));
  EXPECT_EQ(joined(small), 0u);
}

/// The row, with a mask of numbers, a bool mask or a causal one.
enum class Mask { None, Numbers, Bools, Causal };
Value attention_row(Rig& rig, Mask mask) {
  constexpr int64_t kRows = 256, kColumns = 1024;
  const auto tensor = [&](int64_t rows, double phase) {
    return rig.input<float>({2, 2, rows, 16}, waves<float>(4 * rows * 16, phase));
  };
  const Value query = tensor(kRows, 0), key = tensor(kColumns, 1), value = tensor(kColumns, 2);
  Value given = kNone;
  if (mask == Mask::Numbers || mask == Mask::Bools) {
    const float hidden = mask == Mask::Bools ? 0 : -kInf;
    std::vector<float> numbers(kRows * kColumns, mask == Mask::Bools ? 1.0F : 0.0F);
    for (size_t i = 0; i < numbers.size(); i += 3) numbers[i] = hidden;
    std::fill_n(numbers.begin() + 5 * kColumns, kColumns, hidden);  // a query that sees nothing
    given = rig.input<float>({kRows, kColumns}, numbers);
    if (mask == Mask::Bools) given = rig.step(Op::Cast, {given}, {}, {}, DType::Bool);
  }
  return rig.step(Op::ScaledDotProductAttention, {query, key, value, given},
                  {std::nan(""), mask == Mask::Causal ? 1 : 0});
}

TEST(Attention, IsFoundInTheCompositionOfItsRow) {
  for (const Mask mask : {Mask::None, Mask::Numbers, Mask::Bools, Mask::Causal}) {
    SCOPED_TRACE(testing::Message() << "mask " << static_cast<int>(mask));
    Rig rig;
    rig.run(attention_row(rig, mask));
    Batch parts = fuse(merge_common(decompose(rig.batch)), 1);
    EXPECT_EQ(cpu::Attention::join(parts).size(), 1u);
  }
}

TEST(Attention, OfABoolMaskIsThatOfNumbers) {
  Rig bools, numbers;
  const BufferRef left = bools.run(attention_row(bools, Mask::Bools));
  const BufferRef right = numbers.run(attention_row(numbers, Mask::Numbers));
  EXPECT_EQ(bools.bytes(*left), numbers.bytes(*right));
  for (const float number : numbers.values<float>(*right)) ASSERT_FALSE(std::isnan(number));
}

TEST(Attention, KeepsNoScores) {
  Rig rig;
  Parts parts;
  parts.rows = parts.columns = 1024;
  rig.batch.roots = {attention<float>(rig, parts).id};
  const int64_t before = rig.memory.live;
  rig.memory.peak = before;
  const std::vector<BufferRef> result = rig.run_program();
  const int64_t scores = int64_t{4} * 1024 * 1024 * 4;
  EXPECT_LT(rig.memory.peak - before, scores / 8);
}

}  // namespace
}  // namespace rt::test
