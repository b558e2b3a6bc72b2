// survival_test.cpp -- every exported function, called with what no program should pass.
#include <gmock/gmock.h>

#include <array>
#include <cmath>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>

#include "tests/abi/rig.h"

#include <dlfcn.h>

namespace rt_test {
namespace {

using Json = nlohmann::json;

/// Integers and pointers travel in one sort of register and doubles in another, so one type of
/// function calls them all: each takes what it declares and does not see the rest.
using AnyInt = int64_t (*)(int64_t, int64_t, int64_t, int64_t, int64_t, int64_t, int64_t, int64_t,
                           int64_t, int64_t, int64_t, int64_t, double, double, double);

struct Nasty {
  int64_t handle, integer, length;
  double real;
  bool null;
};

class Survival : public AbiTest {
 protected:
  /// Calls `row` with the same nasty value in all places of a kind.
  int64_t call(const Json& row, const Nasty& nasty) {
    std::array<int64_t, 12> integers{};
    size_t at = 0;
    const auto pointer = [&](const void* sound) {
      integers[at++] = nasty.null ? 0 : reinterpret_cast<int64_t>(sound);
    };
    for (const Json& param : row["params"]) {
      const std::string kind = param["kind"];
      if (kind == "Float") continue;
      if (kind == "Tensor" || kind == "OptTensor" || kind == "Handle") {
        integers[at++] = nasty.handle;
      } else if (kind == "Sizes" || kind == "IntList" || kind == "TensorList" ||
                 kind == "IntData" || kind == "FloatList") {
        pointer(list_.data());
        integers[at++] = nasty.length;
      } else if (kind == "Text") {
        pointer("no/such/thing");
      } else if (kind == "Doubles" || kind == "Int64s" || kind == "Int64Out" ||
                 kind == "FloatOut" || kind == "VoidOut") {
        integers[at++] = 0;  // room for what? the length beside it says: nobody could know
      } else {
        integers[at++] = nasty.integer;
      }
    }
    if (row["returns"] == "IntList" || row["returns"] == "TensorList") {
      integers[at++] = 0;
      integers[at++] = nasty.length;
    }
    const std::string symbol = row["symbol"];
    void* function = dlsym(RTLD_DEFAULT, symbol.c_str());
    EXPECT_NE(function, nullptr) << symbol;
    const auto& i = integers;
    return reinterpret_cast<AnyInt>(function)(i[0], i[1], i[2], i[3], i[4], i[5], i[6], i[7], i[8],
                                              i[9], i[10], i[11], nasty.real, nasty.real,
                                              nasty.real);
  }

  std::array<int64_t, 4> list_ = {-1, INT64_MAX, 0, 1};
};

TEST_F(Survival, OfEveryExportedFunction) {
  std::ifstream file(std::string(RT_SOURCE_DIR) + "/frontend_abi/rt_torch.json");
  const Json all = Json::parse(file);
  ASSERT_GT(all["symbols"].size(), 150u);
  Tensor freed = full({2}, 1), good = full({2, 3}, 1);
  const int64_t stale = freed;
  freed.free();
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  std::vector<Nasty> cases;
  for (int64_t handle : {int64_t{0}, int64_t{-1}, INT64_MAX, INT64_MIN, int64_t{1} << 52, stale,
                         static_cast<int64_t>(good)})
    for (int64_t integer : {int64_t{0}, int64_t{-1}, INT64_MAX, INT64_MIN, int64_t{7}})
      for (int64_t length : {int64_t{0}, int64_t{-1}, INT64_MAX, int64_t{4}})
        cases.push_back(
            {handle, integer, length, integer == 0 ? kNan : 1e300, length != 4 || integer == 7});
  for (const Json& row : all["symbols"]) {
    const std::string symbol = row["symbol"];
    const bool frees = symbol.find("free") != std::string::npos;
    for (const Nasty& nasty : cases) {
      if (frees && nasty.handle == good) continue;
      SCOPED_TRACE(symbol);
      rt_torch_clear_error();
      const int64_t result = call(row, nasty);
      if (row["returns"] != "Tensor" && row["returns"] != "Handle") continue;
      EXPECT_GE(result, 0) << "a handle is never negative";
      if (result > 0) rt_torch_torchtensor_free(result);
      // Having no gradient is no error.
      if (result == 0 && !(symbol == "rt_torch_autograd_grad" && nasty.handle == good)) {
        EXPECT_THAT(last_error(), testing::StartsWith(symbol + "("));
      }
    }
  }
  rt_torch_set_policy("observe");
  rt_torch_sync();
}

TEST_F(Survival, TheKindsOfFailure) {
  EXPECT_EQ(rt_torch_tensor_ndim(-1), -1);
  EXPECT_EQ(rt_torch_tensor_shape(0, nullptr, 4), -1);
  EXPECT_EQ(rt_torch_torchtensor_shape(0, nullptr, 0), -1);
  EXPECT_TRUE(std::isnan(rt_torch_torchtensor_mean(0)));
  EXPECT_EQ(rt_torch_torchtensor_is_cuda(0), 0);
  EXPECT_EQ(rt_torch_torchtensor_dtype(0), -1);
  EXPECT_EQ(rt_torch_torchtensor_chunk(0, 2, 0, nullptr, 0), -1);
  EXPECT_EQ(rt_torch_copy_data_to_cpu(0, nullptr, 0), 0);
}

}  // namespace
}  // namespace rt_test
