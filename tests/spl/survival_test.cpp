// survival_test.cpp -- calls every function of the Simple flavor with invalid arguments.
#include <cmath>
#include <cstring>
#include <limits>

#include "tests/spl/rig.h"
#include "tests/support/nasty.h"

namespace rt_test {
namespace {

using Survival = SplTest;

TEST_F(Survival, OfEveryExportedFunction) {
  const auto rows = rows_of_flavor("spl");
  ASSERT_GT(rows.size(), 150u);
  const int64_t stale = Tensor(SPL(rt_torch_tensor_eye)(2));
  const Tensor good = counted(2, 3);
  const int64_t stream = SPL(rt_torch_stream_create)(-1);

  SplValue numbers[] = {integer(-1), integer(INT64_MAX), boolean(false), real(1)};
  SplValue others[] = {integer(2), SplValue{}, real(std::numeric_limits<double>::quiet_NaN())};
  SplValue unknown[] = {integer(1), integer(1)};
  std::memset(&unknown[1].tag, 0xee, sizeof unknown[1].tag);
  SplArray arrays[] = {
      {nullptr, 0, 0},         {numbers, 4, 4},  {numbers, -1, 4},   {nullptr, 4, 4},
      {numbers, INT64_MAX, 0}, {others, 3, 3},   {&others[2], 1, 1}, {unknown, 2, 2},
      {numbers, INT64_MIN, 0}, {numbers, 1, -9}, {nullptr, -1, -1},
  };
  const auto add_list = [&](NastyCall& call, const Nasty& nasty) {
    call.add(nasty.list == std::size(arrays) ? nullptr : &arrays[nasty.list]);
  };
  for (const auto& row : rows) {
    const std::string symbol = row["symbol"], returns = row["returns"];
    SCOPED_TRACE(symbol);
    void* const function = spl_library().entry(symbol.c_str());
    for (const Nasty& nasty : nasty_values({stale, good, stream}, std::size(arrays) + 1)) {
      if (frees(row) && (nasty.handle == good || nasty.handle == stream)) continue;
      SPL(rt_torch_clear_error)();
      const int64_t result = nasty_call(row, nasty, add_list).to(function, nasty.real);
      if (returns == "Text" || returns == "TextBits") {
        ASSERT_NE(result, 0) << "a text is never NULL";
        release(reinterpret_cast<char*>(result));
      } else if (returns == "IntList" || returns == "TensorList" || returns == "FloatList") {
        ASSERT_NE(result, 0) << "a list is never NULL";
        const List list = reinterpret_cast<SplArray*>(result);
        if (returns == "TensorList")
          for (const int64_t handle : list.integers()) SPL(rt_torch_torchtensor_free)(handle);
      } else if (returns == "Tensor" || returns == "Handle") {
        EXPECT_GE(result, 0) << "a handle is never negative";
        if (result == 0) {
          if (zero_is_failure(row)) {
            EXPECT_THAT(last_error(), testing::StartsWith(symbol + "("));
          }
          continue;
        }
        SPL(rt_torch_torchtensor_free)(result);  // the call of the wrong kind only fails
        SPL(rt_torch_torchstream_free)(result);
      }
    }
  }
  SPL(rt_torch_torchstream_free)(stream);
  SPL(rt_torch_set_policy)("observe");
  SPL(rt_torch_sync)();
}

}  // namespace
}  // namespace rt_test
