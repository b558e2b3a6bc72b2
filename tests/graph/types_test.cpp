// types_test.cpp -- dtypes, devices, sizes, and their text.
#include "graph/types.h"

#include <gtest/gtest.h>

#include <limits>

namespace rt::test {
namespace {

constexpr DType kAll[] = {DType::F32,  DType::F64, DType::I32, DType::I64,
                          DType::Bool, DType::F16, DType::BF16};

TEST(Types, NamesReadBack) {
  for (DType dtype : kAll) EXPECT_EQ(parse_dtype(name(dtype)), dtype);
  for (const char* text : {"", "f", "F32", "f32 ", "float", "int64"})
    EXPECT_EQ(parse_dtype(text), std::nullopt) << text;
  EXPECT_EQ(name(Device{}), "cpu");
  EXPECT_EQ(name(Device{3}), "cuda:3");
}

TEST(Types, ItemSizes) {
  const int64_t sizes[] = {4, 8, 4, 8, 1, 2, 2};
  for (int i = 0; i < kDTypes; ++i) EXPECT_EQ(item_size(kAll[i]), sizes[i]);
}

// torch.promote_types; rows are in the order of the dtype codes.
TEST(Types, PromotionIsTorchs) {
  const char* rows[kDTypes][kDTypes] = {{"f32", "f64", "f32", "f32", "f32", "f32", "f32"},
                                        {"f64", "f64", "f64", "f64", "f64", "f64", "f64"},
                                        {"f32", "f64", "i32", "i64", "i32", "f16", "bf16"},
                                        {"f32", "f64", "i64", "i64", "i64", "f16", "bf16"},
                                        {"f32", "f64", "i32", "i64", "bool", "f16", "bf16"},
                                        {"f32", "f64", "f16", "f16", "f16", "f16", "f32"},
                                        {"f32", "f64", "bf16", "bf16", "bf16", "f32", "bf16"}};
  for (int a = 0; a < kDTypes; ++a)
    for (int b = 0; b < kDTypes; ++b)
      EXPECT_EQ(name(promote(kAll[a], kAll[b])), rows[a][b]) << name(kAll[a]) << name(kAll[b]);
}

TEST(Types, NumelCountsAndNoticesOverflow) {
  const auto count = [](std::initializer_list<int64_t> sizes) {
    return checked_numel(Shape(sizes));
  };
  EXPECT_EQ(count({}), 1);
  EXPECT_EQ(count({2, 3, 4}), 24);
  EXPECT_EQ(count({2, 0}), 0);
  EXPECT_EQ(count({0, INT64_MAX}), 0) << "hides what is behind it";
  EXPECT_EQ(count({INT64_MAX, INT64_MAX, 0}), std::nullopt);
  EXPECT_EQ(count({0, INT64_MAX, INT64_MAX}), std::nullopt) << "its stride";
  EXPECT_EQ(count({INT64_MAX, 2}), std::nullopt);
  EXPECT_EQ(count({-1}), std::nullopt);
  EXPECT_EQ(count({0, -1}), std::nullopt);
}

TEST(Types, Contiguity) {
  EXPECT_EQ(contiguous_strides(Shape{2, 3, 4}), (Strides{12, 4, 1}));
  EXPECT_EQ(contiguous_strides(Shape{}), Strides{});
  EXPECT_TRUE(is_contiguous(Shape{2, 3}, Strides{3, 1}));
  EXPECT_FALSE(is_contiguous(Shape{2, 3}, Strides{1, 2}));
  EXPECT_TRUE(is_contiguous(Shape{1, 3}, Strides{77, 1})) << "a stride over one element is idle";
  EXPECT_TRUE(is_contiguous(Shape{0, 3}, Strides{5, 9})) << "no elements, no order";
  EXPECT_FALSE(is_contiguous(Shape{3}, Strides{0}));
  EXPECT_TRUE(is_contiguous(Shape{}, Strides{}));
}

TEST(Types, Texts) {
  EXPECT_EQ(to_string(Shape{}), "[]");
  EXPECT_EQ(to_string(DType::BF16, Shape{2, -3}), "bf16[2,-3]");
  EXPECT_EQ(to_string(0.1), "0.1");
  EXPECT_EQ(to_string(-0.0), "-0");
  EXPECT_EQ(to_string(std::numeric_limits<double>::infinity()), "inf");
}

}  // namespace
}  // namespace rt::test
