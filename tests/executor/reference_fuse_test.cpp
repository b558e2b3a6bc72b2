// reference_fuse_test.cpp -- fused programs give the bits of single steps, for random programs of
// all dtypes and layouts, with any number of threads.
#include <algorithm>
#include <random>

#include "elementwise/fused.h"
#include "fallback_cpu/reference.h"
#include "graph/batch/fuse.h"
#include "tests/executor/reuse_cases.h"

namespace rt::test {
namespace {

using Floats = std::vector<float>;

/// Draws the steps of random programs from a seed.
class RandomRig : public Rig {
 public:
  RandomRig(uint32_t seed, int threads) : Rig(threads), random_(seed) {}

  template <class T>
  Value numbers(Shape sizes) {
    std::vector<T> made(static_cast<size_t>(numel(sizes)));
    for (size_t i = 0; i < made.size(); ++i) {
      const int draw = static_cast<int>(random_() % 1000) - 500;
      if constexpr (std::is_floating_point_v<T>)
        made[i] = draw == 77 ? kNaN : draw == 78 ? kInf : static_cast<T>(draw) / 125;
      else made[i] = static_cast<T>(draw % 7);
    }
    return input<T>(sizes, made);
  }
  Value numbers(DType dtype, Shape sizes) {
    switch (dtype) {
      case DType::F64: return numbers<double>(sizes);
      case DType::I32: return numbers<int32_t>(sizes);
      case DType::I64: return numbers<int64_t>(sizes);
      case DType::Bool: return numbers<bool>(sizes);
      default: return numbers<float>(sizes);
    }
  }
  /// A column-major matrix.
  Value crossing(int64_t rows, int64_t columns) {
    Floats made(static_cast<size_t>(rows * columns));
    for (float& number : made) number = static_cast<float>(random_() % 1000) / 250 - 2;
    return strided<float>(made, {Shape{rows, columns}, Strides{1, rows}, 0});
  }
  template <class List>
  auto any(const List& list) {
    return list[random_() % list.size()];
  }
  uint32_t draw(uint32_t below) { return static_cast<uint32_t>(random_() % below); }

  /// Appends a drawn step, if these values are valid operands.
  void grow(std::vector<Value>& values) {
    using enum Op;
    static const std::vector<Op> unary = {Exp, Neg,  Tanh,      Relu,      Abs,       Sigmoid,
                                          Log, Gelu, AddScalar, MulScalar, LeakyRelu, Pow};
    static const std::vector<Op> binary = {
        Add, Sub, Mul, Div, Atan2, Eq, AddScaled, Lerp, ThresholdBackward, TanhBackward};
    static const std::vector<DType> dtypes = {DType::F32, DType::F64,  DType::I32,
                                              DType::I64, DType::Bool, DType::F16};
    const Value a = any(values), b = any(values), c = any(values);
    try {
      switch (draw(8)) {
        case 0:
        case 1:
        case 2: values.push_back(scaled(any(unary), {a})); break;
        case 3:
        case 4: values.push_back(scaled(any(binary), {a, b})); break;
        case 5: values.push_back(step(Cast, {a}, {}, {}, any(dtypes))); break;
        case 6: values.push_back(step(Where, {step(Eq, {a, b}), a, c})); break;
        default: values.push_back(step(any(std::vector{Sum, Mean}), {a}));
      }
    } catch (const Error&) {  // the operands do not fit the op
    }
  }
  Value scaled(Op op, std::initializer_list<Value> operands) {
    if (info(op).scalars == 0) return step(op, operands);
    return step(op, operands, {op == Op::Pow ? 2.0 : 0.25 * (1 + draw(8))});
  }
  /// The bits of all roots, from a program over these inputs.
  std::vector<std::vector<char>> bits(const std::vector<BufferRef>& given) {
    std::vector<std::vector<char>> all;
    for (const BufferRef& root : run_program(given)) all.push_back(bytes(*root));
    return all;
  }

 private:
  std::mt19937 random_;
};

void expect_the_same_bits(uint32_t seed, Shape sizes, int steps) {
  SCOPED_TRACE(join("seed ", seed, " of ", to_string(sizes)));
  std::vector<std::vector<char>> first;
  for (const int threads : {1, 2, 4}) {
    RandomRig rig(seed, threads);
    std::vector<Value> values;
    const Shape row = sizes.empty() ? Shape{} : Shape{sizes.back()};
    for (const DType dtype : {DType::F32, DType::F64, DType::I32, DType::I64, DType::Bool})
      values.push_back(rig.numbers(dtype, sizes));
    values.push_back(rig.numbers(DType::F32, row));
    values.push_back(rig.numbers(DType::F32, {}));
    values.push_back(rig.numbers(DType::F64, {}));
    if (sizes.size() == 2) values.push_back(rig.crossing(sizes[0], sizes[1]));
    for (int i = 0; i < steps; ++i) rig.grow(values);
    for (const Batch::Step& step : rig.batch.steps)
      if (rig.draw(3) == 0 || &step == &rig.batch.steps.back())
        rig.batch.roots.push_back(step.result);
    const std::vector<BufferRef> wanted = rig.run_steps();
    const auto got = rig.bits(std::vector(rig.inputs));
    EXPECT_TRUE(rig.bits(rig.copied_inputs()) == got) << "over inputs, with " << threads;
    for (size_t i = 0; i < got.size(); ++i)
      ASSERT_TRUE(got[i] == rig.bytes(*wanted[rig.batch.roots[i]]))
          << "root " << i << ", %" << rig.batch.roots[i] << " with " << threads << " threads\n";
    if (threads == 1) first = got;
    else EXPECT_TRUE(got == first);
  }
}

TEST(FusedProgram, RandomProgramsGiveTheBitsOfSingleSteps) {
  const Shape shapes[] = {{}, {1}, {7}, {0, 3}, {5, 3}, {3, 300}, {4, 5, 6}, {70, 130}, {1, 9000}};
  for (uint32_t seed = 0; seed < 180; ++seed)
    expect_the_same_bits(seed, shapes[seed % std::size(shapes)], seed % 5 == 0 ? 60 : 12);
}

// Large enough for several threads, with an incomplete last block.
TEST(FusedProgram, BigProgramsGiveTheBitsOfSingleSteps) {
  for (uint32_t seed = 0; seed < 4; ++seed)
    expect_the_same_bits(seed, seed % 2 ? Shape{90001} : Shape{133, 777}, 8);
}

TEST(FusedProgram, LongChainsNeedFewRegisters) {
  Rig rig;
  const Value start = rig.input({300}, Floats(300, 0.5f));
  Value x = start;
  for (int i = 0; i < 700; ++i)
    x = i % 2 ? rig.step(Op::Tanh, {x}) : rig.step(Op::AddScalar, {x}, {0.25});
  rig.batch.roots = {x.id};
  EXPECT_LE(rig.backend->compile(rig.batch)->fused().groups, 2);
  rig.run(x);
}

// The group's first root is read after another group ran.
TEST(FusedProgram, EveryResultGoesWhereItBelongs) {
  Rig rig;
  const Value x = rig.input({2, 2}, Floats{1, 2, 3, 4});
  const Value a = rig.step(Op::AddScalar, {x}, {1.0}), total = rig.step(Op::Sum, {a});
  const Value b = rig.step(Op::Neg, {a}), product = rig.step(Op::Matmul, {a, b});
  const Value c = rig.step(Op::Relu, {rig.step(Op::Add, {product, total})});
  rig.batch.roots = {a.id, total.id, b.id, c.id};
  const auto roots = rig.run_program();
  EXPECT_EQ(rig.values<float>(*roots[0]), (Floats{2, 3, 4, 5}));
  EXPECT_EQ(rig.values<float>(*roots[1]), (Floats{14}));
  EXPECT_EQ(rig.values<float>(*roots[2]), (Floats{-2, -3, -4, -5}));
  EXPECT_EQ(rig.values<float>(*roots[3]), (Floats{0, 0, 0, 0}));
}

TEST(FusedProgram, AFusedStepRunsByItself) {
  Rig rig;
  const Value x = rig.input({3}, Floats{1, 2, 3});
  const Value y = rig.step(Op::Neg, {rig.step(Op::MulScalar, {x}, {2.0})});
  rig.batch.roots = {y.id};
  rig.batch = fuse(rig.batch);
  EXPECT_EQ(rig.values<float>(*rig.run_steps()[rig.batch.roots[0]]), (Floats{-2, -4, -6}));
}

TEST(FusedProgram, WhatIsNoGroupIsRefused) {
  Rig rig;
  const Value x = rig.input({3, 3}, Floats(9, 1));
  rig.batch.roots = {rig.step(Op::Matmul, {x, x}).id};
  EXPECT_THROW(cpu::FusedGroup{rig.batch}, Error);
  Rig sizes;
  const Value y = sizes.input({3, 3}, Floats(9, 1)), row = sizes.input({3}, Floats(3, 1));
  const Value exp = sizes.step(Op::Exp, {row});
  sizes.batch.roots = {sizes.step(Op::Add, {y, exp}).id};
  EXPECT_THROW(cpu::FusedGroup{sizes.batch}, Error);
}

TEST(FusedProgram, ResultsTakeTheMemoryOfWhatNobodyNeeds) {
  for (const ReuseCase& each : kReuseCases) {
    SCOPED_TRACE(each.name);
    MemoryCount memory;
    std::vector<std::vector<char>> results[2];
    int64_t peaks[2];
    for (const bool reuse : {false, true}) {
      Rig rig(make_reference_backend(memory, 2, {.reuse = reuse}));
      build(each, rig);
      const auto program = rig.backend->compile(rig.batch);
      memory.peak = memory.live.load();
      std::vector<BufferRef> roots(rig.batch.roots.size());
      program->run(std::vector(rig.inputs), rig.batch.scalars, roots);
      peaks[reuse] = memory.peak;
      for (const BufferRef& root : roots) results[reuse].push_back(rig.bytes(*root));
    }
    EXPECT_TRUE(results[0] == results[1]);
    EXPECT_EQ(peaks[0] - peaks[1], each.takes ? 300 * 300 * 4 : 0);
  }
}

TEST(FusedProgram, ResultsLieOverInputsThatOnlyTheProgramHas) {
  expect_over_inputs([](MemoryCount& memory, Optimizations use) {
    return make_reference_backend(memory, 2, use);
  });
}

TEST(FusedProgram, TheVariableTurnsItOff) {
  MemoryCount memory;
  Rig rig(make_reference_backend(memory, 1, {.fuse = false})), fusing;
  for (Rig* each : {&rig, &fusing}) {
    const Value x = each->input({2}, Floats{1, 2});
    each->batch.roots = {each->step(Op::Neg, {each->step(Op::Exp, {x})}).id};
  }
  EXPECT_EQ(rig.backend->compile(rig.batch)->fused().groups, 0);
  EXPECT_EQ(fusing.backend->compile(fusing.batch)->fused().groups, 1);
  EXPECT_EQ(fusing.backend->compile(fusing.batch)->fused().steps, 2);
  rig.inputs.clear();
}

}  // namespace
}  // namespace rt::test
