// gradcheck_test.cpp -- compares gradients of every exported row with differences of its results.
#include <dlfcn.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <set>

#include "tests/autograd/rig.h"
#include "tests/graph/samples.h"
#include "tests/support/call_by_name.h"

namespace rt_test {
namespace {

using rt::Kind;
using rt::OpInfo;
using Doubles = std::vector<double>;
using Handles = std::vector<int64_t>;
/// Calls a function on operands and returns the result's handle.
using Function = std::function<int64_t(const Handles&)>;

/// Rows of floats without a gradient, as in PyTorch.
const std::set<std::string_view> kNoGradient = {"floor_divide", "floor_divide_scalar"};
/// Rows that have results from 1 on alone.
const std::set<std::string_view> kFromOne = {"acosh"};

/// Rows that read one triangle of a symmetric matrix: they are checked for x times its transpose.
const std::set<std::string_view> kSymmetric = {"cholesky", "eigh_values", "eigh_vectors"};

/// An operand; gradients are checked for real ones that are no labels.
struct Content {
  bool real;
  std::vector<int64_t> sizes;
  Doubles numbers;
  rt::DType dtype = rt::DType::F64;
  bool label = false;
};

int64_t make(const Content& content) {
  const auto count = static_cast<int64_t>(content.numbers.size());
  const auto rank = static_cast<int64_t>(content.sizes.size());
  return rt_torch_tensor(content.numbers.data(), count, content.sizes.data(), rank,
                         static_cast<int64_t>(content.dtype), 0);
}

/// Fills in unordered numbers, all distinct and nonzero: in (0, 1), or of both signs. Integers are
/// indices into a dimension of two. No quotient of two numbers of different contents is whole:
/// remainders jump there.
void fill(std::vector<Content>& contents, bool both_signs, double least = 0) {
  int64_t next = 5;
  double shift = least;
  for (Content& content : contents) {
    for (double& number : content.numbers) {
      next = next * 620 % 1009;  // runs through all of 1 to 1008
      number = static_cast<double>(next) / 1010 + shift;
      if (!content.real) number = next % 3 > 0;
      else if (both_signs && next % 2 == 0) number = -1.5 * number;
    }
    shift += 0.0004;
  }
}

double element(int64_t handle) {
  return handle > 0 ? rt_torch_torchtensor_item(handle) : std::nan("");
}

/// A sum of the result's elements with different weights; 0 on failure.
Tensor weighted_sum(const Function& function, const Handles& operands) {
  rt_torch_manual_seed(11);
  const Tensor result = function(operands);
  if (result == 0) return 0;
  std::vector<int64_t> sizes(8);
  sizes.resize(static_cast<size_t>(
      std::max<int64_t>(rt_torch_torchtensor_shape(result, sizes.data(), 8), 0)));
  Content weights{true, sizes, Doubles(static_cast<size_t>(rt::numel(rt::Sizes(sizes))))};
  for (size_t i = 0; i < weights.numbers.size(); ++i)
    weights.numbers[i] = 0.25 + static_cast<double>(i * 5 % 7) / 4;
  const Tensor weight = make(weights), product = rt_torch_torchtensor_mul(result, weight);
  return rt_torch_torchtensor_sum_tensor(product);
}

double value(const Function& function, const std::vector<Content>& contents) {
  std::vector<Tensor> tensors;
  for (const Content& content : contents) tensors.emplace_back(make(content));
  return element(weighted_sum(function, {tensors.begin(), tensors.end()}));
}

/// The derivative of the weighted sum by one number of the contents.
double difference(const Function& function, const std::vector<Content>& contents, double& number) {
  constexpr double kStep = 1e-6;
  const double middle = number;
  number = middle + kStep;
  const double above = value(function, contents);
  number = middle - kStep;
  const double below = value(function, contents);
  number = middle;
  return (above - below) / (2 * kStep);
}

void expect_gradients(const Function& function, std::vector<Content>& contents,
                      const std::vector<Tensor>& leaves) {
  for (size_t at = 0; at < contents.size(); ++at) {
    if (!contents[at].real || contents[at].label) continue;
    SCOPED_TRACE("operand " + std::to_string(at) + " of sizes " +
                 rt::to_string(rt::Sizes(contents[at].sizes)));
    const Tensor gradient = rt_torch_autograd_grad(leaves[at]);
    ASSERT_GT(gradient, 0) << last_error();
    Doubles got(contents[at].numbers.size());
    ASSERT_EQ(rt_torch_copy_data(gradient, got.data(), static_cast<int64_t>(got.size()), 1),
              static_cast<int64_t>(got.size()))
        << last_error();
    Doubles want;
    double most = 0;  // errors of factors of a matrix are relative to all of it
    for (double& number : contents[at].numbers) {
      want.push_back(difference(function, contents, number));
      most = std::max(most, std::abs(want.back()));
    }
    for (size_t i = 0; i < got.size(); ++i)
      ASSERT_NEAR(got[i], want[i], 1e-6 * (1 + most)) << "element " << i;
  }
}

/// Returns false where the function's result is not finite.
bool check(const Function& function, std::vector<Content>& contents) {
  rt_torch_clear_error();
  if (!std::isfinite(value(function, contents))) return false;
  EXPECT_EQ(last_error(), "");
  std::vector<Tensor> leaves;
  for (const Content& content : contents) {
    leaves.emplace_back(make(content));
    if (content.real) rt_torch_autograd_set_requires_grad(leaves.back(), 1);
  }
  const Tensor loss = weighted_sum(function, {leaves.begin(), leaves.end()});
  rt_torch_autograd_backward(loss);
  EXPECT_EQ(last_error(), "");
  expect_gradients(function, contents, leaves);
  return true;
}

// ---- Rows as functions ------------------------------------------------------

/// The function that returns the row's result as a handle; empty if the ABI returns only a number.
std::string symbol_of(const OpInfo& row) {
  std::string symbol(row.symbol);
  if (row.result != Kind::Float) return symbol;
  symbol += "_tensor";
  return dlsym(RTLD_DEFAULT, symbol.c_str()) == nullptr ? "" : symbol;
}

/// The client's scalars: an exponent, a slope, an eps, a probability.
double scalar_for(std::string_view name) { return name == "exponent" ? 2.5 : 0.3; }

void add_list(Call& call, rt::Sizes list) {
  call.add_list(std::vector<int64_t>(list.begin(), list.end()));
  call.add(static_cast<int64_t>(list.size()));
}

/// x times its transpose, and ones on the diagonal.
int64_t symmetric(int64_t x) {
  std::vector<int64_t> sizes(8);
  const int64_t rank = rt_torch_torchtensor_shape(x, sizes.data(), 8);
  const Tensor turned = rt_torch_torchtensor_transpose(x, rank - 2, rank - 1);
  const Tensor product = rt_torch_torchtensor_matmul(x, turned);
  const Tensor ones = rt_torch_torchtensor_eye(sizes[static_cast<size_t>(rank - 1)]);
  return rt_torch_torchtensor_add(product, ones);
}

/// The call that records the batch's only step.
Function function_of(const OpInfo& row, const rt::Batch& batch) {
  return [&row, &batch](const Handles& given) {
    Handles operands = given;
    Tensor made;
    if (kSymmetric.contains(row.name)) {
      made = Tensor(symmetric(given[0]));
      operands[0] = made;
    }
    const rt::Batch::Step& step = batch.steps[0];
    const rt::AttributesView attributes = batch.attributes_of(step);
    Call call;
    uint32_t tensor = 0, scalar = 0, integer = 0, list = 0;
    for (const rt::Param& param : row.params) {
      switch (param.kind) {
        case Kind::Tensor:
        case Kind::OptTensor: call.add(operands[tensor++]); break;
        case Kind::TensorList:
          call.add_list(operands);
          call.add(static_cast<int64_t>(operands.size()));
          break;
        case Kind::Float:
          ++scalar;
          call.add(scalar_for(param.name));
          break;
        case Kind::Index:
          call.add(batch.scalars[static_cast<size_t>(attributes.scalar(scalar++))]);
          break;
        case Kind::Sizes: add_list(call, batch.sizes(step.result)); break;
        case Kind::IntList: add_list(call, attributes.list(list++)); break;
        default: call.add(attributes.integer(integer++)); break;
      }
    }
    return call.to(symbol_of(row), 'i').integer;
  };
}

std::vector<Content> contents_of(const OpInfo& row, const rt::Batch& batch) {
  std::vector<Content> contents;
  for (const uint32_t operand : batch.operands_of(batch.steps[0])) {
    const rt::Sizes sizes = batch.sizes(operand);
    const rt::DType dtype = batch.values[operand].dtype;
    contents.push_back(
        {rt::is_float(dtype),
         {sizes.begin(), sizes.end()},
         Doubles(static_cast<size_t>(rt::numel(sizes))),
         rt::is_float(dtype) ? rt::DType::F64 : dtype,
         !row.variadic && rt::test::takes_no_gradient(row, row.params[contents.size()].name)});
  }
  return contents;
}

bool has_real(const std::vector<Content>& contents) {
  return std::any_of(contents.begin(), contents.end(), [](const Content& one) { return one.real; });
}

std::vector<const OpInfo*> rows() {
  std::vector<const OpInfo*> all;
  for (const OpInfo& row : rt::all_ops())
    if (!row.internal && row.params.size() > 0 && !symbol_of(row).empty()) all.push_back(&row);
  return all;
}

class GradCheck : public AbiTest, public testing::WithParamInterface<const OpInfo*> {};
INSTANTIATE_TEST_SUITE_P(Rows, GradCheck, testing::ValuesIn(rows()), rt::test::name_of_row);

TEST_P(GradCheck, AgreesWithDifferences) {
  const OpInfo& row = *GetParam();
  int checked = 0;
  for (const rt::Batch& batch : rt::test::samples(row, 40)) {
    std::vector<Content> contents = contents_of(row, batch);
    if (!has_real(contents)) continue;
    const Function function = function_of(row, batch);
    const rt::DType result = batch.values[batch.steps[0].result].dtype;
    if (!rt::is_float(result) || kNoGradient.contains(row.name)) {
      fill(contents, true);
      Handles operands;
      std::vector<Tensor> owned;
      for (const Content& content : contents) {
        owned.emplace_back(make(content));
        operands.push_back(owned.back());
      }
      rt_torch_autograd_set_requires_grad(owned[0], 1);
      const Tensor result = function(operands);
      EXPECT_EQ(rt_torch_autograd_requires_grad(result), 0);
      ++checked;
      continue;
    }
    for (const bool both_signs : {false, true}) {
      fill(contents, both_signs, kFromOne.contains(row.name) ? 1 : 0);
      checked += check(function, contents);
      rt_torch_clear_error();
      if (HasFailure()) return;
    }
  }
  EXPECT_GT(checked, 0);
}

// Values that a call records for its gradient end with its handles, also where it computes at once
// and where it is recorded as other ops.
TEST_P(GradCheck, LeavesNothing) {
  const OpInfo& row = *GetParam();
  int ran = 0;
  for (const rt::Batch& batch : rt::test::samples(row, 10)) {
    std::vector<Content> contents = contents_of(row, batch);
    fill(contents, false, kFromOne.contains(row.name) ? 1 : 0);
    const Function function = function_of(row, batch);
    for (const char* policy : {"eager", "data"}) {
      SCOPED_TRACE(policy);
      const int64_t before = rt_torch_stat("live_bytes");
      rt_torch_set_policy(policy);
      {
        Handles operands;
        std::vector<Tensor> owned;
        for (const Content& content : contents) {
          owned.emplace_back(make(content));
          operands.push_back(owned.back());
          if (content.real) rt_torch_autograd_set_requires_grad(owned.back(), 1);
        }
        const Tensor result = function(operands);
        rt_torch_flush();
        ran += result > 0;
      }
      rt_torch_sync();
      EXPECT_EQ(rt_torch_stat("live_bytes"), before);
    }
    rt_torch_set_policy("observe");
    rt_torch_clear_error();
    if (HasFailure()) return;
  }
  EXPECT_GT(ran, 0);
}

// ---- Calls that record several rows -----------------------------------------

class GradCheckOf : public AbiTest {
 protected:
  static void expect_agreement(const Function& function,
                               const std::vector<std::vector<int64_t>>& sizes) {
    std::vector<Content> contents;
    for (const auto& one : sizes)
      contents.push_back({true, one, Doubles(static_cast<size_t>(rt::numel(rt::Sizes(one))))});
    fill(contents, false);
    EXPECT_TRUE(check(function, contents)) << last_error();
  }
};

TEST_F(GradCheckOf, BatchNorm) {
  for (const int64_t training : {0, 1})
    for (const bool statistics : {false, true}) {
      if (training == 0 && !statistics) continue;
      expect_agreement(
          [=](const Handles& x) {
            const Tensor mean = full({3}, 0.25), var = full({3}, 0.5);
            const Tensor mean64 = rt_torch_torchtensor_to_float(mean);
            const Tensor var64 = rt_torch_torchtensor_to_float(var);
            const int64_t m = statistics ? int64_t{mean64} : 0, v = statistics ? int64_t{var64} : 0;
            return rt_torch_nn_batch_norm(x[0], m, v, x[1], x[2], training, 0.1, 1e-3);
          },
          {{2, 3, 2, 2}, {3}, {3}});
    }
}

TEST_F(GradCheckOf, DropoutInTraining) {
  expect_agreement([](const Handles& x) { return rt_torch_nn_dropout(x[0], 0.5, 1); }, {{5, 4}});
}

TEST_F(GradCheckOf, PoolsWhoseWindowsOverlap) {
  const int64_t kernel[] = {3, 2}, stride[] = {1, 2}, padding[] = {1, 1};
  expect_agreement(
      [&](const Handles& x) {
        return rt_torch_nn_max_pool2d(x[0], kernel, 2, stride, 2, padding, 2);
      },
      {{1, 2, 5, 6}});
  expect_agreement(
      [&](const Handles& x) {
        return rt_torch_nn_avg_pool2d(x[0], kernel, 2, stride, 2, padding, 2);
      },
      {{1, 2, 5, 6}});
}

TEST_F(GradCheckOf, ConvolutionsOfEveryForm) {
  struct Form {
    int64_t stride, padding, dilation, groups;
  };
  for (const Form& form :
       {Form{1, 0, 1, 1}, Form{2, 1, 1, 1}, Form{1, 2, 2, 1}, Form{2, 1, 1, 2}, Form{3, 0, 1, 4}}) {
    const int64_t channels = 4 / form.groups;
    expect_agreement(
        [&](const Handles& x) {
          return rt_torch_nn_conv2d(x[0], x[1], x[2], &form.stride, 1, &form.padding, 1,
                                    &form.dilation, 1, form.groups);
        },
        {{2, 4, 5, 6}, {4, channels, 3, 2}, {4}});
  }
}

TEST_F(GradCheckOf, MatrixProductsOfManyMatrices) {
  using Sizes = std::vector<int64_t>;
  const std::pair<Sizes, Sizes> pairs[] = {
      {{2, 1, 3, 2}, {3, 2, 4}}, {{3}, {2, 3, 2}}, {{2, 2, 3}, {3}},
      {{2, 3}, {4, 3, 1}},       {{3}, {3}},       {{3}, {3, 2}}};
  for (const auto& [left, right] : pairs)
    expect_agreement([](const Handles& x) { return rt_torch_torchtensor_matmul(x[0], x[1]); },
                     {left, right});
}

TEST_F(GradCheckOf, DotsThatBroadcastZeroDimensions) {
  for (const auto function : {rt_torch_torchtensor_mul, rt_torch_torchtensor_div,
                              rt_torch_torchtensor_atan2, rt_torch_torchtensor_sub}) {
    const auto call = [function](const Handles& x) { return function(x[0], x[1]); };
    expect_agreement(call, {{2, 1, 3}, {}});
    expect_agreement(call, {{}, {2, 2}});
    expect_agreement(call, {{2, 1, 3}, {4, 1}});
  }
}

TEST_F(GradCheckOf, RecurrentNetworks) {
  using Network = int64_t (*)(int64_t, int64_t, const int64_t*, int64_t, int64_t, int64_t, double,
                              int64_t, int64_t, int64_t, int64_t*, int64_t);
  /// The flat outputs of a call that makes `count` tensors.
  const auto all_of = [](const int64_t* made, int64_t count) {
    std::vector<Tensor> flat;
    std::vector<int64_t> handles;
    for (int64_t i = 0; i < count; ++i) {
      flat.emplace_back(rt_torch_torchtensor_flatten(made[i]));
      handles.push_back(flat.back());
      rt_torch_torchtensor_free(made[i]);
    }
    return rt_torch_torchtensor_cat(handles.data(), count, 0);
  };
  for (const auto& [network, gates] :
       {std::pair<Network, int64_t>{rt_torch_nn_gru, 3}, {rt_torch_nn_rnn_tanh, 1}}) {
    const int64_t rows = 2 * gates;
    expect_agreement(
        [&all_of, network = network](const Handles& x) {
          int64_t made[2] = {};
          network(x[0], x[1], &x[2], 8, 1, 1, 0, 0, 1, 0, made, 2);
          return all_of(made, 2);
        },
        {{3, 2, 2},
         {2, 2, 2},
         {rows, 2},
         {rows, 2},
         {rows},
         {rows},
         {rows, 2},
         {rows, 2},
         {rows},
         {rows}});
  }
  for (const int64_t layers : {1, 2}) {
    std::vector<std::vector<int64_t>> sizes = {{3, 2, 2}, {layers, 2, 2}, {layers, 2, 2}};
    for (int64_t i = 0; i < layers; ++i) sizes.insert(sizes.end(), {{8, 2}, {8, 2}, {8}, {8}});
    expect_agreement(
        [&](const Handles& x) {
          int64_t made[3] = {};
          rt_torch_nn_lstm(x[0], &x[1], 2, &x[3], 4 * layers, 1, layers, 0.5, 1, 0, 0, made, 3);
          return all_of(made, 3);
        },
        sizes);
  }
  expect_agreement(
      [&](const Handles& x) {
        int64_t made[2] = {};
        rt_torch_nn_lstm_cell(x[0], &x[1], 2, x[3], x[4], x[5], x[6], made, 2);
        return all_of(made, 2);
      },
      {{2, 3}, {2, 2}, {2, 2}, {8, 3}, {8, 2}, {8}, {8}});
}

TEST_F(GradCheckOf, MultiHeadAttention) {
  for (const int64_t weights : {0, 1})
    expect_agreement(
        [weights](const Handles& x) {
          int64_t made[2] = {};
          rt_torch_nn_multi_head_attention(x[0], x[1], x[2], 2, x[3], x[4], x[5], x[6], 0, x[7],
                                           weights * 0.25, 1, weights, 0, made, 2);
          if (weights == 0) return made[0];
          const Tensor out = made[0], shares = made[1];
          const Tensor left = rt_torch_torchtensor_flatten(out);
          const Tensor right = rt_torch_torchtensor_flatten(shares);
          const int64_t both[] = {left, right};
          return rt_torch_torchtensor_cat(both, 2, 0);
        },
        {{2, 1, 4}, {3, 1, 4}, {3, 1, 4}, {12, 4}, {12}, {4, 4}, {4}, {2, 3}});
}

TEST_F(GradCheckOf, CallsThatChooseByTheirNumbers) {
  const double nan = std::nan("");
  expect_agreement(
      [=](const Handles& x) {
        return rt_torch_nn_scaled_dot_product_attention(x[0], x[1], x[2], x[3], 0.5, 0, nan);
      },
      {{2, 3, 2}, {2, 4, 2}, {2, 4, 3}, {3, 4}});
  for (const auto& [size, factor] :
       {std::pair<int64_t, double>{5, 0}, {7, 0}, {0, 2.0}, {0, 1.3}, {0, 0.5}})
    for (const char* mode : {"nearest", "bilinear"})
      expect_agreement(
          [&, size = size, factor = factor](const Handles& x) {
            return rt_torch_nn_interpolate(x[0], &size, size != 0, &factor, factor != 0, mode, 0);
          },
          {{1, 2, 3, 4}});
  for (const auto call : {rt_torch_nn_dropout1d, rt_torch_nn_dropout2d, rt_torch_nn_alpha_dropout})
    expect_agreement([call](const Handles& x) { return call(x[0], 0.5, 1); }, {{3, 4, 2}});
}

TEST_F(GradCheckOf, OneTensorInEveryPlace) {
  for (const auto function : {rt_torch_torchtensor_mul, rt_torch_torchtensor_div,
                              rt_torch_torchtensor_atan2, rt_torch_torchtensor_matmul})
    expect_agreement([function](const Handles& x) { return function(x[0], x[0]); }, {{3, 3}});
}

}  // namespace
}  // namespace rt_test
