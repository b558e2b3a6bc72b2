// loader_test.cpp -- the group all-i64, called by a loader that has only functions of int64_t
// arguments and results.
#include <unistd.h>

#include <bit>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <set>

#include "tests/spl/rig.h"
#include "tests/support/nasty.h"

namespace rt_test {
namespace {

using Generic = int64_t (*)(int64_t, int64_t, int64_t, int64_t, int64_t, int64_t, int64_t, int64_t,
                            int64_t, int64_t);

int64_t bits(double value) { return std::bit_cast<int64_t>(value); }

/// Stands for an unpredictable sum.
constexpr double kAnything = std::numeric_limits<double>::quiet_NaN();

class Loader : public SplTest {
 protected:
  template <class... Arguments>
  int64_t call(const char* symbol, const Arguments&... arguments) {
    called_.insert(symbol);
    int64_t attributes[10] = {arguments...};
    const auto& w = attributes;
    return reinterpret_cast<Generic>(spl_library().entry(symbol))(w[0], w[1], w[2], w[3], w[4],
                                                                  w[5], w[6], w[7], w[8], w[9]);
  }
  /// Expects the bits of this number.
  template <class... Arguments>
  void gives(double expected, const char* symbol, const Arguments&... arguments) {
    EXPECT_NEAR(std::bit_cast<double>(call(symbol, arguments...)), expected, 1e-5) << symbol;
  }
  /// Expects a tensor with this count of elements and this sum.
  template <class... Arguments>
  void makes(int64_t numel, double sum, const char* symbol, const Arguments&... arguments) {
    SCOPED_TRACE(symbol);
    const Tensor made = call(symbol, arguments...);
    EXPECT_EQ(SPL(rt_torch_torchtensor_numel)(made), numel);
    if (!std::isnan(sum)) gives(sum, "rt_torch_torchtensor_sum_bits", int64_t{made});
  }
  /// Calls the functions of this name, without the prefix, for every rank from `first` to 4.
  void makes_ranks(const std::string& name, int64_t first, double mean, bool filled = false) {
    const int64_t sizes[] = {2, 3, 4, 5};
    int64_t numel = 1;
    for (int64_t rank = 1; rank <= 4; ++rank) {
      numel *= sizes[rank - 1];
      if (rank < first) continue;
      int64_t attributes[5] = {sizes[0], sizes[1], sizes[2], sizes[3], 0};
      if (filled) attributes[rank] = bits(mean);
      const std::string symbol = "rt_torch_" + name + "_" + std::to_string(rank) + "d";
      makes(numel, mean * static_cast<double>(numel), symbol.c_str(), attributes[0], attributes[1],
            attributes[2], attributes[3], attributes[4]);
    }
  }

  /// Texts are pointers in integers; the caller owns returned ones.
  void calls_the_files(int64_t x) {
    const auto attr = [](const char* text) { return reinterpret_cast<int64_t>(text); };
    const std::string path =
        testing::TempDir() + "loader_test." + std::to_string(getpid()) + ".file";
    call("rt_torch_tensor_save_dyn", x, attr(path.c_str()));
    makes(6, 15, "rt_torch_tensor_load_dyn", attr(path.c_str()));

    const std::string header = R"({"pair":{"dtype":"I64","shape":[2],"data_offsets":[0,16]}})";
    const uint64_t size = header.size();
    const int64_t numbers[] = {3, 4};
    std::ofstream(path, std::ios::binary)
        .write(reinterpret_cast<const char*>(&size), sizeof size)
        .write(header.data(), static_cast<std::streamsize>(size))
        .write(reinterpret_cast<const char*>(numbers), sizeof numbers);
    const int64_t file = call("rt_torch_safetensors_open_dyn", attr(path.c_str()));
    EXPECT_EQ(call("rt_torch_safetensors_num_tensors_dyn", file), 1);
    EXPECT_EQ(take(reinterpret_cast<char*>(call("rt_torch_safetensors_list_names_dyn", file))),
              "pair");
    makes(2, 7, "rt_torch_safetensors_get_tensor_dyn", file, attr("pair"));
    call("rt_torch_safetensors_close_dyn", file);
    EXPECT_TRUE(std::filesystem::remove(path));
  }

  std::set<std::string> called_;
};

TEST_F(Loader, CallsTheWholeGroup) {
  const Tensor flat = call("rt_torch_tensor_arange_bits", bits(0), bits(6), bits(1));
  const Tensor x = call("rt_torch_torchtensor_reshape_2d", flat, 2, 3);
  const Tensor four = call("rt_torch_tensor_arange_bits", bits(0), bits(4), bits(1));
  const Tensor square = call("rt_torch_torchtensor_reshape_2d", four, 2, 2);
  const Tensor none = call("rt_torch_tensor_zeros_2d", 2, 3);
  const Tensor half = call("rt_torch_tensor_full_2d", 2, 3, bits(0.5));
  const Tensor ones = call("rt_torch_tensor_ones_2d", 2, 3);
  const Tensor classes = call("rt_torch_tensor_zeros_int_1d", 2);

  gives(15, "rt_torch_torchtensor_sum_bits", x);
  gives(2.5, "rt_torch_torchtensor_mean_bits", x);
  gives(5, "rt_torch_torchtensor_max_bits", x);
  gives(0, "rt_torch_torchtensor_min_bits", x);
  gives(std::sqrt(55), "rt_torch_torchtensor_norm_bits", x);
  gives(std::sqrt(3.5), "rt_torch_torchtensor_std_bits", x);
  gives(3.5, "rt_torch_torchtensor_var_bits", x);
  gives(-2, "rt_torch_torchtensor_det_bits", square);
  gives(55.0 / 6, "rt_torch_nn_mse_loss_bits", x, none);
  gives(std::log(3), "rt_torch_nn_cross_entropy_bits", none, classes);
  gives(std::log(2), "rt_torch_nn_binary_cross_entropy_bits", half, ones);
  gives(-1.5, "rt_torch_nn_nll_loss_bits", x, classes);

  makes(6, 55, "rt_torch_torchtensor_pow_bits", x, bits(2));
  makes(6, 21, "rt_torch_torchtensor_add_scalar_bits", x, bits(1));
  makes(6, 30, "rt_torch_torchtensor_mul_scalar_bits", x, bits(2));
  const Tensor negative = call("rt_torch_torchtensor_mul_scalar_bits", x, bits(-1));
  makes(6, -7.5, "rt_torch_torchtensor_leaky_relu_bits", negative, bits(0.5));
  makes(5, 2.5, "rt_torch_tensor_linspace_bits", bits(0), bits(1), 5);
  makes(6, 18, "rt_dyn_torch_tensor_binary_op", x, half, 0);
  makes(6, 12, "rt_dyn_torch_tensor_binary_op", x, half, 1);
  makes(6, 7.5, "rt_dyn_torch_tensor_binary_op", x, half, 2);
  makes(6, 30, "rt_dyn_torch_tensor_binary_op", x, half, 3);
  makes(6, 15, "rt_torch_nn_dropout_bits", x, bits(0.5), 0);
  const Tensor mean = call("rt_torch_tensor_zeros_1d", 3),
               variance = call("rt_torch_tensor_ones_1d", 3);
  makes(6, 15, "rt_torch_nn_batch_norm_bits", x, mean, variance, 0, 0, 0, bits(0.1), bits(1e-9));

  makes_ranks("tensor_zeros", 1, 0);
  makes_ranks("tensor_ones", 1, 1);
  makes_ranks("tensor_randn", 1, kAnything);
  makes_ranks("tensor_rand", 1, kAnything);
  makes_ranks("tensor_empty", 1, kAnything);
  makes_ranks("tensor_full", 1, 0.25, true);
  for (const std::string name : {"reshape", "view"}) {
    const std::string symbol = "rt_torch_torchtensor_" + name;
    makes(6, 15, (symbol + "_1d").c_str(), x, 6);
    makes(6, 15, (symbol + "_2d").c_str(), x, 3, 2);
    makes(6, 15, (symbol + "_3d").c_str(), x, 1, 3, 2);
    makes(6, 15, (symbol + "_4d").c_str(), x, 1, 3, 1, 2);
  }
  makes(6, 15, "rt_torch_torchtensor_permute_2d", x, 1, 0);
  const Tensor cube = call("rt_torch_torchtensor_reshape_3d", x, 1, 3, 2);
  makes(6, 15, "rt_torch_torchtensor_permute_3d", cube, 2, 0, 1);
  const Tensor image = call("rt_torch_tensor_ones_4d", 1, 1, 4, 4);
  makes(16, 16, "rt_torch_torchtensor_permute_4d", image, 3, 2, 1, 0);
  for (const std::string name : {"cat", "stack"}) {
    const std::string symbol = "rt_torch_torchtensor_" + name;
    makes(12, 30, (symbol + "_2").c_str(), x, x, 0);
    makes(18, 45, (symbol + "_3").c_str(), x, x, x, 1);
    makes(24, 60, (symbol + "_4").c_str(), x, x, x, x, 0);
  }
  makes(6, 0, "rt_torch_nn_layer_norm_1d", x, 3, 0, 0, bits(1e-5));
  makes(6, 0, "rt_torch_nn_layer_norm_2d", x, 2, 3, 0, 0, bits(1e-5));
  const Tensor filter = call("rt_torch_tensor_ones_4d", 1, 1, 3, 3);
  makes(4, 36, "rt_torch_nn_conv2d_simple", image, filter, 0, 1, 1, 0, 0, 1, 1, 1);
  makes(4, 4, "rt_torch_nn_max_pool2d_simple", image, 2, 2, 2, 2, 0, 0);
  makes(4, 4, "rt_torch_nn_avg_pool2d_simple", image, 2, 2, 2, 2, 0, 0);
  calls_the_files(x);
  EXPECT_EQ(last_error(), "");

  for (const auto& row : rows_of_flavor("spl"))
    if (row["group"] == "all-i64") {
      EXPECT_TRUE(called_.contains(row["symbol"])) << row["symbol"] << " was not called";
    }
}

}  // namespace
}  // namespace rt_test
