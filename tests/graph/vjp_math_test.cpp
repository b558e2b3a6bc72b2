// vjp_math_test.cpp -- gradients of arithmetic, activations, reductions and losses: further
// operands than the rows' samples, and points without a unique slope.
#include <limits>

#include "tests/graph/vjp_rig.h"

namespace rt::test {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kInf = std::numeric_limits<double>::infinity();

using Operands = std::vector<GradOperand>;

/// Numbers of both signs, at which differences are exact enough.
const GradOperand kBoth{{2, 3}, {-2.5, -.7, -.2, .3, .9, 1.7}};
const GradOperand kWithin{{4}, {-.9, -.3, .2, .8}};

TEST(GradientOfArithmetic, SumsUpWhatWasBroadcast) {
  const GradOperand row{{3}}, column{{2, 1}}, number{{}}, many{{2, 1, 3}}, one{{1}};
  for (const Op op : {Op::Add, Op::Sub, Op::Mul, Op::Div, Op::Atan2})
    for (const auto& [a, b] : {std::pair{kBoth, row},
                               {column, kBoth},
                               {number, row},
                               {number, number},
                               {many, column},
                               {one, number}})
      expect_gradients(grad_case(op, {a, b}));
  const GradOperand yes{{2, 1}, {1, 0}, DType::Bool};
  expect_gradients(grad_case(Op::Where, {yes, row, number}));
  expect_gradients(grad_case(Op::Where, {yes, number, kBoth}));
  for (const Op op : {Op::Addcmul, Op::Addcdiv}) {
    expect_gradients(grad_case(op, {kBoth, row, column}, {.7}));
    expect_gradients(grad_case(op, {number, column, kBoth}, {-2.0}));
  }
  expect_gradients(grad_case(Op::AddScaled, {column, row}, {-1.5}));
  for (const double weight : {.25, .75, 2.0})
    expect_gradients(grad_case(Op::Lerp, {column, row}, {weight}));
}

TEST(GradientOfArithmetic, OfNumbersOfBothSigns) {
  for (const Op op : {Op::Neg, Op::Abs, Op::Exp, Op::Sin, Op::Cos, Op::Tan, Op::Relu, Op::Sigmoid,
                      Op::Tanh, Op::Gelu, Op::Sign, Op::Clone})
    expect_gradients(grad_case(op, {kBoth}));
  for (const Op op : {Op::Asin, Op::Acos}) expect_gradients(grad_case(op, {kWithin}));
  for (const Op op : {Op::AddScalar, Op::SubScalar, Op::MulScalar, Op::DivScalar, Op::LeakyRelu})
    for (const double number : {.25, -3.0}) expect_gradients(grad_case(op, {kBoth}, {number}));
  for (const double exponent : {0., 1., 2., 3., -1., -2.})
    expect_gradients(grad_case(Op::Pow, {kBoth}, {exponent}), 1e-5);
  for (const double exponent : {.5, -.5, 2.5})
    expect_gradients(grad_case(Op::Pow, {GradOperand{{3}}}, {exponent}));
}

TEST(GradientOfArithmetic, OfMixedDtypesHasTheOperandsOwn) {
  const GradOperand single{{2, 3}, {}, DType::F32}, integers{{3}, {1, 2, 3}, DType::I64};
  for (const Op op : {Op::Add, Op::Sub, Op::Mul, Op::Div}) {
    expect_gradients(grad_case(op, {kBoth, single}));
    expect_gradients(grad_case(op, {integers, kBoth}));
    expect_gradients(grad_case(op, {kBoth, integers}));
  }
  GradCase to_single = grad_case(Op::Cast, {{{2}, {.5, .25}}});
  to_single.args.dtype = DType::F32;
  expect_gradient(to_single, 0, {1 + .25 * std::sin(1.), 1 + .25 * std::sin(2.)}, 1e-7);
}

/// The gradient that the rig starts from, for a result of n elements.
std::vector<double> weights(size_t n) {
  std::vector<double> made;
  for (size_t i = 1; i <= n; ++i) made.push_back(1 + .25 * std::sin(static_cast<double>(i)));
  return made;
}
/// Expects the product of weights and slopes.
void expect_slopes(Op op, const std::vector<double>& at, const std::vector<double>& slopes,
                   std::initializer_list<GradWord> attributes = {}) {
  std::vector<double> wanted = weights(slopes.size());
  for (size_t i = 0; i < wanted.size(); ++i) wanted[i] *= slopes[i];
  expect_gradient(grad_case(op, {{{static_cast<int64_t>(at.size())}, at}}, attributes), 0, wanted);
}

TEST(GradientOfArithmetic, HasPyTorchsValueWhereThereIsNoSlope) {
  expect_slopes(Op::Abs, {0., -2, kNaN}, {0, -1, 0});
  expect_slopes(Op::Sqrt, {0., 4}, {kInf, .25});
  expect_slopes(Op::Log, {0., -1}, {kInf, -1});
  expect_slopes(Op::Relu, {0., -1, 1, kNaN}, {0, 0, 1, 1});
  expect_slopes(Op::LeakyRelu, {0., -1, kNaN}, {.1, .1, .1}, {.1});
  expect_slopes(Op::Pow, {0., 1, kInf, kNaN}, {0, 0, 0, 0}, {0.0});
  expect_slopes(Op::Pow, {0., 2}, {1, 1}, {1.0});
  expect_slopes(Op::Pow, {0., 4}, {kInf, .25}, {.5});
  expect_slopes(Op::Pow, {0., 2}, {-kInf, -.25}, {-1.0});
  expect_slopes(Op::Asin, {1, .5}, {kInf, 1 / std::sqrt(.75)});
  expect_slopes(Op::Acos, {-1, .5}, {-kInf, -1 / std::sqrt(.75)});
}

TEST(GradientOfSoftmax, AlongEveryDimension) {
  const GradOperand cube{{2, 3, 2}};
  for (const Op op : {Op::Softmax, Op::LogSoftmax}) {
    for (const int dim : {0, 1, 2}) expect_gradients(grad_case(op, {cube}, {dim}));
    expect_gradients(grad_case(op, {{{}}}, {0}));
    expect_gradients(grad_case(op, {{{0, 3}}}, {1}));
  }
}

TEST(GradientOfReductions, OverAnyDimensions) {
  const GradOperand cube{{2, 3, 2}};
  for (const int keep : {0, 1}) {
    for (const Op op : {Op::SumDim, Op::MeanDim})
      for (const int dim : {0, 1, 2}) expect_gradients(grad_case(op, {cube}, {dim, keep}));
    for (const Op op : {Op::SumDims, Op::MeanDims}) {
      expect_gradients(grad_case(op, {cube}, {keep, 1, 1}));
      expect_gradients(grad_case(op, {cube}, {keep, 2, 0, 2}));
      expect_gradients(grad_case(op, {cube}, {keep, 3, 2, 0, 1}));
    }
    for (const int correction : {0, 1}) {
      expect_gradients(grad_case(Op::VarDims, {cube}, {correction, keep, 1, 1}));
      expect_gradients(grad_case(Op::VarDims, {cube}, {correction, keep, 2, 2, 0}));
    }
  }
  for (const Op op : {Op::Sum, Op::Mean, Op::Norm, Op::Std, Op::Var, Op::Max, Op::Min}) {
    expect_gradients(grad_case(op, {cube}));
    expect_gradients(grad_case(op, {kBoth}));
  }
  for (const Op op : {Op::Sum, Op::Mean, Op::Norm, Op::Max, Op::Min})
    expect_gradients(grad_case(op, {{{}}}));
  for (const Op op : {Op::SumDim, Op::MeanDim}) expect_gradients(grad_case(op, {{{}}}, {0, 0}));
  for (const Op op : {Op::Sum, Op::Mean}) expect_gradients(grad_case(op, {{{0, 3}}}));
}

TEST(GradientOfReductions, HasPyTorchsValueWhereThereIsNoSlope) {
  const double g = weights(1)[0];
  const auto expect = [g](Op op, const std::vector<double>& at, std::vector<double> slopes) {
    for (double& slope : slopes) slope *= g;
    expect_gradient(grad_case(op, {{{static_cast<int64_t>(at.size())}, at}}), 0, slopes);
  };
  expect(Op::Norm, {0, 0}, {0, 0});
  expect(Op::Norm, {3, 4}, {.6, .8});
  expect(Op::Norm, {kNaN, 1}, {kNaN, kNaN});
  expect(Op::Max, {1, 3, 3}, {0, .5, .5});
  expect(Op::Min, {1, 1, 3}, {.5, .5, 0});
  expect(Op::Max, {1, kNaN, kNaN}, {0, .5, .5});
  expect(Op::Min, {kNaN, 1, 2}, {1, 0, 0});
  expect(Op::Max, {kInf, kInf, 1}, {.5, .5, 0});
  expect(Op::Std, {2, 2, 2}, {0, 0, 0});
  expect(Op::Std, {2}, {kNaN});
  expect(Op::Var, {2}, {kNaN});
  expect(Op::Var, {1, 2, 4}, {-4. / 3, -1. / 3, 5. / 3});
  expect_gradient(grad_case(Op::VarDims, {{{2}, {1, 2}}}, {3, 0, 1, 0}), 0, {g, -g});
}

TEST(GradientOfLosses, OfSelfAndTarget) {
  const GradOperand row{{3}}, number{{}}, single{{2, 3}, {}, DType::F32};
  expect_gradients(grad_case(Op::MseLoss, {kBoth, kBoth}));
  expect_gradients(grad_case(Op::MseLoss, {kBoth, row}));
  expect_gradients(grad_case(Op::MseLoss, {number, kBoth}));
  expect_gradients(grad_case(Op::MseLoss, {single, kBoth}));
  expect_gradient(grad_case(Op::MseLoss, {{{0, 3}}, row}), 0, {});
  const GradOperand p{{2, 3}, {.1, .3, .5, .7, .9, .99}}, t{{2, 3}, {.9, .1, .5, .2, .8, .3}};
  expect_gradients(grad_case(Op::BinaryCrossEntropy, {p, t}), 1e-4);
  expect_gradients(grad_case(Op::BinaryCrossEntropyTerms, {p, t}), 1e-4);
}

TEST(GradientOfLosses, OfClassesInTensorsOfAnyRank) {
  const auto classes = [](std::vector<int64_t> sizes, std::vector<double> numbers) {
    return GradOperand{std::move(sizes), std::move(numbers), DType::I64};
  };
  for (const Op op : {Op::NllLoss, Op::CrossEntropyLoss}) {
    expect_gradients(grad_case(op, {{{3}}, classes({}, {2})}));
    expect_gradients(grad_case(op, {{{3}}, classes({1}, {1})}));
    expect_gradients(grad_case(op, {{{4, 3}}, classes({4}, {2, -100, 0, 2})}));
    expect_gradients(grad_case(op, {{{2, 3, 2}}, classes({2, 2}, {2, 0, -100, 1})}));
    expect_gradients(grad_case(op, {{{1, 3, 2, 2}}, classes({1, 2, 2}, {2, 0, 1, 1})}));
    // As in PyTorch: all classes are ignored, so that the gradient is 0 although the loss is NaN.
    expect_gradient(grad_case(op, {{{2, 3}}, classes({2}, {-100, -100})}), 0,
                    std::vector<double>(6, 0));
  }
}

TEST(GradientOfLosses, OfProbabilitiesInTensorsOfAnyRank) {
  const std::vector<std::vector<int64_t>> all_sizes = {{3}, {2, 3}, {2, 3, 2}, {1, 3, 2, 2}};
  for (const auto& sizes : all_sizes)
    expect_gradients(grad_case(Op::CrossEntropyLoss, {{sizes}, {sizes}}));
}

TEST(GradientOfLosses, HasPyTorchsValueAtTheEdges) {
  const double g = weights(1)[0];
  const GradOperand p{{4}, {0, 1, .5, .25}}, t{{4}, {0, 1, 1, .5}};
  const GradCase of = grad_case(Op::BinaryCrossEntropy, {p, t});
  expect_gradient(of, 0, {0, 0, -2 * g / 4, -4 * g / 12});
  expect_gradient(of, 1, {kInf, -kInf, 0, std::log(3) * g / 4});
  const double least = 1e-310;  // its reciprocal overflows
  expect_gradient(grad_case(Op::BinaryCrossEntropy, {{{1}, {least}}, {{1}, {1}}}), 1,
                  {-std::log(least) * g});
}

}  // namespace
}  // namespace rt::test
