// aliases_test.cpp -- calls that spell another call's arguments differently record an equal graph
// and give equal bits.
#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "rt_torch.h"
#include "tests/support/source_dir.h"

namespace {

using Json = nlohmann::json;

int64_t bits(double value) { return std::bit_cast<int64_t>(value); }

template <class... Sizes>
std::array<int64_t, sizeof...(Sizes)> dims(Sizes... sizes) {
  return {sizes...};
}

struct Contents {
  int64_t dtype = -1;
  std::vector<int64_t> shape, attributes;
  bool operator==(const Contents&) const = default;
};
void PrintTo(const Contents& contents, std::ostream* out) {
  *out << "dtype " << contents.dtype << " " << Json(contents.shape) << " "
       << Json(contents.attributes);
}

Contents contents(int64_t handle) {
  Contents found;
  found.dtype = rt_torch_torchtensor_dtype(handle);
  found.shape.resize(8);
  found.shape.resize(rt_torch_torchtensor_shape(handle, found.shape.data(), 8));
  found.attributes.resize(rt_torch_torchtensor_numel(handle));
  const int64_t as = found.dtype <= 1 ? 1 : 3;
  rt_torch_copy_data(handle, found.attributes.data(), found.attributes.size(), as);
  rt_torch_torchtensor_free(handle);
  return found;
}

/// Calls that a test has compared, so that a missing one is noticed.
std::set<std::string>& compared() {
  static std::set<std::string> names;
  return names;
}

/// Makes a call, and returns a tensor's contents or a number's bits.
using Outcome = std::function<Contents()>;

Outcome tensor(std::function<int64_t()> call) {
  return [call = std::move(call)] {
    rt_torch_manual_seed(7);
    const int64_t handle = call();
    EXPECT_GT(handle, 0) << rt_torch_last_error();
    return contents(handle);
  };
}
Outcome attr(std::function<int64_t()> call) {
  return [call = std::move(call)] { return Contents{1, {}, {call()}}; };
}
Outcome number(std::function<double()> call) {
  return [call = std::move(call)] { return Contents{1, {}, {bits(call())}}; };
}

void expect_same(const char* symbol, const Outcome& alias, const Outcome& original) {
  SCOPED_TRACE(symbol);
  compared().insert(symbol);
  EXPECT_EQ(alias(), original());
}
#define EXPECT_SAME(symbol, kind, arguments, original_kind, original) \
  expect_same(#symbol, kind([&] { return symbol arguments; }),        \
              original_kind([&] { return original; }))
#define SAME_TENSOR(symbol, arguments, original) \
  EXPECT_SAME(symbol, tensor, arguments, tensor, original)
#define SAME_NUMBER(symbol, arguments, original) \
  EXPECT_SAME(symbol, attr, arguments, number, original)

class Aliases : public testing::Test {
 protected:
  void TearDown() override {
    for (const int64_t handle : {x, y, classes, p}) rt_torch_torchtensor_free(handle);
    EXPECT_EQ(rt_torch_live_handles(), 0);
  }
  int64_t matrix(std::array<double, 6> data) {
    const auto sizes = dims(2, 3);
    return rt_torch_tensor_from_data(data.data(), 6, sizes.data(), 2);
  }
  int64_t x = matrix({0.5, -1.25, 3, 0.1, 2, -0.75});
  int64_t y = matrix({1, 0.5, 0.25, -2, 0.3, 1e-3});
  int64_t p = matrix({0.5, 0.25, 0.3, 0.1, 0.2, 0.75});
  int64_t classes = [] {
    const std::array<int64_t, 2> data = {2, 0};
    const auto sizes = dims(2);
    return rt_torch_tensor_from_i64_data(data.data(), 2, sizes.data(), 1);
  }();
};

TEST_F(Aliases, OfNumbersGiveTheirBits) {
  SAME_NUMBER(rt_torch_torchtensor_sum_bits, (x), rt_torch_torchtensor_sum(x));
  SAME_NUMBER(rt_torch_torchtensor_mean_bits, (x), rt_torch_torchtensor_mean(x));
  SAME_NUMBER(rt_torch_torchtensor_max_bits, (x), rt_torch_torchtensor_max(x));
  SAME_NUMBER(rt_torch_torchtensor_min_bits, (x), rt_torch_torchtensor_min(x));
  SAME_NUMBER(rt_torch_torchtensor_norm_bits, (x), rt_torch_torchtensor_norm(x));
  SAME_NUMBER(rt_torch_torchtensor_std_bits, (x), rt_torch_torchtensor_std(x));
  SAME_NUMBER(rt_torch_torchtensor_var_bits, (x), rt_torch_torchtensor_var(x));
  SAME_NUMBER(rt_torch_nn_mse_loss_bits, (x, y), rt_torch_nn_mse_loss(x, y));
  SAME_NUMBER(rt_torch_nn_cross_entropy_bits, (x, classes), rt_torch_nn_cross_entropy(x, classes));
  SAME_NUMBER(rt_torch_nn_binary_cross_entropy_bits, (p, p),
              rt_torch_nn_binary_cross_entropy(p, p));
  SAME_NUMBER(rt_torch_nn_nll_loss_bits, (x, classes), rt_torch_nn_nll_loss(x, classes));
}

TEST_F(Aliases, OfFailedNumbersGiveTheBitsOfANaN) {
  EXPECT_TRUE(std::isnan(std::bit_cast<double>(rt_torch_torchtensor_sum_bits(0))));
  EXPECT_TRUE(std::isnan(rt_torch_torchtensor_sum(0)));
}

TEST_F(Aliases, OfNumbersWithAStatusGiveThem) {
  const auto read = [](int64_t (*checked)(int64_t, double*), int64_t handle) {
    double out = 0;
    EXPECT_EQ(checked(handle, &out), 0) << rt_torch_last_error();
    return bits(out);
  };
  const int64_t square = rt_torch_tensor_rand_2d(3, 3);
#define SAME_CHECKED(name, handle)                                                       \
  expect_same("rt_torch_torchtensor_" #name "_checked",                                  \
              attr([&] { return read(rt_torch_torchtensor_##name##_checked, handle); }), \
              number([&] { return rt_torch_torchtensor_##name(handle); }))
  SAME_CHECKED(sum, x);
  SAME_CHECKED(mean, x);
  SAME_CHECKED(max, x);
  SAME_CHECKED(min, x);
  SAME_CHECKED(norm, x);
  SAME_CHECKED(std, x);
  SAME_CHECKED(var, x);
  SAME_CHECKED(det, square);
#undef SAME_CHECKED
  rt_torch_torchtensor_free(square);
}

TEST_F(Aliases, OfLossesStayTensorsAndReadNothing) {
  const auto kept = [](const char* symbol, int64_t handle, double value) {
    SCOPED_TRACE(symbol);
    compared().insert(symbol);
    EXPECT_EQ(contents(handle), (Contents{1, {}, {bits(value)}}));
  };
  const int64_t reads = rt_torch_stat("forced_by_read");
  const std::array<int64_t, 7> handles = {rt_torch_nn_mse_loss_tensor(x, y),
                                          rt_torch_nn_cross_entropy_tensor(x, classes),
                                          rt_torch_nn_binary_cross_entropy_tensor(p, p),
                                          rt_torch_nn_nll_loss_tensor(x, classes),
                                          rt_torch_torchtensor_sum_tensor(x),
                                          rt_torch_torchtensor_mean_tensor(x),
                                          rt_torch_torchtensor_norm_tensor(x)};
  EXPECT_EQ(rt_torch_stat("forced_by_read"), reads);
  kept("rt_torch_nn_mse_loss_tensor", handles[0], rt_torch_nn_mse_loss(x, y));
  kept("rt_torch_nn_cross_entropy_tensor", handles[1], rt_torch_nn_cross_entropy(x, classes));
  kept("rt_torch_nn_binary_cross_entropy_tensor", handles[2],
       rt_torch_nn_binary_cross_entropy(p, p));
  kept("rt_torch_nn_nll_loss_tensor", handles[3], rt_torch_nn_nll_loss(x, classes));
  kept("rt_torch_torchtensor_sum_tensor", handles[4], rt_torch_torchtensor_sum(x));
  kept("rt_torch_torchtensor_mean_tensor", handles[5], rt_torch_torchtensor_mean(x));
  kept("rt_torch_torchtensor_norm_tensor", handles[6], rt_torch_torchtensor_norm(x));
}

TEST_F(Aliases, TakeTheirScalarsAsBits) {
  SAME_TENSOR(rt_torch_torchtensor_pow_bits, (p, bits(2.5)), rt_torch_torchtensor_pow(p, 2.5));
  SAME_TENSOR(rt_torch_torchtensor_add_scalar_bits, (x, bits(-0.1)),
              rt_torch_torchtensor_add_scalar(x, -0.1));
  SAME_TENSOR(rt_torch_torchtensor_mul_scalar_bits, (x, bits(-0.1)),
              rt_torch_torchtensor_mul_scalar(x, -0.1));
  SAME_TENSOR(rt_torch_torchtensor_leaky_relu_bits, (x, bits(0.01)),
              rt_torch_torchtensor_leaky_relu(x, 0.01));
  SAME_TENSOR(rt_torch_tensor_arange_bits, (bits(0.5), bits(4), bits(0.75)),
              rt_torch_tensor_arange(0.5, 4, 0.75));
  SAME_TENSOR(rt_torch_tensor_linspace_bits, (bits(-1), bits(2), 7),
              rt_torch_tensor_linspace(-1, 2, 7));
}

TEST_F(Aliases, OfLayersTakeOnlyIntegers) {
  const int64_t image = rt_torch_tensor_rand_4d(2, 4, 6, 5),
                weight = rt_torch_tensor_rand_4d(6, 2, 3, 2);
  const int64_t bias = rt_torch_tensor_rand_1d(6), square = rt_torch_tensor_rand_2d(3, 3);
  const int64_t mean = rt_torch_tensor_rand_1d(4), variance = rt_torch_tensor_ones_1d(4);
  const auto one_two = dims(1, 2), two_one = dims(2, 1), two_three = dims(2, 3), last = dims(6, 5);
  SAME_NUMBER(rt_torch_torchtensor_det_bits, (square), rt_torch_torchtensor_det(square));
  SAME_TENSOR(rt_torch_nn_conv2d_simple, (image, weight, bias, 1, 2, 2, 1, 2, 1, 2),
              rt_torch_nn_conv2d(image, weight, bias, one_two.data(), 2, two_one.data(), 2,
                                 two_one.data(), 2, 2));
  SAME_TENSOR(rt_torch_nn_max_pool2d_simple, (image, 2, 3, 1, 2, 1, 0),
              rt_torch_nn_max_pool2d(image, two_three.data(), 2, one_two.data(), 2,
                                     std::array<int64_t, 2>{1, 0}.data(), 2));
  SAME_TENSOR(rt_torch_nn_avg_pool2d_simple, (image, 2, 3, 1, 2, 1, 0),
              rt_torch_nn_avg_pool2d(image, two_three.data(), 2, one_two.data(), 2,
                                     std::array<int64_t, 2>{1, 0}.data(), 2));
  SAME_TENSOR(rt_torch_nn_layer_norm_1d, (image, 5, 0, 0, bits(1e-3)),
              rt_torch_nn_layer_norm(image, last.data() + 1, 1, 0, 0, 1e-3));
  SAME_TENSOR(rt_torch_nn_layer_norm_2d, (image, 6, 5, 0, 0, bits(1e-3)),
              rt_torch_nn_layer_norm(image, last.data(), 2, 0, 0, 1e-3));
  SAME_TENSOR(rt_torch_nn_dropout_bits, (image, bits(0.25), 1),
              rt_torch_nn_dropout(image, 0.25, 1));
  SAME_TENSOR(rt_torch_nn_batch_norm_bits, (image, mean, variance, 0, 0, 0, bits(0.1), bits(1e-5)),
              rt_torch_nn_batch_norm(image, mean, variance, 0, 0, 0, 0.1, 1e-5));
  SAME_TENSOR(rt_torch_nn_batch_norm_bits, (image, mean, variance, 0, 0, 2, bits(0.1), bits(1e-5)),
              rt_torch_nn_batch_norm(image, mean, variance, 0, 0, 1, 0.1, 1e-5));
  for (const int64_t handle : {image, weight, bias, square, mean, variance})
    rt_torch_torchtensor_free(handle);
}

// A creation call of every rank. All sizes differ, so that a wrong order is noticed.
#define SAME_CREATION(name)                                                                        \
  do {                                                                                             \
    const auto all = dims(2, 3, 4, 5);                                                             \
    SAME_TENSOR(rt_torch_tensor_##name##_1d, (2), rt_torch_tensor_##name(all.data(), 1));          \
    SAME_TENSOR(rt_torch_tensor_##name##_2d, (2, 3), rt_torch_tensor_##name(all.data(), 2));       \
    SAME_TENSOR(rt_torch_tensor_##name##_3d, (2, 3, 4), rt_torch_tensor_##name(all.data(), 3));    \
    SAME_TENSOR(rt_torch_tensor_##name##_4d, (2, 3, 4, 5), rt_torch_tensor_##name(all.data(), 4)); \
  } while (false)

TEST_F(Aliases, TakeTheirSizesOneByOne) {
  SAME_CREATION(zeros);
  SAME_CREATION(ones);
  SAME_CREATION(randn);
  SAME_CREATION(rand);
  SAME_CREATION(empty);
  const auto all = dims(2, 3, 4, 5);
  const auto full = [&](int64_t count) { return rt_torch_tensor_full(all.data(), count, 0.1); };
  SAME_TENSOR(rt_torch_tensor_full_1d, (2, bits(0.1)), full(1));
  SAME_TENSOR(rt_torch_tensor_full_2d, (2, 3, bits(0.1)), full(2));
  SAME_TENSOR(rt_torch_tensor_full_3d, (2, 3, 4, bits(0.1)), full(3));
  SAME_TENSOR(rt_torch_tensor_full_4d, (2, 3, 4, 5, bits(0.1)), full(4));
}

#define SAME_SHAPING(name, handle, symbol_suffix, ...)                             \
  do {                                                                             \
    const auto sizes = dims(__VA_ARGS__);                                          \
    SAME_TENSOR(rt_torch_torchtensor_##name##symbol_suffix, (handle, __VA_ARGS__), \
                rt_torch_torchtensor_##name(handle, sizes.data(), sizes.size()));  \
  } while (false)

TEST_F(Aliases, TakeTheirDimsOneByOne) {
  SAME_SHAPING(reshape, x, _1d, 6);
  SAME_SHAPING(reshape, x, _2d, 3, -1);
  SAME_SHAPING(reshape, x, _3d, 3, 1, 2);
  SAME_SHAPING(reshape, x, _4d, 1, 3, 2, 1);
  SAME_SHAPING(view, x, _1d, -1);
  SAME_SHAPING(view, x, _2d, 3, 2);
  SAME_SHAPING(view, x, _3d, 3, 1, 2);
  SAME_SHAPING(view, x, _4d, 1, 3, 2, 1);
  const int64_t cube = rt_torch_tensor_rand_3d(2, 3, 4);
  const int64_t block = rt_torch_tensor_rand_4d(2, 3, 4, 5);
  SAME_SHAPING(permute, x, _2d, 1, 0);
  SAME_SHAPING(permute, cube, _3d, 2, 0, 1);
  SAME_SHAPING(permute, block, _4d, 3, 0, 2, 1);
  rt_torch_torchtensor_free(cube);
  rt_torch_torchtensor_free(block);
}

TEST_F(Aliases, TakeTheirTensorsOneByOne) {
  const auto all = dims(x, y, p, x);
  SAME_TENSOR(rt_torch_torchtensor_cat_2, (x, y, 1), rt_torch_torchtensor_cat(all.data(), 2, 1));
  SAME_TENSOR(rt_torch_torchtensor_cat_3, (x, y, p, 0), rt_torch_torchtensor_cat(all.data(), 3, 0));
  SAME_TENSOR(rt_torch_torchtensor_cat_4, (x, y, p, x, 1),
              rt_torch_torchtensor_cat(all.data(), 4, 1));
  SAME_TENSOR(rt_torch_torchtensor_stack_2, (x, y, 2),
              rt_torch_torchtensor_stack(all.data(), 2, 2));
  SAME_TENSOR(rt_torch_torchtensor_stack_3, (x, y, p, 0),
              rt_torch_torchtensor_stack(all.data(), 3, 0));
  SAME_TENSOR(rt_torch_torchtensor_stack_4, (x, y, p, x, 1),
              rt_torch_torchtensor_stack(all.data(), 4, 1));
}

TEST_F(Aliases, UnderNewerNames) {
  SAME_TENSOR(rt_torch_torchtensor_eye, (3), rt_torch_tensor_eye(3));
  SAME_TENSOR(rt_torch_torchtensor_arange, (0.5, 4, 0.75), rt_torch_tensor_arange(0.5, 4, 0.75));
  SAME_TENSOR(rt_torch_torchtensor_linspace, (-1, 2, 7), rt_torch_tensor_linspace(-1, 2, 7));
}

TEST_F(Aliases, OfCopies) {
  SAME_TENSOR(rt_torch_torchtensor_clone, (x), rt_torch_clone(x));
  SAME_TENSOR(rt_torch_torchtensor_cpu, (x), rt_torch_to_cpu(x));
  compared().insert("rt_torch_torchtensor_cuda");
  if (rt_torch_cuda_available()) {
    SAME_TENSOR(rt_torch_torchtensor_cuda, (x, 0), rt_torch_to_cuda(x, 0));
  } else {
    EXPECT_EQ(rt_torch_torchtensor_cuda(x, 0), 0);
    EXPECT_TRUE(std::string(rt_torch_last_error()).starts_with("rt_torch_torchtensor_cuda("));
    rt_torch_clear_error();
  }
}

bool has_golden_cases(const std::string& symbol) {
  const std::string folder = source_dir() + "/tests/golden";
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".json") continue;
    for (const Json& one : Json::parse(std::ifstream(entry.path())))
      if (one["symbol"] == symbol) return true;
  }
  return false;
}

/// Checks after all tests of this program that each alias of these groups was compared, here or by
/// golden cases.
class EveryAliasWasCompared : public testing::Environment {
  void TearDown() override {
    if (compared().empty()) return;
    const auto* test = testing::UnitTest::GetInstance();
    if (test->test_to_run_count() < test->total_test_count()) return;
    std::ifstream file(source_dir() + "/frontend_abi/rt_torch.json");
    const std::set<std::string> groups = {"all-i64", "checked", "device", "later-client",
                                          "tensor-loss"};
    const Json all = Json::parse(file);
    for (const Json& row : all["symbols"])
      if (row.contains("op") && groups.contains(row["group"])) {
        EXPECT_TRUE(compared().contains(row["symbol"]) || has_golden_cases(row["symbol"]))
            << row["symbol"] << " was not compared";
      }
  }
};
const auto* const kCheck = testing::AddGlobalTestEnvironment(new EveryAliasWasCompared);

}  // namespace
