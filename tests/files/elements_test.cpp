// elements_test.cpp -- element types of files: the dtypes that hold them, and widening in place.
#include "files/elements.h"

#include "tests/files/rig.h"

namespace rt::test {
namespace {

using namespace rt::files;
using testing::ElementsAre;
using testing::ElementsAreArray;
using testing::HasSubstr;

/// Reads elements whose bytes in a file are these.
std::vector<double> read(const char* name, const std::string& bytes) {
  const Element* element = find_by_safetensors(name);
  const int64_t count = static_cast<int64_t>(bytes.size()) * 8 / element->bits;
  std::vector<char> out(static_cast<size_t>(count * item_size(held(*element))));
  read_elements(*element, count, out.data(), [&](void* to, int64_t size) {
    ASSERT_EQ(size, static_cast<int64_t>(bytes.size()));
    std::memcpy(to, bytes.data(), bytes.size());
  });
  return numbers(held(*element), out.data(), count);
}

TEST(Elements, EveryDTypeIsHeldAsItIs) {
  for (int code = 0; code < kDTypes; ++code) {
    const auto dtype = static_cast<DType>(code);
    EXPECT_EQ(held(element_of(dtype)), dtype);
    EXPECT_EQ(element_of(dtype).bits, item_size(dtype) * 8);
    EXPECT_EQ(find_by_safetensors(element_of(dtype).safetensors), &element_of(dtype));
    EXPECT_EQ(find_by_storage(element_of(dtype).storage), &element_of(dtype));
  }
}

TEST(Elements, NarrowIntegersBecomeWideOnes) {
  EXPECT_THAT(read("U8", {'\x00', '\x7f', '\x80', '\xff'}), ElementsAre(0, 127, 128, 255));
  EXPECT_THAT(read("I8", {'\x00', '\x7f', '\x80', '\xff'}), ElementsAre(0, 127, -128, -1));
  EXPECT_THAT(read("I16", raw<int16_t>(-300) + raw<int16_t>(300)), ElementsAre(-300, 300));
  EXPECT_THAT(read("U16", raw<uint16_t>(65535) + raw<uint16_t>(1)), ElementsAre(65535, 1));
  EXPECT_THAT(read("U32", raw<uint32_t>(4294967295) + raw<uint32_t>(1)),
              ElementsAre(4294967295.0, 1));
}

TEST(Elements, ManyNarrowIntegersDoNotOverwriteEachOther) {
  std::string bytes;
  std::vector<double> wanted;
  for (int i = 0; i < 1000; ++i) {
    bytes += static_cast<char>(i);
    wanted.push_back(i % 256);
  }
  EXPECT_THAT(read("U8", bytes), ElementsAreArray(wanted));
}

TEST(Elements, EveryByteButZeroIsTrue) {
  EXPECT_THAT(read("BOOL", {'\x00', '\x01', '\x02', '\xff'}), ElementsAre(0, 1, 1, 1));
}

TEST(Elements, WhatNothingHoldsIsNamed) {
  for (const char* name : {"U64", "C64", "F8_E4M3", "F4"}) {
    ASSERT_NE(find_by_safetensors(name), nullptr) << name;
    EXPECT_THAT(refusal([&] { held(*find_by_safetensors(name)); }), HasSubstr(name));
  }
  EXPECT_THAT(refusal([&] { held(*find_by_storage("ComplexDoubleStorage")); }),
              HasSubstr("ComplexDouble"));
}

TEST(Elements, NamesThatAreNotThere) {
  for (const char* name : {"", "f32", "F33", "FloatStorage"})
    EXPECT_EQ(find_by_safetensors(name), nullptr) << name;
  for (const char* name : {"", "F32", "floatstorage", "QInt8Storage"})
    EXPECT_EQ(find_by_storage(name), nullptr) << name;
}

}  // namespace
}  // namespace rt::test
