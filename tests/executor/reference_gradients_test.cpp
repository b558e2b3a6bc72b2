// reference_gradients_test.cpp -- kernels of the rows that gradients and optimizers use, against
// PyTorch's values.
#include "tests/executor/reference_rig.h"

namespace rt::test {
namespace {

using Floats = std::vector<float>;
using Doubles = std::vector<double>;
using Ints = std::vector<int64_t>;
using Bools = std::vector<bool>;

constexpr double kClose = 2e-6;

/// Bools, converted from and to integers.
Value bools(Rig& rig, Shape sizes, const Ints& values) {
  return rig.step(Op::Cast, {rig.input<int64_t>(sizes, values)}, {}, {}, DType::Bool);
}
void expect_bools(Rig& rig, Value found, Shape sizes, const Ints& wanted) {
  EXPECT_EQ(rig.batch.type(found.id).dtype, DType::Bool);
  rig.expect(rig.step(Op::Cast, {found}, {}, {}, DType::I64), sizes, wanted);
}

TEST(ReferenceElementwise, ThreeOperandsBroadcastInAnyLayout) {
  Rig rig;
  const Value matrix = rig.input({2, 2}, Floats{1, 2, 3, 4});
  const Value row = rig.input({2}, Floats{.5, -2}), column = rig.input({2, 1}, Floats{3, -1});
  const Value turned = rig.strided(Floats{1, 3, 2, 4}, {{2, 2}, {1, 2}, 0});
  const Value number = rig.input({}, Floats{2});
  rig.expect(rig.step(Op::Addcmul, {matrix, row, column}, {.1}), {2, 2},
             Floats{1.15f, 1.4f, 2.95f, 4.2f}, kClose);
  rig.expect(rig.step(Op::Addcmul, {turned, row, column}, {.1}), {2, 2},
             Floats{1.15f, 1.4f, 2.95f, 4.2f}, kClose);
  rig.expect(rig.step(Op::Addcmul, {number, number, row}, {1.0}), {2}, Floats{3, -2});
  rig.expect(rig.step(Op::Addcmul, {row, row, column}, {1.0}), {2, 2}, Floats{2, -8, 0, 0});
  rig.expect(rig.step(Op::Addcmul, {number, number, number}, {1.0}), {}, Floats{6});
  rig.expect(rig.step(Op::Addcmul, {row, number, number}, {1.0}), {2}, Floats{4.5f, 2});
  const Value none = rig.input({0, 2}, Floats{});
  rig.expect(rig.step(Op::Addcmul, {none, row, number}, {1.0}), {0, 2}, Floats{});
  const Value a = rig.input({3}, Floats{1, 2, 3}), b = rig.input({3}, Floats{1, 0, -1});
  const Value c = rig.input({3}, Floats{3, 0, 0});
  rig.expect(rig.step(Op::Addcdiv, {a, b, c}, {2.0}), {3}, Floats{1.6666667f, kNaN, -kInf}, kClose);
}

/// Several vectors and a remainder.
constexpr int64_t kLong = 1001;

/// Steps of optimizers round as aten's kernels do on processors with fused multiply-add.
TEST(ReferenceElementwise, ScaledSumsAreRoundedOnce) {
  if (!__builtin_cpu_supports("fma")) GTEST_SKIP() << "this processor rounds twice";
  Rig rig;
  Floats a, b, c, added, lerped, blended, moved;
  const float s = .3f;
  for (int64_t i = 0; i < kLong; ++i) {
    const auto x = static_cast<float>(i);
    a.push_back(std::sin(x));
    b.push_back(std::cos(x * 3));
    c.push_back(std::sin(x * 7 + 1));
    added.push_back(std::fma(b.back(), s, a.back()));
    moved.push_back(std::fma(s * b.back(), c.back(), a.back()));
    lerped.push_back(std::fma(s, b.back() - a.back(), a.back()));
    blended.push_back(std::fma(.7f - 1, b.back() - a.back(), b.back()));
  }
  const Value x = rig.input({kLong}, a), y = rig.input({kLong}, b), z = rig.input({kLong}, c);
  rig.expect(rig.step(Op::AddScaled, {x, y}, {.3}), {kLong}, added);
  rig.expect(rig.step(Op::Addcmul, {x, y, z}, {.3}), {kLong}, moved);
  rig.expect(rig.step(Op::Lerp, {x, y}, {.3}), {kLong}, lerped);
  rig.expect(rig.step(Op::Lerp, {x, y}, {.7}), {kLong}, blended);
}

TEST(ReferenceElementwise, LerpMeetsBothEnds) {
  Rig rig;
  const Value from = rig.input({3}, Floats{1, 2, 3}), to = rig.input({3}, Floats{2, -2, 3.5});
  rig.expect(rig.step(Op::Lerp, {from, to}, {.25}), {3}, Floats{1.25, 1, 3.125});
  rig.expect(rig.step(Op::Lerp, {from, to}, {.75}), {3}, Floats{1.75, -1, 3.375});
  rig.expect(rig.step(Op::Lerp, {from, to}, {0.0}), {3}, Floats{1, 2, 3});
  rig.expect(rig.step(Op::Lerp, {from, to}, {1.0}), {3}, Floats{2, -2, 3.5});
}

TEST(ReferenceElementwise, EqualsAreFoundInTheCommonDtype) {
  Rig rig;
  const Value matrix = rig.input({2, 3}, Floats{1, kNaN, 3, -0.f, kInf, 2});
  const Value row = rig.input({3}, Floats{1, kNaN, 2}), number = rig.input({}, Floats{2});
  expect_bools(rig, rig.step(Op::Eq, {matrix, row}), {2, 3}, {1, 0, 0, 0, 0, 1});
  expect_bools(rig, rig.step(Op::Eq, {matrix, number}), {2, 3}, {0, 0, 0, 0, 0, 1});
  expect_bools(rig, rig.step(Op::Eq, {number, number}), {}, {1});
  expect_bools(rig, rig.step(Op::Eq, {rig.input({0}, Floats{}), number}), {0}, {});
  // Both are equal as f32, so that PyTorch finds them equal.
  const Value big = rig.input<int64_t>({2}, {16777217, 16777216});
  expect_bools(rig, rig.step(Op::Eq, {big, rig.input({1}, Floats{16777216})}), {2}, {1, 1});
  expect_bools(rig, rig.step(Op::Eq, {big, rig.input<int64_t>({}, {16777216})}), {2}, {0, 1});
  const Value truths = bools(rig, {2, 2}, {1, 0, 0, 1});
  expect_bools(rig, rig.step(Op::Eq, {truths, bools(rig, {2}, {0, 0})}), {2, 2}, {0, 1, 1, 0});
  expect_bools(rig, rig.step(Op::Eq, {truths, rig.input<int64_t>({1, 2}, {1, 2})}), {2, 2},
               {1, 0, 0, 0});
}

TEST(ReferenceElementwise, LongComparisonsAndChoicesOfEveryDtype) {
  for (const DType dtype : {DType::F32, DType::F64, DType::I32, DType::I64, DType::Bool}) {
    SCOPED_TRACE(name(dtype));
    Rig rig;
    Ints a, b, equal, chosen;
    for (int64_t i = 0; i < kLong; ++i) {
      a.push_back(i * i % 2);
      b.push_back(i % 3 > 0);
      equal.push_back(a.back() == b.back());
      chosen.push_back(equal.back() ? a.back() : 1);
    }
    const auto typed = [&](const Ints& values) {
      return rig.step(Op::Cast, {rig.input<int64_t>({kLong}, values)}, {}, {}, dtype);
    };
    const Value x = typed(a), y = typed(b);
    const Value same = rig.step(Op::Eq, {x, y});
    expect_bools(rig, same, {kLong}, equal);
    const Value one = rig.step(Op::Cast, {rig.input<int64_t>({}, {1})}, {}, {}, dtype);
    const Value found = rig.step(Op::Where, {same, x, one});
    rig.expect(rig.step(Op::Cast, {found}, {}, {}, DType::I64), {kLong}, chosen);
  }
}

TEST(ReferenceElementwise, WherePicksFromBroadcastOperands) {
  Rig rig;
  const Value column = bools(rig, {2, 1}, {1, 0}), row = bools(rig, {2}, {1, 0});
  const Value x = rig.input({2}, Floats{1, 2}), five = rig.input<int64_t>({}, {5});
  rig.expect(rig.step(Op::Where, {column, x, five}), {2, 2}, Floats{1, 2, 5, 5});
  rig.expect(
      rig.step(Op::Where, {row, rig.input<int64_t>({2}, {1, 2}), rig.input({}, Floats{2.5})}), {2},
      Floats{1, 2.5});
  rig.expect(rig.step(Op::Where, {row, five, five}), {2}, Ints{5, 5});
  rig.expect(rig.step(Op::Where, {bools(rig, {}, {0}), x, five}), {2}, Floats{5, 5});
  rig.expect(rig.step(Op::Where, {rig.step(Op::T, {bools(rig, {2, 2}, {1, 1, 0, 0})}), x, five}),
             {2, 2}, Floats{1, 5, 1, 5});
}

TEST(ReferenceGradients, OfActivations) {
  Rig rig;
  const Value ones = rig.input({4}, Floats{1, 2, 3, 4});
  const Value at = rig.input({4}, Floats{kNaN, 0, 1, -1});
  rig.expect(rig.step(Op::ThresholdBackward, {ones, at}, {0.0}), {4}, Floats{1, 0, 3, 0});
  rig.expect(rig.step(Op::LeakyReluBackward, {ones, at}, {.1}), {4}, Floats{.1f, .2f, 3, .4f});
  const Value grad = rig.input({3}, Floats{1, 2, -1});
  rig.expect(rig.step(Op::SigmoidBackward, {grad, rig.input({3}, Floats{.25, .5, 1})}), {3},
             Floats{.1875, .5, 0});
  rig.expect(rig.step(Op::TanhBackward, {grad, rig.input({3}, Floats{.25, -.5, 1})}), {3},
             Floats{.9375, 1.5, 0});
  rig.expect(rig.step(Op::Sign, {rig.input({5}, Floats{kNaN, -0.f, 0, kInf, -kInf})}), {5},
             Floats{0, 0, 0, 1, -1});
  const Doubles x = {-8, -3, -1, -.1, 0, .5, 2, 7};
  const Doubles slopes = {-3.980754600e-14,
                          -1.194564720e-02,
                          -8.331547059e-02,
                          4.204769080e-01,
                          .5,
                          8.674951247e-01,
                          1.085231801e+00,
                          1};
  const Value ones8 = rig.input({8}, Floats(8, 1));
  rig.expect(rig.step(Op::GeluBackward, {ones8, rig.input({8}, Floats(x.begin(), x.end()))}), {8},
             Floats(slopes.begin(), slopes.end()), 2e-7);
  rig.expect(rig.step(Op::GeluBackward,
                      {rig.input<double>({8}, Doubles(8, 1)), rig.input<double>({8}, x)}),
             {8}, slopes, 1e-9);
}

TEST(ReferenceGradients, OfSoftmaxAlongAnyDimension) {
  Rig rig;
  const Value x = rig.input({2, 3}, Floats{0, 1, 2, 3, 1, -1});
  const Value grad = rig.input({2, 3}, Floats{1, 2, -1, .5, 0, 3});
  const auto expect = [&](Op forward, Op backward, int dim, const Floats& wanted) {
    const Value result = rig.step(forward, {x}, {dim});
    rig.expect(rig.step(backward, {grad, result}, {dim}), {2, 3}, wanted, 1e-6);
    // Operands with another memory order give equal results.
    const Value turned = rig.step(Op::T, {rig.step(Op::Clone, {rig.step(Op::T, {grad})})});
    rig.expect(rig.step(backward, {turned, result}, {dim}), {2, 3}, wanted, 1e-6);
  };
  expect(Op::Softmax, Op::SoftmaxBackward, 1,
         {.097751006f, .510443270f, -.608194232f, .016438810f, -.056430459f, .039991688f});
  expect(Op::Softmax, Op::SoftmaxBackward, 0,
         {.022588329f, .5f, -.180706620f, -.022588328f, -.5f, .180706635f});
  expect(Op::LogSoftmax, Op::LogSoftmaxBackward, 1,
         {.819938838f, 1.510542989f, -2.330482006f, -2.533846617f, -.410586476f, 2.944433212f});
  expect(Op::LogSoftmax, Op::LogSoftmaxBackward, 0,
         {.928861201f, 1, -2.905148268f, -.928861201f, -1, 2.905148268f});
  const Value two = rig.input({}, Floats{2}), zero = rig.input({}, Floats{0});
  rig.expect(rig.step(Op::SoftmaxBackward, {two, rig.input({}, Floats{1})}, {0}), {}, Floats{0});
  rig.expect(rig.step(Op::LogSoftmaxBackward, {two, zero}, {0}), {}, Floats{0});
  const Value none = rig.input({2, 0}, Floats{});
  rig.expect(rig.step(Op::SoftmaxBackward, {none, none}, {1}), {2, 0}, Floats{});
}

/// Rows and columns longer than vectors and strips, against the definition in double.
TEST(ReferenceGradients, OfLongSoftmaxAndWithThreads) {
  for (const auto& [outer, count, inner] : {std::tuple{3, 700, 1}, {2, 5, 1100}, {300, 257, 1}}) {
    SCOPED_TRACE(count);
    const auto n = static_cast<size_t>(outer * count * inner);
    Doubles grad(n), result(n), of_softmax(n), of_log(n);
    for (size_t i = 0; i < n; ++i) {
      grad[i] = std::sin(static_cast<double>(i));
      result[i] = (1.5 + std::cos(static_cast<double>(3 * i))) / (1.5 * count);
    }
    const auto place = [&, count = count, inner = inner](int a, int b, int c) {
      return static_cast<size_t>((a * count + b) * inner + c);
    };
    for (int a = 0; a < outer; ++a)
      for (int c = 0; c < inner; ++c) {
        double products = 0, sum = 0;
        for (int b = 0; b < count; ++b) {
          const size_t i = place(a, b, c);
          products += grad[i] * result[i];
          sum += grad[i];
        }
        for (int b = 0; b < count; ++b) {
          const size_t i = place(a, b, c);
          of_softmax[i] = (grad[i] - products) * result[i];
          of_log[i] = grad[i] - std::exp(result[i]) * sum;
        }
      }
    for (const int threads : {1, 2}) {
      Rig rig(threads);
      const Shape sizes{outer, count, inner};
      const Value g = rig.input<double>(sizes, grad), y = rig.input<double>(sizes, result);
      rig.expect(rig.step(Op::SoftmaxBackward, {g, y}, {1}), sizes, of_softmax, 1e-13);
      rig.expect(rig.step(Op::LogSoftmaxBackward, {g, y}, {1}), sizes, of_log, 1e-12);
    }
  }
}

TEST(ReferenceGradients, OfLosses) {
  Rig rig;
  const Value two = rig.input({}, Floats{2}), zero = rig.input({}, Floats{0});
  const Value logs = rig.input({3, 3}, Floats(9, 0));
  const Value target = rig.input<int64_t>({3}, {1, -100, 2});
  const Value total = rig.step(Op::NllLossTotalWeight, {logs, target});
  rig.expect(total, {}, Floats{2});
  rig.expect(rig.step(Op::NllLossBackward, {two, logs, target, total}), {3, 3},
             Floats{0, -1, 0, 0, 0, 0, 0, 0, -1});
  const Value ignored = rig.input<int64_t>({3}, {-100, -100, -100});
  rig.expect(rig.step(Op::NllLossTotalWeight, {logs, ignored}), {}, Floats{0});
  rig.expect(rig.step(Op::NllLossBackward, {two, logs, ignored, zero}), {3, 3}, Floats(9, 0));
  const Value no_logs = rig.input({0, 3}, Floats{}), no_target = rig.input<int64_t>({0}, {});
  rig.expect(rig.step(Op::NllLossTotalWeight, {no_logs, no_target}), {}, Floats{0});
  rig.expect(rig.step(Op::NllLossBackward, {two, no_logs, no_target, zero}), {0, 3}, Floats{});

  const Value a = rig.input({3}, Floats{1, 2, 4}), b = rig.input({3}, Floats{0, 2, 5});
  rig.expect(rig.step(Op::MseLossBackward, {rig.input({}, Floats{3}), a, b}), {3},
             Floats{2, 0, -2});
  const Value p = rig.input({6}, Floats{0, 1, .5, 1e-20f, .25, kNaN});
  const Value t = rig.input({6}, Floats{0, 1, 1, 1, .5, 0});
  rig.expect(rig.step(Op::BinaryCrossEntropyBackward, {two, p, t}), {6},
             Floats{0, 0, -4, -2e12f, -2.6666667f, kNaN}, kClose);
}

TEST(ReferenceGradients, ClassesOutOfRangeAreErrors) {
  for (const Op op : {Op::NllLossTotalWeight, Op::NllLossBackward})
    for (const int64_t target : {3, -1, -101}) {
      Rig rig;
      const Value logs = rig.input({2, 3}, Floats(6, 0));
      const Value classes = rig.input<int64_t>({2}, {1, target});
      const Value one = rig.input({}, Floats{1});
      const Value found = op == Op::NllLossBackward ? rig.step(op, {one, logs, classes, one})
                                                    : rig.step(op, {logs, classes});
      rig.expect_failure(found, 0,
                         "target " + std::to_string(target) + " is out of range for 3 classes");
    }
}

TEST(ReferenceSumDims, TakesAnyDimensions) {
  Rig rig;
  const Value x = rig.input<int64_t>({2, 3, 2}, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12});
  const auto sum = [&](Value of, std::initializer_list<Word> attributes) {
    return rig.step(Op::SumDims, {of}, attributes);
  };
  rig.expect(sum(x, {0, 2, 0, 2}), {3}, Ints{18, 26, 34});
  rig.expect(sum(x, {1, 2, 2, 0}), {1, 3, 1}, Ints{18, 26, 34});
  rig.expect(sum(x, {0, 2, 0, 1}), {2}, Ints{36, 42});
  rig.expect(sum(x, {0, 2, 1, 2}), {2}, Ints{21, 57});
  rig.expect(sum(x, {1, 1, -2}), {2, 1, 2}, Ints{9, 12, 27, 30});
  rig.expect(sum(x, {0, 3, 0, 1, 2}), {}, Ints{78});
  const Value turned = rig.step(Op::Permute, {x}, {3, 2, 0, 1});
  rig.expect(sum(turned, {0, 2, 0, 2}), {2}, Ints{21, 57});
  // 2^53 + 1 has no double.
  const Value big = rig.input<int64_t>({1, 2, 1}, {int64_t{1} << 53, 1});
  rig.expect(sum(big, {0, 3, 0, 1, 2}), {}, Ints{(int64_t{1} << 53) + 1});
  rig.expect(sum(rig.input({2, 0, 2}, Floats{}), {0, 2, 0, 1}), {2}, Floats{0, 0});
  rig.expect(sum(rig.input({0, 3}, Floats{}), {0, 1, 1}), {0}, Floats{});
  rig.expect(sum(bools(rig, {2, 1, 2}, {1, 1, 0, 1}), {0, 2, 0, 2}), {1}, Ints{3});
  const Value halves = rig.input({2, 2, 2}, Floats{.5, 1, 1.5, 2, 2.5, 3, 3.5, 4});
  rig.expect(sum(halves, {0, 2, 0, 2}), {2}, Floats{7, 11});
}

}  // namespace
}  // namespace rt::test
