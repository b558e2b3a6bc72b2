// plans_test.cpp -- compares the op table with the schemas of the linked libtorch.
#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/csrc/jit/ir/ir.h>
#include <torch/csrc/jit/runtime/interpreter.h>

#include "executor/torchscript/lower.h"
#include "executor/torchscript/operators.h"
#include "executor/torchscript/plan.h"
#include "executor/torchscript/random.h"
#include "tests/graph/samples.h"

namespace rt::torchscript {
namespace {

class PlanOfRow : public testing::TestWithParam<const OpInfo*> {};
INSTANTIATE_TEST_SUITE_P(Rows, PlanOfRow, testing::ValuesIn(test::every_row()), test::name_of_row);

TEST_P(PlanOfRow, IsAnOperatorWhoseArgumentsIncludeItsParameters) {
  EXPECT_EQ(plan_of(GetParam()->op).problem, "");
}

TEST_P(PlanOfRow, LowersToTheOverloadThatItNames) {
  const Batch batch = test::sample(*GetParam());
  for (const Purpose purpose : {Purpose::Running, Purpose::Reading}) {
    const bool running = purpose == Purpose::Running;
    const auto wanted =
        operator_name(!running                       ? GetParam()->rules.aten
                      : GetParam()->op == Op::Matmul ? "aten::mm"  // for matrices
                                                     : plan_of(GetParam()->op).name);
    const Part part = lower(batch, 0, 1, purpose);
    part.graph->lint();
    const auto nodes = part.graph->nodes();
    const auto node = std::find_if(nodes.begin(), nodes.end(), [&](const torch::jit::Node* one) {
      return one->kind() == c10::Symbol::fromQualString(wanted.name);
    });
    ASSERT_NE(node, nodes.end()) << *part.graph;
    const auto& schema = node->schema();
    // A numeric scalar selects the overload for numbers.
    const bool number = purpose == Purpose::Reading && !part.further.empty();
    EXPECT_TRUE(schema.overload_name() == wanted.overload_name ||
                (number && schema.overload_name() == "Scalar"))
        << schema;
    EXPECT_EQ(part.results.size(), 1u);
  }
}

/// A result that only another step reads may be planned.
TEST_P(PlanOfRow, WritesToPlannedMemoryByTheOverloadForThat) {
  Batch batch = test::sample(*GetParam());
  const uint32_t root = batch.roots[0];
  if (GetParam()->rules.view || batch.values[root].dtype == DType::Bool) GTEST_SKIP();
  batch.roots = {batch.add_step(Op::Neg, std::span(&root, 1), {}, batch.values[root].dtype, {},
                                Shape(batch.sizes(root)))};
  const auto steps = static_cast<uint32_t>(batch.steps.size());
  EXPECT_TRUE(lower(batch, 0, steps, Purpose::Running, {.reuse = false}).planned.empty());
  EXPECT_TRUE(lower(batch, 0, steps, Purpose::Reading).planned.empty());
  const Part part = lower(batch, 0, steps, Purpose::Running);
  part.graph->lint();
  const torch::jit::Code code(part.graph, "compiles");
  for (const torch::jit::Node* node : part.graph->nodes()) {
    const auto& schema = node->maybeSchema();
    if (!schema) continue;
    const auto& arguments = schema->arguments();
    const bool planned = std::ranges::any_of(node->inputs(), [](const torch::jit::Value* value) {
      return value->debugNameBase().starts_with('m');
    });
    EXPECT_EQ(planned, !arguments.empty() && arguments.back().is_out()) << *node;
    EXPECT_TRUE(!planned || node->inputs().back()->debugNameBase().starts_with('m')) << *node;
  }
  const bool known = GetParam()->op == Op::Matmul || GetParam()->op == Op::SumDim;
  EXPECT_GE(part.planned.size(), size_t{known});
}

TEST_P(PlanOfRow, LowersForCudaWithWhatCudaWouldNotSurviveChecked) {
  register_operators();
  Batch batch = test::sample(*GetParam());
  for (Batch::Item& item : batch.values) item.device = 0;
  const Part part = lower(batch, 0, 1, Purpose::Running);
  part.graph->lint();
  const std::string text = part.graph->toString(false);
  EXPECT_EQ(text.find("cpu"), std::string::npos) << text;
  const torch::jit::Code code(part.graph, "compiles");
  const Batch::Step& step = batch.steps[0];
  std::vector<TensorType> types;
  for (const uint32_t operand : batch.operands_of(step)) types.push_back(batch.type(operand));
  const RangeRule range = GetParam()->rules.range;
  const bool has_range = range && !range(batch.attributes_of(step), types).empty();
  const bool checked = text.find("rt_torch::check_range") != std::string::npos;
  EXPECT_EQ(checked, has_range) << text;
}

TEST(Dropout, DrawsWhatLibtorchDrawsWithoutMkl) {
  if (__builtin_cpu_is("intel")) GTEST_SKIP() << "aten::dropout draws with MKL here";
  register_operators();
  const auto handle = c10::Dispatcher::singleton().findSchemaOrThrow("rt_torch::dropout", "");
  const at::Tensor plain = at::randn({40, 33});
  for (const at::Tensor& input : {plain, plain.t(), plain.to(at::kDouble), at::ones({3})})
    for (const double p : {0.0, 0.1, 0.5, 1.0}) {
      torch::jit::Stack stack{input, p, true};
      Generators::instance().seed(11);
      handle.callBoxed(stack);
      at::manual_seed(11);
      EXPECT_TRUE(at::equal(stack[0].toTensor(), at::dropout(input, p, true))) << p;
    }
}

TEST(Plan, AsksForTheOneResultThatIsWanted) {
  const auto mask = [](Op op) {
    for (const ArgumentSource& source : plan_of(op).sources)
      if (source.constant.isBoolList()) return source.constant.toBoolList().vec();
    return std::vector<bool>();
  };
  EXPECT_EQ(mask(Op::Conv2dBackwardInput), (std::vector<bool>{true, false, false}));
  EXPECT_EQ(mask(Op::Conv2dBackwardWeight), (std::vector<bool>{false, true, false}));
}

TEST(Plan, NamesWhatThisLibtorchLacks) {
  EXPECT_FALSE(
      c10::Dispatcher::singleton().findSchema(operator_name("aten::no_such_operator.Tensor")));
  const auto name = operator_name("aten::add.Tensor");
  EXPECT_EQ(name.name, "aten::add");
  EXPECT_EQ(name.overload_name, "Tensor");
}

at::Tensor checked(const at::Tensor& tensor, double low, double high, double ignored) {
  register_operators();
  torch::jit::Stack stack{tensor, low, high, ignored};
  c10::Dispatcher::singleton().findSchemaOrThrow("rt_torch::check_range", "").callBoxed(stack);
  return stack[0].toTensor();
}

TEST(CheckRange, LetsThroughWhatACudaKernelWouldSurvive) {
  const double nothing = std::nan("");
  const at::Tensor indices = at::tensor(std::vector<int64_t>{0, 4, -100});
  EXPECT_TRUE(checked(indices, 0, 4, -100).is_same(indices));
  EXPECT_NO_THROW(checked(at::tensor(std::vector<double>{0, 0.5, 1}), 0, 1, nothing));
  EXPECT_NO_THROW(checked(at::empty({0}, at::kLong), 0, -1, nothing));
}

TEST(CheckRange, NamesTheElementThatIsOut) {
  const double nothing = std::nan("");
  const auto message = [&](const at::Tensor& tensor, double low, double high) -> std::string {
    try {
      checked(tensor, low, high, nothing);
    } catch (const c10::Error& error) {
      return error.what_without_backtrace();
    }
    return "";
  };
  EXPECT_EQ(message(at::tensor(std::vector<int64_t>{0, 7}), 0, 4),
            "7 is out of range: from 0 to 4 is allowed");
  EXPECT_NE(message(at::tensor(std::vector<double>{0, 1.5}), 0, 1), "");
  EXPECT_NE(message(at::tensor(std::vector<double>{std::nan("")}), 0, 1), "");
  // As f32, the type of the comparison with a double, both would be equal.
  EXPECT_NE(message(at::tensor(std::vector<int64_t>{16777217}), 0, 16777216), "");
}

TEST(CheckRange, KnowsTheRowsThatIndex) {
  const int64_t self[] = {5, 3}, index[] = {2};
  const TensorType operands[] = {{DType::F32, {}, false, self}, {DType::I64, {}, false, index}};
  const auto high = [&](Op op, std::vector<int64_t> attributes) {
    const RangeRule range = info(op).rules.range;
    return range ? range({info(op), attributes}, std::span(operands))[0].high : -1;
  };
  EXPECT_EQ(high(Op::IndexSelect, {0}), 4);
  EXPECT_EQ(high(Op::IndexSelect, {1}), 2);
  EXPECT_EQ(high(Op::Gather, {1}), 2);
  EXPECT_EQ(high(Op::ScatterAdd, {1}), 2);
  EXPECT_EQ(high(Op::IndexAdd, {0}), 4);
  EXPECT_EQ(high(Op::EmbeddingBackward, {7}), 6);
  EXPECT_EQ(high(Op::NllLoss, {}), 2);
  EXPECT_EQ(high(Op::CrossEntropyLoss, {}), 2);
  EXPECT_EQ(high(Op::BinaryCrossEntropy, {}), 1);
  EXPECT_EQ(high(Op::Add, {}), -1);
}

}  // namespace
}  // namespace rt::torchscript
