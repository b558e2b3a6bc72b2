// backend_test.cpp -- the libtorch backend without an engine: rows, layouts, programs, scripts.
#include <gmock/gmock.h>
#include <torch/script.h>

#include <clocale>
#include <locale>
#include <sstream>

#include "executor/torchscript/buffer.h"
#include "tests/executor/reference_rig.h"
#include "tests/graph/samples.h"
#include "tests/torchscript/rig.h"

namespace rt::test {
namespace {

using testing::HasSubstr;

/// Deterministic inputs that no row refuses: numbers between 0 and 1, bools of both values, indices
/// 0.
std::vector<BufferRef> inputs_of(Rig& rig, const Batch& batch) {
  std::vector<BufferRef> inputs;
  for (uint32_t value = 0; value < batch.values.size(); ++value) {
    if (!batch.is_input(value)) continue;
    const size_t n = static_cast<size_t>(numel(batch.sizes(value)));
    std::vector<double> data(n);
    const bool floating = is_float(batch.values[value].dtype);
    for (size_t i = 0; i < n; ++i) data[i] = floating ? static_cast<double>(i * 37 % 64) / 64 : 0;
    if (batch.values[value].dtype == DType::Bool)
      for (size_t i = 0; i < n; i += 2) data[i] = 1;
    const BufferRef plain = rig.backend->from_host(data.data(), DType::F64, batch.sizes(value), {});
    std::vector<char> bytes(n * 8);
    rig.backend->to_host(*plain, batch.values[value].dtype, bytes.data());
    inputs.push_back(
        rig.backend->from_host(bytes.data(), batch.values[value].dtype, batch.sizes(value), {}));
  }
  return inputs;
}

class RunOfRow : public testing::TestWithParam<const OpInfo*> {};
INSTANTIATE_TEST_SUITE_P(Rows, RunOfRow, testing::ValuesIn(every_row()), name_of_row);

/// True where random operands are none of those that the row has one right result for: a matrix
/// that is not positive definite or singular, an output that is another input's.
bool needs_chosen_operands(Op op) {
  return op == Op::Cholesky || op == Op::SolveTriangular || op == Op::CumprodBackward;
}

TEST_P(RunOfRow, GivesWhatTheReferenceGives) {
  if (needs_chosen_operands(GetParam()->op)) GTEST_SKIP() << "its golden cases have operands";
  Rig reference, other(libtorch());
  reference.batch = other.batch = sample(*GetParam());
  reference.inputs = other.inputs = inputs_of(reference, reference.batch);
  reference.backend->seed(7);
  other.backend->seed(7);
  const Value root{reference.batch.roots[0]};
  const BufferRef wanted = reference.run(root), got = other.run(root);
  EXPECT_EQ(to_string(got->dtype(), got->sizes()), to_string(wanted->dtype(), wanted->sizes()));
  std::vector<double> a(static_cast<size_t>(got->numel())), b(a.size());
  reference.backend->to_host(*wanted, DType::F64, a.data());
  other.backend->to_host(*got, DType::F64, b.data());
  // The signs of singular vectors are free.
  if (GetParam()->rules.ambiguous && GetParam()->op != Op::Eig)
    for (std::vector<double>* values : {&a, &b})
      for (double& value : *values) value = std::abs(value);
  for (size_t i = 0; i < a.size(); ++i)
    EXPECT_TRUE(a[i] == b[i] || (std::isnan(a[i]) && std::isnan(b[i])) ||
                std::abs(a[i] - b[i]) <= 1e-5 + 1.3e-6 * std::abs(a[i]))
        << "element " << i << " is " << b[i] << ", the reference has " << a[i];
  EXPECT_EQ(other.backend->fallback_nodes(), 0);
}

TEST_P(RunOfRow, IsAModuleThatLoadsAndGivesTheSame) {
  Rig rig(libtorch());
  rig.batch = sample(*GetParam());
  if (GetParam()->rules.effect == Effect::Random) GTEST_SKIP() << "its numbers are not repeated";
  if (needs_chosen_operands(GetParam()->op)) GTEST_SKIP() << "its golden cases have operands";
  rig.inputs = inputs_of(rig, rig.batch);
  const BufferRef wanted = rig.run({rig.batch.roots[0]});
  std::istringstream archive(rig.backend->script(rig.batch, ScriptForm::Module));
  torch::jit::Module module = torch::jit::load(archive);
  std::vector<c10::IValue> arguments;  // scalars keep their recorded values
  for (const BufferRef& input : rig.inputs) arguments.push_back(torchscript::tensor_over(*input));
  const at::Tensor got = module.forward(arguments).toTensor();
  EXPECT_TRUE(at::allclose(got, torchscript::tensor_over(*wanted), 0, 0, /*equal_nan=*/true))
      << got;
}

// Results may depend on the processor (oneDNN's gelu of an infinity does), so that no golden case
// has them.
TEST(Backend, EdgesAreWhatTheSameLibtorchMakesOfThem) {
  using Function = at::Tensor (*)(const at::Tensor&);
  const auto gelu = [](const at::Tensor& x) { return at::gelu(x); };
  const auto gelu_slope = [](const at::Tensor& x) { return at::gelu_backward(x, x); };
  const std::pair<Op, Function> functions[] = {{Op::Exp, at::exp},
                                               {Op::Log, at::log},
                                               {Op::Sqrt, at::sqrt},
                                               {Op::Sin, at::sin},
                                               {Op::Cos, at::cos},
                                               {Op::Tan, at::tan},
                                               {Op::Asin, at::asin},
                                               {Op::Acos, at::acos},
                                               {Op::Sigmoid, at::sigmoid},
                                               {Op::Tanh, at::tanh},
                                               {Op::Relu, at::relu},
                                               {Op::Gelu, gelu},
                                               {Op::GeluBackward, gelu_slope}};
  constexpr double kEdges[] = {NAN,   INFINITY, -INFINITY, 0.,    -0.,  1e-45, -1e-45, 1e-39,
                               1e-20, -1e-20,   1e19,      -1e19, 3e38, -3e38, 90,     -90};
  // One element, and fewer, as many and more than a vector holds.
  for (const int64_t count : {1, 5, 16, 37}) {
    std::vector<float> values(static_cast<size_t>(count));
    for (size_t i = 0; i < values.size(); ++i)
      values[i] = static_cast<float>(kEdges[(i + values.size()) % std::size(kEdges)]);
    for (const auto& [op, function] : functions) {
      SCOPED_TRACE(std::string(info(op).name) + " of " + std::to_string(count));
      Rig rig(libtorch());
      const Value x = rig.input<float>({count}, values);
      const at::Tensor wanted = function(torchscript::tensor_over(*rig.inputs[0]));
      const bool binary = op == Op::GeluBackward;
      const BufferRef got = rig.run(binary ? rig.step(op, {x, x}) : rig.step(op, {x}));
      EXPECT_TRUE(at::allclose(torchscript::tensor_over(*got), wanted, 0, 0, /*equal_nan=*/true))
          << torchscript::tensor_over(*got) << wanted;
    }
  }
}

TEST(Backend, RowsOfOneOperatorShareItsNode) {
  Rig rig(libtorch());
  const Value x = rig.input<float>({1, 1, 2, 4}, {1, 5, 3, 2, 4, 0, 7, 6});
  const Value most = rig.step(Op::MaxPool2d, {x}, {2, 2, 2, 0, 2, 0, 0});
  const Value where = rig.step(Op::MaxPool2dIndices, {x}, {2, 2, 2, 0, 2, 0, 0});
  rig.batch.roots = {most.id, where.id};
  const std::string script = rig.backend->script(rig.batch, ScriptForm::Ir);
  const size_t first = script.find("max_pool2d_with_indices");
  ASSERT_NE(first, std::string::npos) << script;
  EXPECT_EQ(script.find("max_pool2d_with_indices", first + 1), std::string::npos) << script;
  rig.expect(most, {1, 1, 1, 2}, std::vector<float>{5, 7});
  rig.expect(where, {1, 1, 1, 2}, std::vector<int64_t>{1, 6});
}

TEST(Backend, ResultsLieWhereLibtorchPutThemAndInputsWhereTheyWere) {
  Rig rig(libtorch());
  const Value x = rig.input<float>({2, 3}, {1, 2, 3, 4, 5, 6});
  const Value y = rig.step(Op::Transpose, {x}, {0, 1});
  const BufferRef view = rig.run(y);
  EXPECT_EQ(view->data(), rig.inputs[0]->data()) << "a view of an input is that input's memory";
  EXPECT_EQ(view->storage().get(), rig.inputs[0]->storage().get());

  const BufferRef sum = rig.run(rig.step(Op::Add, {x, x}));
  const at::Tensor tensor = torchscript::tensor_over(*sum);
  EXPECT_EQ(tensor.data_ptr(), sum->data());
  const BufferRef again(torchscript::buffer_of(tensor, DType::F32, {}, sum->sizes(), rig.memory));
  EXPECT_EQ(again->storage().get(), sum->storage().get());
}

TEST(Backend, RootsThatShareMemoryShareAStorage) {
  Rig rig(libtorch());
  const Value x = rig.input<float>({2, 3}, {1, 2, 3, 4, 5, 6});
  const Value y = rig.step(Op::Exp, {x}), z = rig.step(Op::T, {y});
  rig.batch.roots = {y.id, z.id};
  const auto roots = rig.run_program();
  EXPECT_EQ(roots[0]->storage().get(), roots[1]->storage().get());
  EXPECT_EQ(to_string(roots[1]->strides()), "[1,3]");
}

TEST(Backend, OnlyViewsHaveStridesOfTheirOwn) {
  Rig rig(libtorch());
  const Value x = rig.input<float>({2, 3}, {1, 2, 3, 4, 5, 6});
  const Value turned = rig.step(Op::T, {x}), y = rig.step(Op::Relu, {turned});
  const Value z = rig.step(Op::T, {y});
  rig.batch.roots = {y.id, z.id};
  const auto stepped = rig.run_steps();
  EXPECT_EQ(to_string(stepped[y.id]->strides()), "[2,1]");
  EXPECT_EQ(to_string(stepped[z.id]->strides()), "[1,2]");
  const auto roots = rig.run_program();
  EXPECT_EQ(to_string(roots[0]->strides()), "[2,1]");
  EXPECT_EQ(to_string(roots[1]->strides()), "[1,2]");
}

TEST(Backend, LongBatchesAreSeveralGraphs) {
  Rig rig(libtorch());
  const uint32_t steps = 5000;
  rig.batch = chain(steps);
  rig.inputs = {rig.buffer<float>(std::vector<int64_t>{2}, {1, -2})};
  // The last graph reads a value of the first one.
  const uint32_t both[] = {rig.batch.steps[10].result, rig.batch.roots[0]};
  const std::vector<int64_t> sizes = {2};
  rig.batch.roots.push_back(rig.batch.add_step(Op::Sub, both, {}, DType::F32, {}, sizes));
  const auto roots = rig.run_program();
  EXPECT_EQ(rig.values<float>(*roots[0]), (std::vector<float>{1, -2}));
  EXPECT_EQ(rig.values<float>(*roots[1]), (std::vector<float>{-2, 4}));
}

TEST(Backend, ScalarsAreInputsOfAProgram) {
  Rig rig(libtorch());
  const Value x = rig.input<float>({2}, {1, 2});
  const Value y = rig.step(Op::AddScalar, {rig.step(Op::MulScalar, {x}, {0.5})}, {1.0});
  rig.batch.roots = {y.id};
  const auto program = rig.backend->compile(rig.batch);
  for (const double scale : {0.5, 3.0}) {
    const int64_t scalars[] = {std::bit_cast<int64_t>(scale), std::bit_cast<int64_t>(10.0)};
    BufferRef root;
    program->run(rig.inputs, scalars, {&root, 1});
    const auto low = static_cast<float>(scale);
    EXPECT_EQ(rig.values<float>(*root), (std::vector<float>{low + 10, 2 * low + 10}));
  }
}

TEST(Backend, HalfPrecisionScalarsAreNotRoundedFirst) {
  Rig rig(libtorch());
  const Value x = rig.input<float>({2}, {1, 2});
  for (const DType half : {DType::F16, DType::BF16}) {
    Value h = rig.step(Op::Cast, {x}, {}, {}, half);
    const BufferRef sum = rig.run(rig.step(Op::MulScalar, {h}, {0.1}));
    EXPECT_EQ(sum->dtype(), half);
    double got = 0;
    std::vector<double> all(2);
    rig.backend->to_host(*sum, DType::F64, all.data());
    got = all[1];
    EXPECT_NEAR(got, 0.2, half == DType::F16 ? 1e-4 : 1e-3);
  }
}

TEST(Backend, NormsOfHalvesTakeParametersOfF32) {
  for (const DType half : {DType::F16, DType::BF16}) {
    Rig rig(libtorch());
    const Value x =
        rig.step(Op::Cast, {rig.input({2, 2}, std::vector<float>{1.5, 2.5, 3, -1})}, {}, {}, half);
    const Value weight = rig.input({2}, std::vector<float>{1, 2}),
                bias = rig.input({2}, std::vector<float>{.5, 0});
    const Value mean = rig.input({2}, std::vector<float>{0, 1}),
                variance = rig.input({2}, std::vector<float>{1, 4});
    const auto expect = [&](Value result, const std::vector<float>& numbers) {
      EXPECT_EQ(rig.batch.values[result.id].dtype, half);
      rig.expect(rig.step(Op::Cast, {result}, {}, {}, DType::F32), {2, 2}, numbers, 1e-2);
    };
    expect(rig.step(Op::LayerNorm, {x, weight, bias}, {1e-5, 1, 2}), {-.5, 2, 1.5, -2});
    expect(rig.step(Op::BatchNorm, {x, weight, bias, mean, variance}, {1e-5}), {2, 1.5, 3.5, -2});
    expect(rig.step(Op::BatchNormOfBatch, {x, weight, bias}, {1e-5}), {-.5, 2, 1.5, -2});
  }
}

TEST(Backend, FailuresNameCauseAndStep) {
  Rig rig(libtorch());
  const Value x = rig.input<float>({2, 3}, {1, 2, 3, 4, 5, 6});
  const Value index = rig.input<int64_t>({1}, {9});
  const Value bad = rig.step(Op::IndexSelect, {x, index}, {0});
  Rig reference;
  reference.batch = rig.batch;
  reference.inputs = rig.inputs;
  std::string attributes;
  try {
    reference.run_steps();
  } catch (const StepError& error) {
    attributes = error.text();
  }
  EXPECT_THAT(attributes, HasSubstr("9"));
  rig.expect_failure(bad, 0, attributes);
}

TEST(Backend, ARunThatFailedGivesItsRandomNumbersBack) {
  const auto backend = libtorch();
  backend->seed(3);
  const auto before = backend->random_state();
  const auto draw = [&] {
    Rig rig(libtorch());
    const Value x = rig.step(Op::Randn, {}, {}, {5});
    rig.batch.roots = {x.id};
    return rig.values<float>(*rig.run_steps()[x.id]);
  };
  const auto first = draw();
  EXPECT_NE(draw(), first);
  backend->restore(*before);
  EXPECT_EQ(draw(), first);
}

// A column-major operand is drawn in the order of its memory.
TEST(Backend, DropoutIsAProductWithItsMaskAndTheReferences) {
  std::vector<float> numbers(35);
  for (size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<float>(i) - 17.5f;
  for (const Strides& strides : {Strides{7, 1}, Strides{1, 5}})
    for (const double p : {0.3, 1.0}) {
      const auto run = [&](Rig rig, bool masked) {
        rig.backend->seed(3);
        const Value x = rig.strided(numbers, {{5, 7}, strides, 0});
        const Value drawn = rig.step(masked ? Op::DropoutMask : Op::Dropout, {x}, {p, 1});
        return rig.values<float>(*rig.run(masked ? rig.step(Op::Mul, {x, drawn}) : drawn));
      };
      const std::vector<float> wanted = run(Rig(), false);
      EXPECT_EQ(run(Rig(libtorch()), false), wanted) << p;
      EXPECT_EQ(run(Rig(libtorch()), true), wanted) << p;
    }
}

TEST(Backend, GradientsOfWindowsAreTheReferences) {
  const auto run = [](Rig rig, Op op, std::initializer_list<Word> attributes, const Shape& out,
                      const Shape& weight) {
    const auto input = [&](const Shape& sizes) {
      std::vector<float> numbers(static_cast<size_t>(numel(sizes)));
      for (size_t i = 0; i < numbers.size(); ++i)
        numbers[i] = static_cast<float>(i * 37 % 101) / 64 - 0.5f;
      return rig.input(sizes, numbers);
    };
    const Value grad = input(out), x = input({2, 4, 6, 5});
    const auto step = [&] {
      if (op == Op::AvgPool2dBackward) return rig.step(op, {grad, x}, attributes);
      if (op == Op::MaxPool2dBackward)
        return rig.step(op, {grad, x, rig.step(Op::MaxPool2dIndices, {x}, attributes)}, attributes);
      return rig.step(op, {grad, x, input(weight)}, attributes);
    };
    return rig.values<float>(*rig.run(step()));
  };
  const auto check = [&](Op op, std::initializer_list<Word> attributes, const Shape& out,
                         const Shape& weight = {}) {
    EXPECT_THAT(
        run(Rig(libtorch()), op, attributes, out, weight),
        testing::Pointwise(testing::FloatNear(1e-4f), run(Rig(), op, attributes, out, weight)))
        << info(op).name;
  };
  for (const Op op : {Op::Conv2dBackwardInput, Op::Conv2dBackwardWeight}) {
    check(op, {1, 2, 1, 1, 2, 1, 1, 2, 1, 1}, {2, 3, 6, 5}, {3, 4, 3, 3});
    check(op, {2, 2, 2, 1, 2, 0, 2, 2, 1, 2}, {2, 6, 3, 7}, {6, 2, 2, 2});
  }
  for (const Op op : {Op::MaxPool2dBackward, Op::AvgPool2dBackward})
    check(op, {2, 3, 2, 2, 2, 1, 2, 1, 1}, {2, 4, 3, 6});
}

TEST(Backend, CountsTheMemoryOfItsResults) {
  static MemoryCount memory;
  Rig rig(make_libtorch_backend(memory, 1, ""));
  {
    const Value x = rig.input<float>({1000}, std::vector<float>(1000, 1));
    const int64_t before = memory.live;
    const BufferRef sum = rig.run(rig.step(Op::Add, {x, x}));
    EXPECT_GE(memory.live - before, 4000);
  }
  rig.inputs.clear();
  EXPECT_EQ(memory.live, 0);
}

TEST(Backend, TextNamesEveryOperator) {
  const auto backend = libtorch();
  const std::string text = backend->script(small_batch(), ScriptForm::Ir);
  EXPECT_THAT(text, HasSubstr("aten::matmul(%x0, %x1)"));
  EXPECT_THAT(text, HasSubstr("%s0 : float"));
  EXPECT_THAT(text, HasSubstr("return"));
}

TEST(Backend, AModuleOfSeveralRootsGivesATuple) {
  Rig rig(libtorch());
  const Value x = rig.input<float>({2}, {1, 2});
  const Value y = rig.step(Op::AddScalar, {x}, {2.5}), z = rig.step(Op::Neg, {y});
  rig.batch.roots = {y.id, z.id};
  std::istringstream archive(rig.backend->script(rig.batch, ScriptForm::Module));
  torch::jit::Module module = torch::jit::load(archive);
  const at::Tensor in = torchscript::tensor_over(*rig.inputs[0]);
  const auto roots = module.forward({in}).toTuple();
  EXPECT_TRUE(at::equal(roots->elements()[0].toTensor(), in + 2.5));
  EXPECT_TRUE(at::equal(roots->elements()[1].toTensor(), -(in + 2.5)));
  EXPECT_TRUE(at::equal(module.forward({in, 1.0}).toTuple()->elements()[0].toTensor(), in + 1));
}

struct Comma : std::numpunct<char> {
  char do_decimal_point() const override { return ','; }
  char do_thousands_sep() const override { return '.'; }
  std::string do_grouping() const override { return "\3"; }
};

TEST(Backend, WhatIsWrittenDoesNotDependOnTheLocaleOfTheHost) {
  Rig rig(libtorch());
  const Value x = rig.input<float>({1234}, std::vector<float>(1234, 1));
  rig.batch.roots = {rig.step(Op::AddScalar, {x}, {1234.5}).id};
  const std::string text = rig.backend->script(rig.batch, ScriptForm::Ir);
  const std::string of_c = std::setlocale(LC_ALL, nullptr);
  const std::locale comma(std::locale::classic(), new Comma), before = std::locale::global(comma);
  const std::string again = rig.backend->script(rig.batch, ScriptForm::Ir);
  std::istringstream archive(rig.backend->script(rig.batch, ScriptForm::Module));
  EXPECT_EQ(std::locale(), comma);
  EXPECT_EQ(std::setlocale(LC_ALL, nullptr), of_c);
  std::locale::global(before);
  EXPECT_EQ(again, text);
  const at::Tensor in = torchscript::tensor_over(*rig.inputs[0]);
  EXPECT_TRUE(at::equal(torch::jit::load(archive).forward({in}).toTensor(), in + 1234.5));
}

}  // namespace
}  // namespace rt::test
