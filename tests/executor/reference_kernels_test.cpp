// reference_kernels_test.cpp -- each family of the reference backend's kernels against literal
// values.
#include "tests/executor/reference_rig.h"

namespace rt::test {
namespace {

using Floats = std::vector<float>;
using Ints = std::vector<int64_t>;
using Shorts = std::vector<int32_t>;
using Bools = std::vector<bool>;

TEST(ReferenceElementwise, BroadcastsOperandsOfAnyLayout) {
  Rig rig;
  const Value matrix = rig.input({2, 3}, Floats{1, 2, 3, 4, 5, 6});
  const Value row = rig.input({3}, Floats{10, 20, 30});
  const Value column = rig.input({2, 1}, Floats{100, 200});
  const Value number = rig.input({}, Floats{0.5});
  const Value turned = rig.strided(Floats{1, 4, 2, 5, 3, 6}, {{2, 3}, {1, 2}, 0});
  rig.expect(rig.step(Op::Add, {matrix, row}), {2, 3}, Floats{11, 22, 33, 14, 25, 36});
  rig.expect(rig.step(Op::Sub, {column, row}), {2, 3}, Floats{90, 80, 70, 190, 180, 170});
  rig.expect(rig.step(Op::Mul, {matrix, number}), {2, 3}, Floats{.5, 1, 1.5, 2, 2.5, 3});
  rig.expect(rig.step(Op::Div, {number, number}), {}, Floats{1});
  rig.expect(rig.step(Op::Sub, {matrix, turned}), {2, 3}, Floats{0, 0, 0, 0, 0, 0});
  rig.expect(rig.step(Op::Add, {turned, column}), {2, 3}, Floats{101, 102, 103, 204, 205, 206});
}

TEST(ReferenceElementwise, LongRowsOfAllStridesMeet) {
  constexpr int64_t kRows = 3, kColumns = 700;
  Rig rig;
  Floats numbers(2 * kRows * kColumns);
  for (size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<float>(i);
  const Value second = rig.strided(numbers, {{kRows, kColumns}, {2 * kColumns, 2}, 1});
  const Value turned = rig.strided(numbers, {{kRows, kColumns}, {1, kRows}, 0});
  const Value same = rig.strided(numbers, {{kRows, kColumns}, {1, 0}, 5});
  Floats wanted;
  for (int64_t r = 0; r < kRows; ++r)
    for (int64_t c = 0; c < kColumns; ++c)
      wanted.push_back(
          static_cast<float>((2 * r * kColumns + 2 * c + 1 + r + c * kRows) * (r + 5)));
  rig.expect(rig.step(Op::Mul, {rig.step(Op::Add, {second, turned}), same}), {kRows, kColumns},
             wanted);
}

TEST(ReferenceElementwise, EmptyScalarAndSevenDimensions) {
  Rig rig;
  const Value empty = rig.input({0, 3}, Floats{});
  rig.expect(rig.step(Op::Add, {empty, rig.input({3}, Floats{1, 2, 3})}), {0, 3}, Floats{});
  Floats ramp(2 * 3 * 2 * 3);
  for (size_t i = 0; i < ramp.size(); ++i) ramp[i] = static_cast<float>(i);
  const Value seven = rig.input({1, 2, 1, 3, 2, 1, 3}, ramp);
  const Value turned = rig.step(Op::Permute, {seven}, {7, 6, 5, 4, 3, 2, 1, 0});
  Floats wanted;
  for (int c = 0; c < 3; ++c)
    for (int b = 0; b < 2; ++b)
      for (int a = 0; a < 3; ++a)
        for (int z = 0; z < 2; ++z)
          wanted.push_back(static_cast<float>(z * 18 + a * 6 + b * 3 + c));
  rig.expect(turned, {3, 1, 2, 3, 1, 2, 1}, wanted);
  for (float& value : wanted) value *= 2;
  rig.expect(rig.step(Op::Add, {turned, turned}), {3, 1, 2, 3, 1, 2, 1}, wanted);
}

TEST(ReferenceElementwise, IntegersWrapAndBoolsAreLogic) {
  Rig rig;
  const Value big = rig.input<int64_t>({2}, {INT64_MAX, INT64_MIN});
  const Value one = rig.input<int64_t>({2}, {1, -1});
  rig.expect(rig.step(Op::Add, {big, one}), {2}, Ints{INT64_MIN, INT64_MAX});
  rig.expect(rig.step(Op::Neg, {big}), {2}, Ints{-INT64_MAX, INT64_MIN});
  rig.expect(rig.step(Op::Abs, {big}), {2}, Ints{INT64_MAX, INT64_MIN});
  const Value small = rig.input<int32_t>({2}, {INT32_MIN, 46341});
  rig.expect(rig.step(Op::Mul, {small, small}), {2}, Shorts{0, -2147479015});
  rig.expect(rig.step(Op::Relu, {small}), {2}, Shorts{0, 46341});
  rig.expect(rig.step(Op::Sub, {small, small}), {2}, Shorts{0, 0});
  const Value truth = rig.input<bool>({4}, {false, false, true, true});
  const Value other = rig.input<bool>({4}, {false, true, false, true});
  rig.expect(rig.step(Op::Add, {truth, other}), {4}, Bools{false, true, true, true});
  rig.expect(rig.step(Op::Mul, {truth, other}), {4}, Bools{false, false, false, true});
}

TEST(ReferenceElementwise, ConvertsToTheComputedType) {
  Rig rig;
  const Value ints = rig.input<int64_t>({3}, {7, -2, 0});
  const Value floats = rig.input({3}, Floats{2, 4, 0});
  const Value truth = rig.input<bool>({3}, {true, false, true});
  rig.expect(rig.step(Op::Div, {ints, ints}), {3}, Floats{1, 1, kNaN});
  rig.expect(rig.step(Op::Div, {ints, floats}), {3}, Floats{3.5, -.5, kNaN});
  rig.expect(rig.step(Op::Add, {ints, truth}), {3}, Ints{8, -2, 1});
  rig.expect(rig.step(Op::AddScalar, {ints}, {0.5}), {3}, Floats{7.5, -1.5, .5});
  // A scalar is rounded to f32 before it is combined with an f32 tensor.
  rig.expect(rig.step(Op::MulScalar, {floats}, {1e300}), {3}, Floats{kInf, kInf, kNaN});
}

TEST(ReferenceElementwise, Functions) {
  Rig rig;
  const Value x = rig.input({6}, Floats{-2, -0.5, 0, 1, kNaN, kInf});
  const double close = 1e-6;
  rig.expect(rig.step(Op::Relu, {x}), {6}, Floats{0, 0, 0, 1, kNaN, kInf});
  rig.expect(rig.step(Op::LeakyRelu, {x}, {0.1}), {6}, Floats{-.2f, -.05f, 0, 1, kNaN, kInf});
  rig.expect(rig.step(Op::Sqrt, {x}), {6}, Floats{kNaN, kNaN, 0, 1, kNaN, kInf});
  rig.expect(rig.step(Op::Log, {x}), {6}, Floats{kNaN, kNaN, -kInf, 0, kNaN, kInf});
  rig.expect(rig.step(Op::Exp, {x}), {6}, Floats{.13533528f, .60653066f, 1, 2.7182818f, kNaN, kInf},
             close);
  rig.expect(rig.step(Op::Sigmoid, {x}), {6},
             Floats{.11920292f, .37754067f, .5, .73105858f, kNaN, 1}, close);
  rig.expect(rig.step(Op::Tanh, {x}), {6}, Floats{-.96402758f, -.46211716f, 0, .76159416f, kNaN, 1},
             close);
  rig.expect(rig.step(Op::Gelu, {x}), {6},
             Floats{-.04550026f, -.15426877f, 0, .84134475f, kNaN, kInf}, close);
}

TEST(ReferenceElementwise, PowersThatAreExact) {
  Rig rig;
  const Value x = rig.input({3}, Floats{3, .1f, -4});
  const float tenth = .1f;
  rig.expect(rig.step(Op::Pow, {x}, {2.0}), {3}, Floats{9, tenth * tenth, 16});
  rig.expect(rig.step(Op::Pow, {x}, {3.0}), {3}, Floats{27, tenth * tenth * tenth, -64});
  rig.expect(rig.step(Op::Pow, {x}, {0.5}), {3}, Floats{std::sqrt(3.f), std::sqrt(tenth), kNaN});
  rig.expect(rig.step(Op::Pow, {x}, {-0.5}), {3},
             Floats{1 / std::sqrt(3.f), 1 / std::sqrt(tenth), kNaN});
  rig.expect(rig.step(Op::Pow, {x}, {-1.0}), {3}, Floats{1 / 3.f, 1 / tenth, -.25});
  rig.expect(rig.step(Op::Pow, {x}, {-2.0}), {3}, Floats{1 / 9.f, 1 / (tenth * tenth), .0625});
  rig.expect(rig.step(Op::Pow, {x}, {0.0}), {3}, Floats{1, 1, 1});
  rig.expect(rig.step(Op::Pow, {x}, {1.0}), {3}, Floats{3, tenth, -4});
  rig.expect(rig.step(Op::Pow, {x}, {1.5}), {3}, Floats{5.196152f, .03162278f, kNaN}, 1e-6);
}

TEST(ReferenceCast, TruncatesWrapsAndRounds) {
  Rig rig;
  const Value x = rig.input({5}, Floats{1.9f, -1.9f, 0, 1e30f, kNaN});
  rig.expect(rig.step(Op::Cast, {x}, {}, {}, DType::I32), {5},
             Shorts{1, -1, 0, INT32_MIN, INT32_MIN});
  rig.expect(rig.step(Op::Cast, {x}, {}, {}, DType::I64), {5},
             Ints{1, -1, 0, INT64_MIN, INT64_MIN});
  rig.expect(rig.step(Op::Cast, {x}, {}, {}, DType::Bool), {5},
             Bools{true, true, false, true, true});
  const Value wide = rig.input<int64_t>({3}, {int64_t{1} << 32 | 5, -1, 0});
  rig.expect(rig.step(Op::Cast, {wide}, {}, {}, DType::I32), {3}, Shorts{5, -1, 0});
  const Value half = rig.step(Op::Cast, {x}, {}, {}, DType::F16);
  rig.expect(rig.step(Op::Cast, {half}, {}, {}, DType::F32), {5},
             Floats{1.9003906f, -1.9003906f, 0, kInf, kNaN});
}

TEST(ReferenceCast, SixteenBitFloatsRoundToEven) {
  for (const auto& [value, bits] : std::vector<std::pair<float, int>>{{0.f, 0},
                                                                      {-0.f, 0x8000},
                                                                      {1.f, 0x3c00},
                                                                      {65504.f, 0x7bff},
                                                                      {65519.f, 0x7bff},
                                                                      {65520.f, 0x7c00},
                                                                      {1e9f, 0x7c00},
                                                                      {0x1p-24f, 1},
                                                                      {0x1p-25f, 0},
                                                                      {0x1.8p-24f, 2},
                                                                      {0x1p-14f, 0x0400},
                                                                      {0x1.ff8p-15f, 0x3ff},
                                                                      {1.00048828125f, 0x3c00},
                                                                      {1.00146484375f, 0x3c02},
                                                                      {kInf, 0x7c00},
                                                                      {kNaN, 0x7e00}})
    EXPECT_EQ(cpu::to_half(value).bits, bits) << value;
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const cpu::Half half{static_cast<uint16_t>(bits)};
    const float from_half = cpu::to_float(half);
    if (!std::isnan(from_half)) {
      ASSERT_EQ(cpu::to_half(from_half).bits, bits);
    }
    const cpu::BFloat16 brain{static_cast<uint16_t>(bits)};
    const float from_brain = cpu::to_float(brain);
    if (!std::isnan(from_brain)) {
      ASSERT_EQ(cpu::to_bfloat16(from_brain).bits, bits);
    }
  }
  EXPECT_EQ(cpu::to_bfloat16(1.00390625f).bits, 0x3f80);
  EXPECT_EQ(cpu::to_bfloat16(1.01171875f).bits, 0x3f82);
}

TEST(ReferenceHalves, AreComputedInF32AndRounded) {
  constexpr size_t kMany = 70000;
  for (const DType dtype : {DType::F16, DType::BF16}) {
    Rig rig;
    const auto halves = [&](Shape sizes, const Floats& numbers) {
      return rig.step(Op::Cast, {rig.input(sizes, numbers)}, {}, {}, dtype);
    };
    const auto expect = [&](Value result, Shape sizes, const Floats& numbers) {
      EXPECT_EQ(rig.batch.values[result.id].dtype, dtype);
      rig.expect(rig.step(Op::Cast, {result}, {}, {}, DType::F32), sizes, numbers);
    };
    const Value few = halves({2, 2}, {1, 2, 4, 8});
    expect(rig.step(Op::Add, {few, few}), {2, 2}, {2, 4, 8, 16});
    expect(rig.step(Op::Matmul, {few, few}), {2, 2}, {9, 18, 36, 72});
    expect(rig.step(Op::Mean, {halves({kMany}, Floats(kMany, 1))}), {}, {1});
    rig.expect(rig.step(Op::Argmax, {few}, {-1, 0}), {}, Ints{3});
    rig.expect(rig.step(Op::Eq, {few, few}), {2, 2}, Bools{true, true, true, true});
  }
}

TEST(ReferenceView, SharesStorageWhereStridesAllow) {
  Rig rig;
  const Value x = rig.input({2, 3}, Floats{1, 2, 3, 4, 5, 6});
  const auto shares = [&](Value view) {
    return rig.run(view)->storage().get() == rig.inputs[0]->storage().get();
  };
  const Value turned = rig.step(Op::T, {x});
  EXPECT_TRUE(shares(turned));
  EXPECT_TRUE(shares(rig.step(Op::Reshape, {x}, {}, {3, 2})));
  EXPECT_TRUE(shares(rig.step(Op::Unsqueeze, {turned}, {1})));
  EXPECT_TRUE(shares(rig.step(Op::Contiguous, {x})));
  EXPECT_FALSE(shares(rig.step(Op::Contiguous, {turned})));
  EXPECT_FALSE(shares(rig.step(Op::Clone, {x})));
  rig.expect(turned, {3, 2}, Floats{1, 4, 2, 5, 3, 6});
  rig.expect(rig.step(Op::Flatten, {turned}), {6}, Floats{1, 4, 2, 5, 3, 6});
  rig.expect(rig.step(Op::Slice, {x}, {1, 3, 1, 2}), {2, 1}, Floats{2, 5});
  rig.expect(rig.step(Op::Slice, {turned}, {-2, 9, 0, 1}), {2, 2}, Floats{2, 5, 3, 6});
}

TEST(ReferenceCopy, BigTransposesAndTheirTypes) {
  constexpr int64_t kRows = 70, kColumns = 131;
  Rig rig;
  Floats numbers(kRows * kColumns);
  for (size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<float>(i);
  const Value turned = rig.step(Op::T, {rig.input({kRows, kColumns}, numbers)});
  Floats wanted;
  for (int64_t c = 0; c < kColumns; ++c)
    for (int64_t r = 0; r < kRows; ++r) wanted.push_back(static_cast<float>(r * kColumns + c));
  rig.expect(rig.step(Op::Contiguous, {turned}), {kColumns, kRows}, wanted);
  rig.expect(rig.step(Op::Cast, {turned}, {}, {}, DType::I64), {kColumns, kRows},
             Ints(wanted.begin(), wanted.end()));
  rig.expect(rig.step(Op::Stack, {turned, turned}, {2}), {kColumns, kRows, 2}, [&] {
    Floats twice;
    for (float value : wanted) twice.insert(twice.end(), 2, value);
    return twice;
  }());
}

}  // namespace
}  // namespace rt::test
