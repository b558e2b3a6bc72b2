// survival_test.cpp -- calls every exported function with invalid arguments.
#include <dlfcn.h>
#include <gmock/gmock.h>

#include <cmath>

#include "tests/abi/rig.h"
#include "tests/support/nasty.h"

namespace rt_test {
namespace {

using Survival = AbiTest;

TEST_F(Survival, OfEveryExportedFunction) {
  const auto rows = rows_of_flavor("c");
  ASSERT_GT(rows.size(), 150u);
  Tensor freed = full({2}, 1), good = full({2, 3}, 1);
  const int64_t stale = freed, stream = rt_torch_stream_create(-1);
  freed.free();
  static constexpr int64_t kLengths[] = {0, -1, INT64_MAX, 4};
  static const int64_t items[] = {-1, INT64_MAX, 0, 1};
  const auto add_list = [](NastyCall& call, const Nasty& nasty) {
    const int64_t length = kLengths[nasty.list];
    call.add(length != 4 || nasty.integer == 7 ? nullptr : items);
    call.add(length);
  };
  for (const auto& row : rows) {
    const std::string symbol = row["symbol"];
    SCOPED_TRACE(symbol);
    void* const function = dlsym(RTLD_DEFAULT, symbol.c_str());
    ASSERT_NE(function, nullptr);
    for (const Nasty& nasty : nasty_values({stale, good, stream}, std::size(kLengths))) {
      if (frees(row) && (nasty.handle == good || nasty.handle == stream)) continue;
      NastyCall call = nasty_call(row, nasty, add_list);
      if (row["returns"] == "IntList" || row["returns"] == "TensorList") {
        call.add(nullptr);
        call.add(kLengths[nasty.list]);
      }
      rt_torch_clear_error();
      const int64_t result = call.to(function, nasty.real);
      if (row["returns"] != "Tensor" && row["returns"] != "Handle") continue;
      EXPECT_GE(result, 0) << "a handle is never negative";
      if (result == 0) {
        if (zero_is_failure(row)) {
          EXPECT_THAT(last_error(), testing::StartsWith(symbol + "("));
        }
        continue;
      }
      rt_torch_torchtensor_free(result);  // the call of the wrong kind only fails
      rt_torch_torchstream_free(result);
    }
  }
  rt_torch_torchstream_free(stream);
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
  EXPECT_EQ(rt_torch_torchstream_query(0), 1);
}

}  // namespace
}  // namespace rt_test
