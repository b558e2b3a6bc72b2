// reference_create_test.cpp -- creation, random numbers, indexing, joining and losses of the
// reference backend.
#include "tests/executor/reference_rig.h"

namespace rt::test {
namespace {

using Floats = std::vector<float>;
using Doubles = std::vector<double>;
using Ints = std::vector<int64_t>;
using Shorts = std::vector<int32_t>;

TEST(ReferenceCreate, Ranges) {
  Rig rig;
  rig.expect(rig.step(Op::Full, {}, {2.5}, {2}), {2}, Floats{2.5, 2.5});
  rig.expect(rig.step(Op::Full, {}, {1.0}, {1, 2}, DType::Bool), {1, 2},
             std::vector<bool>{true, true});
  rig.expect(rig.step(Op::Full, {}, {7.0}, {}, DType::I64), {}, Ints{7});
  rig.expect(rig.step(Op::Arange, {}, {0.0, 1.0, 0.1}), {10},
             Floats{0, .1f, .2f, .3f, .4f, .5f, .6f, .7f, .8f, .9f}, 1e-7);
  rig.expect(rig.step(Op::Arange, {}, {3.0, 0.0, -1.5}, {}, DType::F64), {2}, Doubles{3, 1.5});
  rig.expect(rig.step(Op::ArangeInt, {}, {5, -2, -3}, {}, DType::I64), {3}, Ints{5, 2, -1});
  rig.expect(rig.step(Op::Linspace, {}, {0.0, 1.0, 7}), {7},
             Floats{0, 1 / 6.f, 1 / 3.f, .5, 2 / 3.f, 5 / 6.f, 1}, 1e-7);
  rig.expect(rig.step(Op::Linspace, {}, {4.0, 9.0, 1}), {1}, Floats{4});
  rig.expect(rig.step(Op::Linspace, {}, {4.0, 9.0, 0}), {0}, Floats{});
  rig.expect(rig.step(Op::Eye, {}, {2}), {2, 2}, Floats{1, 0, 0, 1});
  rig.expect(rig.step(Op::Eye, {}, {0}), {0, 0}, Floats{});
}

// The expected numbers are those of PyTorch for these seeds.
TEST(ReferenceRandom, DrawsWhatPyTorchDraws) {
  const auto drawn = [](Op op, DType dtype, int64_t n, uint64_t seed) {
    Rig rig;
    rig.backend->seed(seed);
    const BufferRef result = rig.run(rig.step(op, {}, {}, {n}, dtype));
    Doubles values(static_cast<size_t>(n));
    rig.backend->to_host(*result, DType::F64, values.data());
    return values;
  };
  const auto near = [](const Doubles& got, size_t from, const Doubles& wanted, double tolerance) {
    for (size_t i = 0; i < wanted.size(); ++i) EXPECT_NEAR(got[from + i], wanted[i], tolerance);
  };
  near(drawn(Op::Rand, DType::F32, 4, 0), 0,
       {0.49625658988952637, 0.7682217955589294, 0.08847743272781372, 0.13203048706054688}, 0);
  near(drawn(Op::Rand, DType::F32, 2, 42), 0, {0.8822692632675171, 0.9150039553642273}, 0);
  near(drawn(Op::Rand, DType::F64, 4, 0), 0,
       {0.9700530018065531, 0.707819864399788, 0.45938294312745087, 0.9207476841219603}, 0);
  const auto f32 = drawn(Op::Randn, DType::F32, 17, 0), f64 = drawn(Op::Randn, DType::F64, 17, 0);
  near(f32, 0, {-1.1258398294448853, -1.6959311962127686, 0.5666506290435791}, 1e-6);
  near(f32, 14, {0.946298360824585, -0.843676745891571, 0.9318265914916992}, 1e-6);
  near(f64, 0, {-2.310411800234176, -0.6332746088675096, -1.2609246557194385}, 1e-14);
  near(f64, 14, {-0.4484158047114511, -0.8910030351707375, 0.6748575435940039}, 1e-14);
}

// Tensors of fewer than 16 normal numbers draw pairs. The second of a pair is kept for the next
// tensor, as part of the state.
TEST(ReferenceRandom, SmallTensorsShareTheSecondOfAPair) {
  Rig rig;
  const Value four = rig.step(Op::Rand, {}, {}, {4});
  rig.backend->seed(0);
  rig.batch.roots = {four.id};
  rig.run_program();
  Rig normal;
  normal.backend->restore(*rig.backend->random_state());
  const Value three = normal.step(Op::Randn, {}, {}, {3});
  normal.expect(three, {3}, Floats{-2.1787893773f, .5684312582f, -1.0845223665f}, 1e-6);
  const auto state = normal.backend->random_state();
  const Floats next = normal.values<float>(*normal.run(three));
  normal.backend->restore(*state);
  EXPECT_EQ(normal.values<float>(*normal.run(three)), next);
  EXPECT_NEAR(next[0], -1.3985953954, 1e-6);
}

TEST(ReferenceRandom, AStepIsNeverMergedAway) {
  Rig rig;
  const Value a = rig.step(Op::Rand, {}, {}, {3}), b = rig.step(Op::Rand, {}, {}, {3});
  rig.batch.roots = {a.id, b.id};
  rig.backend->seed(5);
  const auto program = rig.run_program();
  EXPECT_NE(rig.bytes(*program[0]), rig.bytes(*program[1]));
  rig.backend->seed(5);
  const auto stepped = rig.run_steps();
  EXPECT_EQ(rig.bytes(*program[0]), rig.bytes(*stepped[a.id]));
  EXPECT_EQ(rig.bytes(*program[1]), rig.bytes(*stepped[b.id]));
}

TEST(ReferenceIndex, SelectGatherEmbed) {
  Rig rig;
  const Value x = rig.input({2, 3}, Floats{1, 2, 3, 4, 5, 6});
  const Value turned = rig.step(Op::T, {x});
  const Value pick = rig.input<int64_t>({2}, {2, 0});
  const Value narrow = rig.input<int32_t>({2}, {1, 1});
  rig.expect(rig.step(Op::IndexSelect, {x, pick}, {1}), {2, 2}, Floats{3, 1, 6, 4});
  rig.expect(rig.step(Op::IndexSelect, {turned, pick}, {0}), {2, 2}, Floats{3, 6, 1, 4});
  rig.expect(rig.step(Op::IndexSelect, {x, narrow}, {0}), {2, 3}, Floats{4, 5, 6, 4, 5, 6});
  const Value at = rig.input<int64_t>({2, 2}, {0, 2, 1, 1});
  rig.expect(rig.step(Op::Gather, {x, at}, {1}), {2, 2}, Floats{1, 3, 5, 5});
  rig.expect(rig.step(Op::Gather, {turned, at}, {0}), {2, 2}, Floats{1, 6, 2, 5});
  rig.expect(rig.step(Op::Embedding, {at, turned}), {2, 2, 2}, Floats{1, 4, 3, 6, 2, 5, 2, 5});
  const Value zero = rig.input<int64_t>({}, {0});
  rig.expect(rig.step(Op::Gather, {rig.input({}, Floats{9}), zero}, {0}), {}, Floats{9});
}

TEST(ReferenceIndex, OutOfRangeNamesIndexAndSize) {
  const auto failing = [](Op op, int64_t index, const std::string& cause) {
    Rig rig;
    const Value x = rig.input({3, 2}, Floats{1, 2, 3, 4, 5, 6});
    const Value two = rig.step(Op::Add, {x, x});
    const Value at =
        op == Op::Gather ? rig.input<int64_t>({1, 1}, {index}) : rig.input<int64_t>({1}, {index});
    const Value result =
        op == Op::Embedding ? rig.step(op, {at, two}) : rig.step(op, {two, at}, {0});
    rig.expect_failure(result, 1, cause);
  };
  failing(Op::IndexSelect, 7, "index 7 is out of range for dimension 0 of size 3");
  failing(Op::Gather, -1, "index -1 is out of range for dimension 0 of size 3");
  failing(Op::Embedding, 3, "index 3 is out of range for dimension 0 of size 3");
}

TEST(ReferenceConcat, CatAndStackConvertAndSkipEmpty) {
  Rig rig;
  const Value a = rig.input({1, 2}, Floats{1, 2});
  const Value b = rig.input<int32_t>({2, 2}, {3, 4, 5, 6});
  const Value nothing = rig.input({0}, Floats{});
  rig.expect(rig.step(Op::Cat, {a, nothing, b}, {0}), {3, 2}, Floats{1, 2, 3, 4, 5, 6});
  rig.expect(rig.step(Op::Cat, {b, rig.step(Op::T, {b})}, {1}), {2, 4},
             Shorts{3, 4, 3, 5, 5, 6, 4, 6});
  rig.expect(rig.step(Op::Stack, {b, b}, {0}), {2, 2, 2}, Shorts{3, 4, 5, 6, 3, 4, 5, 6});
  rig.expect(rig.step(Op::Stack, {b, b}, {-1}), {2, 2, 2}, Shorts{3, 3, 4, 4, 5, 5, 6, 6});
  const Value one = rig.input({}, Floats{1});
  rig.expect(rig.step(Op::Stack, {one, one}, {0}), {2}, Floats{1, 1});
}

TEST(ReferenceLoss, MeanSquaresAndBinaryCrossEntropy) {
  Rig rig;
  const Value p = rig.input({3}, Floats{.5, 0, 1}), y = rig.input({3}, Floats{1, 1, 1});
  rig.expect(rig.step(Op::MseLoss, {p, y}), {}, Floats{1.25f / 3});
  rig.expect(rig.step(Op::BinaryCrossEntropy, {p, y}), {},
             Floats{static_cast<float>((std::log(2.0) + 100) / 3)}, 1e-6);
  const Value no = rig.input({3}, Floats{.5, 2, 1});
  rig.expect_failure(rig.step(Op::BinaryCrossEntropy, {no, y}), 2,
                     "self must hold probabilities between 0 and 1, and element 1 is 2");
}

TEST(ReferenceLoss, CrossEntropyOfClassesAndOfProbabilities) {
  Rig rig;
  const float third = std::log(3.f);
  const Value x = rig.input({2, 2}, Floats{0, third, third, 0});  // its softmax is .25 .75, .75 .25
  const Value classes = rig.input<int64_t>({2}, {1, 1}), some = rig.input<int64_t>({2}, {-100, 0});
  rig.expect(rig.step(Op::CrossEntropyLoss, {x, classes}), {},
             Floats{static_cast<float>(-(std::log(.75) + std::log(.25)) / 2)}, 1e-6);
  rig.expect(rig.step(Op::CrossEntropyLoss, {x, some}), {}, Floats{-std::log(.75f)}, 1e-6);
  const Value odds = rig.input({2, 2}, Floats{0, 1, .5, .5});
  rig.expect(rig.step(Op::CrossEntropyLoss, {x, odds}), {},
             Floats{static_cast<float>(-(std::log(.75) * 1.5 + std::log(.25) * .5) / 2)}, 1e-6);
  const Value spread = rig.input({1, 2, 2}, Floats{-1, -2, -3, -4});
  const Value at = rig.input<int64_t>({1, 2}, {1, 0});
  rig.expect(rig.step(Op::NllLoss, {spread, at}), {}, Floats{2.5});
  rig.expect(
      rig.step(Op::NllLoss, {rig.input({3}, Floats{-1, -2, -3}), rig.input<int64_t>({}, {2})}), {},
      Floats{3});
  const Value ignored = rig.input<int64_t>({2}, {-100, -100});
  rig.expect(rig.step(Op::NllLoss, {x, ignored}), {}, Floats{kNaN});
}

TEST(ReferenceLinear, WithAndWithoutBias) {
  Rig rig;
  const Value x = rig.input({2, 2}, Floats{1, 2, 3, 4});
  const Value w = rig.input({3, 2}, Floats{1, 0, 0, 1, 1, 1}), b = rig.input({3}, Floats{1, 2, 3});
  rig.expect(rig.step(Op::Linear, {x, w, b}), {2, 3}, Floats{2, 4, 6, 4, 6, 10});
  const Value row = rig.input({2}, Floats{1, -1});
  // The step has an absent operand.
  const uint32_t operands[] = {row.id, w.id, kNone.id};
  const int64_t sizes[] = {3};
  rig.expect(Value{rig.batch.add_step(Op::Linear, operands, {}, DType::F32, {}, sizes)}, {3},
             Floats{1, -1, 0});
}

TEST(ReferenceBackend, HostTransfersConvert) {
  Rig rig;
  const double numbers[] = {1.5, -2, 3e10};
  const int64_t sizes[] = {3};
  const BufferRef there = rig.backend->from_host(numbers, DType::F64, sizes, {});
  float back[3];
  rig.backend->to_host(*there, DType::F32, back);
  EXPECT_EQ(back[2], 3e10f);
  uint16_t halves[3];
  rig.backend->to_host(*there, DType::F16, halves);
  EXPECT_EQ(halves[0], 0x3e00);
  EXPECT_EQ(halves[2], 0x7c00);
  const BufferRef half = rig.backend->from_host(halves, DType::F16, sizes, {});
  rig.backend->to_host(*half, DType::F32, back);
  EXPECT_EQ(back[1], -2.f);
  EXPECT_THROW(rig.backend->from_host(numbers, DType::F64, sizes, Device{0}), Error);
}

TEST(ReferenceBackend, TooMuchMemoryIsAnError) {
  Rig rig;
  const int64_t sizes[] = {int64_t{1} << 59};
  EXPECT_THROW(rig.backend->allocate(DType::F32, sizes, {}), Error);
  const int64_t beyond[] = {int64_t{1} << 40, int64_t{1} << 40};
  EXPECT_THROW(rig.backend->allocate(DType::F32, beyond, {}), Error);
  EXPECT_EQ(rig.memory.live.load(), 0);
}

TEST(ReferenceBackend, ProgramsLetGoOfValuesAfterTheirLastUse) {
  Rig rig;
  constexpr int64_t kSide = 100, kBytes = kSide * kSide * 4;
  Value x = rig.step(Op::Full, {}, {1.0}, {kSide, kSide});
  for (int i = 0; i < 50; ++i) x = rig.step(Op::AddScalar, {x}, {1.0});
  rig.batch.roots = {x.id};
  const auto roots = rig.run_program();
  EXPECT_EQ(rig.memory.peak.load(), 2 * kBytes);
  EXPECT_EQ(rig.memory.live.load(), kBytes);
  EXPECT_EQ(rig.values<float>(*roots[0])[0], 51);
}

}  // namespace
}  // namespace rt::test
