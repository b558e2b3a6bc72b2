// lists_test.cpp -- lists and texts of the Simple runtime: their elements and their ownership.
#include <cmath>
#include <cstring>
#include <limits>

#include "tests/spl/rig.h"

namespace rt_test {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

using Lists = SplTest;
using Ownership = SplTest;
using Reading = SplTest;

// ---- Arguments.

TEST_F(Lists, OfIntegersFloatsAndBoolsAreNumbers) {
  const Tensor x = SPL(rt_torch_tensor_zeros)(List{integer(2), real(3), boolean(true)});
  EXPECT_THAT(List(SPL(rt_torch_torchtensor_shape)(x)).integers(), ElementsAre(2, 3, 1));
  const Tensor y = SPL(rt_torch_tensor_from_data)(
      List{integer(-7), real(0.1), boolean(true), boolean(false)}, integers(2, 2));
  EXPECT_THAT(List(SPL(rt_torch_torchtensor_to_list)(y)).reals(), ElementsAre(-7, 0.1, 1, 0));
  const Tensor z = SPL(rt_torch_tensor_from_i64_data)(
      List{integer(int64_t{1} << 60), real(-3), boolean(true)}, integers(3));
  EXPECT_THAT(List(SPL(rt_torch_torchtensor_to_i64_list)(z)).integers(),
              ElementsAre(int64_t{1} << 60, -3, 1));
}

/// A value with this tag and an empty union.
SplValue tagged(uint32_t tag) {
  SplValue value{};
  std::memcpy(&value.tag, &tag, sizeof tag);
  return value;
}

TEST_F(Lists, OfAnythingElseAreErrorsThatNameTheElement) {
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  const std::vector<std::pair<SplValue, std::string>> cases = {
      {tagged(SPL_NIL), "dims[1] is nil"},
      {tagged(SPL_STRING), "dims[1] is a text"},
      {tagged(SPL_ARRAY), "dims[1] is an array"},
      {tagged(SPL_DICT), "dims[1] is a dict"},
      {tagged(77), "dims[1] has the unknown tag 77"},
      {tagged(0xffffffff), "dims[1] has the unknown tag 4294967295"},
      {real(2.5), "dims[1] is 2.5; it must be an integer"},
      {real(kNan), "dims[1] is nan"},
      {real(1e300), "dims[1] is 1e+300"},
      {real(9223372036854775808.0), "it must be an integer"},
  };
  for (const auto& [value, attributes] : cases) {
    EXPECT_EQ(SPL(rt_torch_tensor_zeros)(List{integer(2), value}), 0);
    expect_error("rt_torch_tensor_zeros(dims=(2 elements)): ", attributes);
  }
  EXPECT_EQ(SPL(rt_torch_tensor_from_data)(List{real(kNan), tagged(SPL_NIL)}, integers(2)), 0);
  expect_error("rt_torch_tensor_from_data(data=(2 elements), dims=[2]): data[1] is nil");
}

TEST_F(Lists, ThatCannotBeAreErrors) {
  const Tensor x = counted(6);
  SplValue one = integer(1);
  const std::vector<std::pair<SplArray, std::string>> cases = {
      {{nullptr, 3, 3}, "shape is NULL but has the length 3"},
      {{nullptr, -1, 0}, "shape has the length -1; it must be at least 0"},
      {{&one, -5, 1}, "shape has the length -5; it must be at least 0"},
      {{&one, 65, 65}, "shape has the length 65; at most 64"},
      {{&one, INT64_MAX, INT64_MAX}, "shape has the length 9223372036854775807"},
  };
  for (auto [array, attributes] : cases) {
    EXPECT_EQ(SPL(rt_torch_torchtensor_reshape)(x, &array), 0);
    expect_error("rt_torch_torchtensor_reshape(", attributes);
  }
}

TEST_F(Lists, ThatAreNullAreEmpty) {
  const Tensor x = SPL(rt_torch_tensor_ones)(nullptr);
  EXPECT_THAT(List(SPL(rt_torch_torchtensor_shape)(x)).integers(), IsEmpty());
  EXPECT_EQ(SPL(rt_torch_torchtensor_sum)(x), 1);
  const Tensor image = counted(1, 1, 4, 4);
  const List two = integers(2);
  const Tensor pooled = SPL(rt_torch_nn_max_pool2d)(image, two, nullptr, integers(0));
  EXPECT_THAT(List(SPL(rt_torch_torchtensor_to_list)(pooled)).reals(), ElementsAre(5, 7, 13, 15));
  EXPECT_EQ(SPL(rt_torch_torchtensor_cat)(nullptr, 0), 0);
  expect_error("rt_torch_torchtensor_cat(");
}

TEST_F(Lists, OfSizesMayBeFiveNumbers) {
  using FiveSizes = int64_t (*)(int64_t, int64_t, int64_t, int64_t, int64_t);
  using FiveSizesAndFill = int64_t (*)(int64_t, int64_t, int64_t, int64_t, int64_t, double);
  const auto shape = [](int64_t made) {
    const Tensor x = made;
    return List(SPL(rt_torch_torchtensor_shape)(x)).integers();
  };
  for (const std::string name : {"zeros", "ones", "rand", "randn", "empty"}) {
    const std::string symbol = "rt_torch_tensor_" + name;
    const auto call = reinterpret_cast<FiveSizes>(spl_library().entry(symbol.c_str()));
    EXPECT_THAT(shape(call(7, 0, 0, 0, 1)), ElementsAre(7));
    EXPECT_THAT(shape(call(2, 3, 0, 0, 2)), ElementsAre(2, 3));
    EXPECT_THAT(shape(call(2, 3, 4, 0, 3)), ElementsAre(2, 3, 4));
    EXPECT_THAT(shape(call(2, 0, 4, 5, 4)), ElementsAre(2, 0, 4, 5));
    EXPECT_THAT(shape(call(100000, 0, 0, 0, 1)), ElementsAre(100000));
    for (const int64_t ndim : {0, 5, -1}) {
      EXPECT_EQ(call(2, 3, 4, 5, ndim), 0);
      expect_error(symbol + "(d0=2, d1=3, d2=4, d3=5, ndim=" + std::to_string(ndim) + "): ",
                   "a list of sizes, or d0, d1, d2, d3 and ndim");
    }
    EXPECT_EQ(call(-2, 3, 0, 0, 2), 0);
    expect_error("d0 is -2", "a list of sizes, or d0, d1, d2, d3 and ndim");
  }
  const auto full = reinterpret_cast<FiveSizesAndFill>(spl_library().entry("rt_torch_tensor_full"));
  const Tensor x = full(2, 3, 0, 0, 2, 0.5);
  EXPECT_EQ(SPL(rt_torch_torchtensor_sum)(x), 3);
}

TEST_F(Lists, ThatAreNoAddressesAreErrors) {
  const Tensor x = counted(6);
  const List list = integers(6);
  const std::pair<int64_t, const char*> cases[] = {
      {8, "shape is the number 8; pass a list"},
      {-6, "shape is the number -6; pass a list"},
      {reinterpret_cast<int64_t>(list.get()) | 1, "exports no rt_array_len and rt_array_get"},
  };
  for (const auto& [attr, text] : cases) {
    EXPECT_EQ(SPL(rt_torch_torchtensor_reshape)(x, reinterpret_cast<SplArray*>(attr)), 0);
    expect_error("rt_torch_torchtensor_reshape(", text);
  }
}

TEST_F(Lists, OfHandlesAreShownAsHandles) {
  const Tensor x = counted(2);
  EXPECT_EQ(SPL(rt_torch_torchtensor_cat)(integers(x, int64_t{0}), 0), 0);
  expect_error(std::to_string(x), "#0");
  const Tensor both = SPL(rt_torch_torchtensor_cat)(integers(x, x), 0);
  EXPECT_THAT(List(SPL(rt_torch_torchtensor_to_list)(both)).reals(), ElementsAre(0, 1, 0, 1));
}

TEST_F(Lists, OfManyElementsAreReadWhole) {
  constexpr int64_t kMany = 10000;
  List numbers{};
  for (int64_t i = 0; i < kMany; ++i)
    numbers.add(i % 2 ? integer(i) : real(static_cast<double>(i)));
  const Tensor x = SPL(rt_torch_tensor_from_data)(numbers, integers(kMany));
  const List back = SPL(rt_torch_torchtensor_to_list)(x);
  ASSERT_EQ(back->len, kMany);
  EXPECT_GE(back->cap, kMany);
  for (int64_t i = 0; i < kMany; ++i) ASSERT_EQ(back->items[i].as_float, i);
  List handles{};
  for (int i = 0; i < 50; ++i) handles.add(integer(x));
  const Tensor stacked = SPL(rt_torch_torchtensor_stack)(handles, 0);
  EXPECT_THAT(List(SPL(rt_torch_torchtensor_shape)(stacked)).integers(), ElementsAre(50, kMany));
}

// ---- Ownership.

TEST_F(Ownership, ArgumentsStayTheHostsAndAreReadAtOnce) {
  const Tensor x = counted(6);
  int64_t pending = 0;
  {
    List sizes = integers(2, 3);
    pending = SPL(rt_torch_torchtensor_reshape)(x, sizes);
    EXPECT_THAT(sizes.integers(), ElementsAre(2, 3));
    sizes->items[0] = integer(77);  // the host may change and free it before the call runs
  }
  const Tensor y = pending;
  EXPECT_THAT(List(SPL(rt_torch_torchtensor_shape)(y)).integers(), ElementsAre(2, 3));
}

TEST_F(Ownership, AListThatWeMadeIsAnArgumentLikeAnother) {
  const Tensor x = counted(2, 3), flat = counted(6);
  List shape = SPL(rt_torch_torchtensor_shape)(x);
  const Tensor same = SPL(rt_torch_torchtensor_reshape)(flat, shape);
  EXPECT_EQ(SPL(rt_torch_torchtensor_shape_dim)(same, 1), 3);
  for (int i = 0; i < 10; ++i) shape.add(integer(1));  // the host may extend it
  const Tensor deep = SPL(rt_torch_torchtensor_reshape)(flat, shape);
  EXPECT_EQ(SPL(rt_torch_torchtensor_ndim)(deep), 12);
  List numbers = SPL(rt_torch_torchtensor_to_list)(x);
  for (int i = 0; i < 10; ++i) numbers.add(real(i));
  const Tensor longer = SPL(rt_torch_tensor_from_data)(numbers, integers(16));
  EXPECT_EQ(SPL(rt_torch_torchtensor_sum)(longer), 15 + 45);
}

TEST_F(Ownership, AnEmptyListThatWeMadeCanGrow) {
  List nothing = SPL(rt_torch_torchtensor_shape)(0);
  ASSERT_NE(nothing.get(), nullptr);
  EXPECT_EQ(nothing->len, 0);
  for (int i = 0; i < 10; ++i) nothing.add(integer(i));
  EXPECT_EQ(nothing.integers().size(), 10u);
  SPL(rt_torch_clear_error)();
}

TEST_F(Ownership, ListsAndTextsAreTheHostsWhereItExportsHow) {
  if (!host_memory()) GTEST_SKIP() << "this host exports nothing";
  const Tensor x = counted(2, 3);
  const HostMemory before = *host_memory();
  {
    const List shape = SPL(rt_torch_torchtensor_shape)(x);
    const List numbers = SPL(rt_torch_torchtensor_to_list)(x);
    const List nothing = SPL(rt_torch_torchtensor_to_list)(0);
    EXPECT_EQ(host_memory()->lists, before.lists + 3);
    char* const error = SPL(rt_torch_last_error)();
    EXPECT_EQ(host_memory()->texts, before.texts + 1);
    release(error);
  }
  EXPECT_EQ(host_memory()->lists, before.lists);
  SPL(rt_torch_clear_error)();
}

TEST_F(Ownership, TheHostMayCallInWhileItMakesThem) {
  if (!host_memory()) GTEST_SKIP() << "this host exports nothing";
  static int64_t rounds = 0;
  const Tensor x = counted(2, 3);
  when_it_makes([] {
    ++rounds;
    const Tensor other = SPL(rt_torch_tensor_eye)(2);
    EXPECT_EQ(SPL(rt_torch_torchtensor_sum)(other), 2);
  });
  EXPECT_THAT(List(SPL(rt_torch_torchtensor_shape)(x)).integers(), ElementsAre(2, 3));
  EXPECT_EQ(take(SPL(rt_torch_policy)()), "observe");
  EXPECT_THAT(List(SPL(rt_torch_torchtensor_shape)(0)).integers(), IsEmpty());
  when_it_makes(nullptr);
  EXPECT_EQ(rounds, 3);
  expect_error("rt_torch_torchtensor_shape(");
}

TEST_F(Ownership, EveryTextIsACopyOfItsOwn) {
  char* const first = SPL(rt_torch_policy)();
  char* const second = SPL(rt_torch_policy)();
  EXPECT_NE(first, second);
  EXPECT_EQ(take(first), "observe");
  EXPECT_EQ(take(second), "observe");
  EXPECT_EQ(last_error(), "");
  EXPECT_EQ(SPL(rt_torch_stat)("no such counter"), -1);
  char* const error = SPL(rt_torch_last_error)();
  SPL(rt_torch_clear_error)();
  EXPECT_THAT(take(error), testing::HasSubstr("rt_torch_stat(name=\"no such counter\")"));
}

TEST_F(Ownership, ChunksAreNewHandlesInAListOfTheCallers) {
  const Tensor x = counted(5, 2);
  const List pieces = SPL(rt_torch_torchtensor_chunk)(x, 3, 0);
  std::vector<Tensor> tensors;
  for (const int64_t handle : pieces.integers()) tensors.emplace_back(handle);
  ASSERT_EQ(tensors.size(), 3u);
  EXPECT_THAT(List(SPL(rt_torch_torchtensor_to_list)(tensors[2])).reals(), ElementsAre(8, 9));
}

TEST_F(Ownership, ErrorsGiveEmptyListsAndNeverNull) {
  const Tensor x = counted(2, 0), y = counted(2);
  const List lists[] = {SPL(rt_torch_torchtensor_shape)(0),
                        SPL(rt_torch_torchtensor_shape)(-5),
                        SPL(rt_torch_torchtensor_chunk)(y, 0, 0),
                        SPL(rt_torch_torchtensor_chunk)(y, 2, 9),
                        SPL(rt_torch_torchtensor_chunk)(x, INT64_MAX, 1),
                        SPL(rt_torch_torchtensor_to_list)(0),
                        SPL(rt_torch_torchtensor_to_i64_list)(0),
                        SPL(rt_torch_torchtensor_to_i64_list)(y)};
  for (const List& list : lists) {
    ASSERT_NE(list.get(), nullptr);
    EXPECT_EQ(list->len, 0);
  }
  expect_error("rt_torch_torchtensor_to_i64_list(", "f32", "rt_torch_torchtensor_to_list");
}

// ---- to_list.

TEST_F(Reading, GivesElementsRowMajor) {
  const Tensor x = counted(2, 3), turned = SPL(rt_torch_torchtensor_t)(x);
  EXPECT_THAT(List(SPL(rt_torch_torchtensor_to_list)(turned)).reals(),
              ElementsAre(0, 3, 1, 4, 2, 5));
  const Tensor integers = SPL(rt_torch_torchtensor_to_int)(turned);
  EXPECT_THAT(List(SPL(rt_torch_torchtensor_to_i64_list)(integers)).integers(),
              ElementsAre(0, 3, 1, 4, 2, 5));
}

TEST_F(Reading, GivesEveryDtypeAsItsNumbers) {
  const int64_t size = 2;
  for (const int64_t dtype : {2, 3}) {  // i32, i64
    const Tensor x = SPL(rt_torch_ones)(&size, 1, dtype, 0);
    EXPECT_THAT(List(SPL(rt_torch_torchtensor_to_list)(x)).reals(), ElementsAre(1, 1));
    EXPECT_THAT(List(SPL(rt_torch_torchtensor_to_i64_list)(x)).integers(), ElementsAre(1, 1));
  }
  const Tensor large = SPL(rt_torch_tensor_full_int_1d)(1, (int64_t{1} << 62) + 1);
  EXPECT_THAT(List(SPL(rt_torch_torchtensor_to_i64_list)(large)).integers(),
              ElementsAre((int64_t{1} << 62) + 1));
  const Tensor doubles = SPL(rt_torch_tensor_from_data)(List{real(0.1)}, integers(1));
  EXPECT_THAT(List(SPL(rt_torch_torchtensor_to_list)(doubles)).reals(), ElementsAre(0.1));
}

TEST_F(Reading, OfNoElementsIsAnEmptyListAndNoError) {
  const Tensor x = SPL(rt_torch_tensor_zeros)(integers(0, 3));
  EXPECT_THAT(List(SPL(rt_torch_torchtensor_to_list)(x)).reals(), IsEmpty());
  EXPECT_EQ(last_error(), "");
}

TEST_F(Reading, IsADataRead) {
  const Tensor x = counted(2);
  const Tensor y = SPL(rt_torch_torchtensor_add)(x, x);
  const int64_t reads = stat("forced_by_read");
  EXPECT_THAT(List(SPL(rt_torch_torchtensor_to_list)(y)).reals(), ElementsAre(0, 2));
  EXPECT_EQ(stat("forced_by_read"), reads + 1);
}

}  // namespace
}  // namespace rt_test
