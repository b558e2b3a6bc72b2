// tagged.cpp -- a host whose lists are tagged words. The low three bits are a word's kind: 0 a
// number n as n << 3, 1 an address on its heap, 2 a float without its last three bits, 3 nil, true
// and false. It exports functions that read them, and none that make SplArrays.
#include <bit>
#include <cmath>
#include <deque>

#include "tests/spl/rig.h"

namespace rt_test {
namespace {

/// An object on this host's heap: a list, or a float with all its bits.
struct alignas(8) Thing {
  enum Kind { kList, kFloat } kind;
  std::vector<int64_t> attributes;
  double real = 0;
};
std::deque<Thing> heap;

constexpr int64_t kNil = 3, kTrue = 11, kFalse = 19, kError = 27;

int64_t boxed(Thing thing) {
  heap.push_back(std::move(thing));
  return reinterpret_cast<int64_t>(&heap.back()) | 1;
}
const Thing& at(int64_t attr) { return *reinterpret_cast<const Thing*>(attr - 1); }

int64_t attr(int64_t number) { return static_cast<int64_t>(static_cast<uint64_t>(number) << 3); }
int64_t short_float(double real) { return (std::bit_cast<int64_t>(real) & ~int64_t{7}) | 2; }
int64_t long_float(double real) { return boxed({Thing::kFloat, {}, real}); }

SplArray* list(std::vector<int64_t> attributes) {
  return reinterpret_cast<SplArray*>(boxed({Thing::kList, std::move(attributes)}));
}
template <class... Numbers>
SplArray* numbers(const Numbers&... all) {
  return list({attr(all)...});
}

void (*hook)() = nullptr;

}  // namespace
}  // namespace rt_test

#define RT_EXPORT extern "C" __attribute__((visibility("default"), used))

RT_EXPORT int64_t rt_array_len(int64_t array);
RT_EXPORT int64_t rt_array_get(int64_t array, int64_t index);
RT_EXPORT int8_t rt_value_is_float(int64_t attr);
RT_EXPORT double rt_value_as_float(int64_t attr);

int64_t rt_array_len(int64_t array) {
  if (rt_test::hook) rt_test::hook();
  if ((array & 7) != 1 || rt_test::at(array).kind != rt_test::Thing::kList) return -1;
  return static_cast<int64_t>(rt_test::at(array).attributes.size());
}
int64_t rt_array_get(int64_t array, int64_t index) {
  return rt_test::at(array).attributes.at(static_cast<size_t>(index));
}
int8_t rt_value_is_float(int64_t attr) {
  return (attr & 7) == 2 || ((attr & 7) == 1 && rt_test::at(attr).kind == rt_test::Thing::kFloat);
}
double rt_value_as_float(int64_t attr) { return rt_test::at(attr).real; }

namespace rt_test {
namespace {

using testing::ElementsAre;
using Tagged = SplTest;

/// The numbers 0, 1, ...
Tensor count_to(int64_t count) {
  return SPL(rt_torch_tensor_arange)(0, static_cast<double>(count), 1);
}

TEST_F(Tagged, ListsOfNumbersAreRead) {
  const Tensor x = SPL(rt_torch_tensor_zeros)(numbers(2, 3));
  EXPECT_THAT(List(SPL(rt_torch_torchtensor_shape)(x)).integers(), ElementsAre(2, 3));
  const Tensor y = SPL(rt_torch_tensor_full)(numbers(3), 0.5);
  EXPECT_EQ(SPL(rt_torch_torchtensor_sum)(y), 1.5);
  const Tensor z = SPL(rt_torch_tensor_from_i64_data)(numbers(-7, int64_t{1} << 59, 0), numbers(3));
  EXPECT_THAT(List(SPL(rt_torch_torchtensor_to_i64_list)(z)).integers(),
              ElementsAre(-7, int64_t{1} << 59, 0));
  const Tensor turned = SPL(rt_torch_torchtensor_permute)(x, numbers(1, 0));
  EXPECT_THAT(List(SPL(rt_torch_torchtensor_shape)(turned)).integers(), ElementsAre(3, 2));
}

TEST_F(Tagged, FloatsAndBoolsAreNumbers) {
  const Tensor x = SPL(rt_torch_tensor_from_data)(
      list({short_float(0.5), long_float(0.1), attr(-2), kTrue, kFalse, short_float(-INFINITY)}),
      numbers(6));
  EXPECT_THAT(List(SPL(rt_torch_torchtensor_to_list)(x)).reals(),
              ElementsAre(0.5, 0.1, -2, 1, 0, -INFINITY));
  const Tensor y = SPL(rt_torch_tensor_zeros)(list({short_float(2), long_float(3), kTrue}));
  EXPECT_THAT(List(SPL(rt_torch_torchtensor_shape)(y)).integers(), ElementsAre(2, 3, 1));
}

TEST_F(Tagged, ListsOfHandles) {
  const Tensor x = count_to(2), y = count_to(2);
  const Tensor both = SPL(rt_torch_torchtensor_cat)(numbers(int64_t{x}, int64_t{y}), 0);
  EXPECT_THAT(List(SPL(rt_torch_torchtensor_to_list)(both)).reals(), ElementsAre(0, 1, 0, 1));
}

TEST_F(Tagged, LongLists) {
  std::vector<int64_t> attributes;
  for (int64_t i = 0; i < 5000; ++i) attributes.push_back(i % 2 ? attr(i) : short_float(1.0 * i));
  const Tensor x = SPL(rt_torch_tensor_from_data)(list(attributes), numbers(5000));
  const List back = SPL(rt_torch_torchtensor_to_list)(x);
  for (int64_t i = 0; i < 5000; ++i) ASSERT_EQ(back->items[i].as_float, i);
}

TEST_F(Tagged, EmptyListsAndNil) {
  const auto scalar = [](SplArray* sizes) {
    const Tensor x = SPL(rt_torch_torchtensor_reshape)(count_to(1), sizes);
    EXPECT_EQ(SPL(rt_torch_torchtensor_ndim)(x), 0);
  };
  scalar(list({}));
  scalar(nullptr);
  scalar(reinterpret_cast<SplArray*>(kNil));
}

TEST_F(Tagged, ListsWithoutTagsAreReadAsEver) {
  const Tensor x = SPL(rt_torch_tensor_ones)(integers(2, 2));
  EXPECT_EQ(SPL(rt_torch_torchtensor_sum)(x), 4);
}

TEST_F(Tagged, WhatIsNoNumberIsAnErrorThatNamesTheElement) {
  const std::vector<std::pair<int64_t, std::string>> cases = {
      {kNil, "dims[1] is nil"},
      {kError, "dims[1] is not a number"},
      {short_float(2.5), "dims[1] is 2.5; it must be an integer"},
      {long_float(NAN), "dims[1] is nan"},
      {boxed({Thing::kList, {}}), "dims[1] is not a number"},
      {short_float(1) + 2, "dims[1] is not a number"},
  };
  for (const auto& [one, attributes] : cases) {
    EXPECT_EQ(SPL(rt_torch_tensor_zeros)(list({attr(2), one})), 0);
    expect_error("rt_torch_tensor_zeros(dims=(a tagged word)): ", attributes);
  }
}

TEST_F(Tagged, WhatIsNoListIsAnError) {
  const Tensor x = count_to(2);
  const auto refused = [&](int64_t one, const char* attributes) {
    EXPECT_EQ(SPL(rt_torch_torchtensor_reshape)(x, reinterpret_cast<SplArray*>(one)), 0);
    expect_error("rt_torch_torchtensor_reshape(", attributes);
  };
  refused(long_float(2), "shape is not a list");
  refused(short_float(2), "shape is not a list");
  refused(attr(5), "shape is the number 40; pass a list");
  refused(kTrue, "shape is the number 11; pass a list");
  refused(reinterpret_cast<int64_t>(list(std::vector<int64_t>(65, attr(1)))),
          "shape has the length 65; at most 64");
}

TEST_F(Tagged, TheHostMayCallInWhileItReadsThem) {
  hook = [] {
    hook = nullptr;
    EXPECT_GE(SPL(rt_torch_live_handles)(), 0);
  };
  const Tensor x = SPL(rt_torch_tensor_ones)(numbers(2));
  EXPECT_EQ(hook, nullptr);
  EXPECT_EQ(SPL(rt_torch_torchtensor_sum)(x), 2);
}

}  // namespace
}  // namespace rt_test
