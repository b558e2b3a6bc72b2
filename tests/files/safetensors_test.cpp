// safetensors_test.cpp -- safetensors files of the library safetensors, and damaged or false ones.
#include "files/safetensors.h"

#include <sys/resource.h>

#include "tests/files/rig.h"

namespace rt::test {
namespace {

using files::Safetensors;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;
using testing::UnorderedElementsAre;

std::string file_of(const std::string& header, const std::string& data = "") {
  return raw(static_cast<uint64_t>(header.size())) + header + data;
}
/// A tensor's entry in the header.
std::string entry(const std::string& name, const std::string& dtype, const std::string& shape,
                  const std::string& offsets) {
  return join('"', name, "\":{\"dtype\":\"", dtype, "\",\"shape\":", shape,
              ",\"data_offsets\":", offsets, '}');
}
/// A header with these entries.
template <class... More>
std::string header_of(const std::string& first, const More&... more) {
  std::string all = join('{', first);
  ((all += join(',', more)), ...);
  return all += '}';
}

class SafetensorsTest : public InFolder {
 protected:
  static std::vector<double> read(const Safetensors& file, const std::string& name) {
    const auto& tensor = file.at(name);
    const DType dtype = file.dtype(tensor);
    std::vector<char> out(static_cast<size_t>(numel(tensor.sizes) * item_size(dtype)));
    file.read(tensor, out.data());
    return numbers(dtype, out.data(), numel(tensor.sizes));
  }
  std::string refused(const std::string& bytes) const {
    const std::string file = write("bad.safetensors", bytes);
    const std::string message = refusal([&] { Safetensors opened(file); });
    EXPECT_THAT(message, StartsWith(file + ": "));
    return message;
  }
  /// The error that refuses a file of this header and eight bytes of data.
  std::string header_refused(const std::string& header) const {
    return refused(file_of(header, std::string(8, '\0')));
  }
};

// ---- Files of the library safetensors.

TEST_F(SafetensorsTest, EveryDTypeWeHold) {
  const Safetensors file(fixture("all.safetensors"));
  for (int code = 0; code < kDTypes; ++code) {
    const auto dtype = static_cast<DType>(code);
    const auto& tensor = file.at(name(dtype));
    EXPECT_EQ(file.dtype(tensor), dtype);
    EXPECT_EQ(tensor.sizes, Shape({2, 3}));
    EXPECT_EQ(read(file, std::string(name(dtype))), fixture_numbers(dtype));
  }
}

TEST_F(SafetensorsTest, IntegersThatAreWidened) {
  const Safetensors file(fixture("all.safetensors"));
  for (const char* name : {"i8", "i16"})
    EXPECT_EQ(read(file, name), fixture_numbers(DType::I32)) << name;
  for (const char* name : {"u8", "u16", "u32"})
    EXPECT_THAT(read(file, name), ElementsAre(1, 0, 1, 2, 3, 4)) << name;
  EXPECT_EQ(file.dtype(file.at("u16")), DType::I32);
  EXPECT_EQ(file.dtype(file.at("u32")), DType::I64);
}

TEST_F(SafetensorsTest, WhatWeDoNotHoldIsListedAndRefused) {
  const Safetensors file(fixture("all.safetensors"));
  EXPECT_THAT(refusal([&] { file.dtype(file.at("f8")); }),
              AllOf(StartsWith(fixture("all.safetensors")), HasSubstr("F8_E4M3")));
}

TEST_F(SafetensorsTest, OneElementAndNone) {
  const Safetensors file(fixture("all.safetensors"));
  EXPECT_EQ(file.at("empty").sizes, Shape({0, 3}));
  EXPECT_THAT(read(file, "empty"), ElementsAre());
  EXPECT_EQ(file.at("zero_dim").sizes, Shape());
  EXPECT_THAT(read(file, "zero_dim"), ElementsAre(3.5));
}

TEST_F(SafetensorsTest, NamesAreListedInTheOrderOfTheData) {
  const Safetensors file(fixture("all.safetensors"));
  std::vector<std::string> names;
  std::istringstream lines(file.names());
  for (std::string line; std::getline(lines, line);) names.push_back(line);
  ASSERT_EQ(names.size(), file.tensors().size());
  for (size_t i = 0; i < names.size(); ++i) EXPECT_EQ(names[i], file.tensors()[i].name);
  EXPECT_THAT(names,
              UnorderedElementsAre("f32", "f64", "i32", "i64", "bool", "f16", "bf16", "u8", "i8",
                                   "i16", "u16", "u32", "f8", "empty", "zero_dim", "größe"));
}

TEST_F(SafetensorsTest, AFileWithoutTensors) {
  const Safetensors file(fixture("none.safetensors"));
  EXPECT_EQ(file.tensors().size(), 0u);
  EXPECT_EQ(file.names(), "");
}

TEST_F(SafetensorsTest, ANameThatIsNotThere) {
  const Safetensors file(fixture("all.safetensors"));
  for (const char* name : {"f33", "", "__metadata__"})
    EXPECT_THAT(refusal([&] { file.at(name); }),
                AllOf(StartsWith(fixture("all.safetensors")), HasSubstr("no tensor")));
}

TEST_F(SafetensorsTest, NamesThatCannotBeListed) {
  for (const char* name : {"a\\nb", "a\\u0000b", ""}) {
    const Safetensors file(
        write("a", file_of(header_of(entry(name, "F64", "[1]", "[0,8]")), std::string(8, '\0'))));
    EXPECT_EQ(file.tensors().size(), 1u);
    EXPECT_THAT(refusal([&] { file.names(); }), HasSubstr("cannot be listed"));
  }
}

TEST_F(SafetensorsTest, SpacesAroundTheHeaderAndFieldsInAnyOrder) {
  const std::string header =
      "{ \"a\" : {\"data_offsets\": [0, 8], \"shape\": [ ], \"dtype\": \"I64\", \"x\": 1} }   ";
  const Safetensors file(write("a", file_of(header, raw<int64_t>(-5))));
  EXPECT_THAT(read(file, "a"), ElementsAre(-5));
}

TEST_F(SafetensorsTest, FieldsThatAreNotKnownAndNoMetadata) {
  const std::string good = R"("dtype":"I64","shape":[],"data_offsets":[0,8])";
  for (const std::string& more :
       {std::string(R"("x":{"dtype":[1,{"shape":null}],"y":{}})"), std::string(R"("x":1,"x":2)"),
        std::string(R"("x":"F64","Shape":[2],"data_offsets ":[1])"),
        join("\"x\":", std::string(100, '['), std::string(100, ']'))})
    for (const std::string& header :
         {join("{\"a\":{", more, ',', good, "}}"), join("{\"a\":{", good, ',', more, "}}"),
          join("{\"__metadata__\":null,\"a\":{", good, ',', more, "}}"),
          join("{\"a\":{", good, ',', more, R"(},"__metadata__":{"k":"v","k":"w"}})")}) {
      const Safetensors file(write("a", file_of(header, raw<int64_t>(-5))));
      EXPECT_THAT(read(file, "a"), ElementsAre(-5)) << header;
    }
  for (const char* metadata : {"[]", "1", "\"a\"", "{\"a\":null}", "{\"a\":{}}"})
    EXPECT_THAT(header_refused(join("{\"__metadata__\":", metadata, '}')),
                HasSubstr("__metadata__"));
}

TEST_F(SafetensorsTest, BigDataStaysInTheFile) {
  constexpr int64_t kSize = int64_t{1} << 36;
  const std::string header = header_of(entry("big", "U8", "[68719476736]", "[0,68719476736]"));
  const std::string sparse = write("big", file_of(header));
  std::error_code failed;
  fs::resize_file(sparse, fs::file_size(sparse) + kSize, failed);
  if (failed) GTEST_SKIP() << "no sparse file of 64 GiB here: " << failed.message();
  const auto resident = [] {
    rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;  // in KiB
  };
  const long before = resident();
  const Safetensors file(sparse);
  EXPECT_EQ(file.tensors()[0].end, kSize);
  EXPECT_LT(resident() - before, 100'000);
}

TEST_F(SafetensorsTest, AFileThatShrinksIsAnErrorAndNoSignal) {
  const std::string name =
      write("a", file_of(header_of(entry("a", "F64", "[1000]", "[0,8000]")), std::string(8000, 1)));
  const Safetensors file(name);
  EXPECT_EQ(read(file, "a").size(), 1000u);
  fs::resize_file(name, 100);
  EXPECT_THAT(refusal([&] { read(file, "a"); }),
              AllOf(StartsWith(name + ": "), HasSubstr("has changed since it was opened")));
}

TEST_F(SafetensorsTest, AFileThatIsReplacedStaysOpen) {
  fs::copy_file(fixture("all.safetensors"), path("a"));
  const Safetensors file(path("a"));
  write("b", "something else");
  fs::rename(path("b"), path("a"));
  EXPECT_EQ(read(file, "f32"), fixture_numbers(DType::F32));
}

// ---- Damaged and false files.

TEST_F(SafetensorsTest, EveryCutIsNoticed) {
  const std::string all = bytes_of(fixture("all.safetensors"));
  for (size_t size = 0; size < all.size(); ++size) refused(all.substr(0, size));
  refused(all + '\0');
}

TEST_F(SafetensorsTest, HeaderLengthsThatLie) {
  const std::string header = header_of(entry("a", "F64", "[1]", "[0,8]")), data(8, '\0');
  const auto with_length = [&](uint64_t length) { return refused(raw(length) + header + data); };
  EXPECT_THAT(with_length(0), HasSubstr("does not begin with {"));
  EXPECT_THAT(with_length(header.size() - 1), HasSubstr("JSON"));
  EXPECT_THAT(with_length(header.size() + 1), HasSubstr("JSON"));
  for (const uint64_t length :
       {uint64_t{1000}, uint64_t{10'000'000'000}, uint64_t{1} << 63, UINT64_MAX, UINT64_MAX - 7})
    EXPECT_THAT(with_length(length), HasSubstr(join("header has ", length, " bytes")));
}

TEST_F(SafetensorsTest, AHeaderOfMoreThanTheFormatAllows) {
  const std::string sparse = write("big", raw<uint64_t>(100'000'001) + "{");
  fs::resize_file(sparse, 200'000'000);
  EXPECT_THAT(refusal([&] { Safetensors file(sparse); }), HasSubstr("at most 100000000"));
}

TEST_F(SafetensorsTest, HeadersThatAreNotWellFormed) {
  for (const char* header : {"{", "{]", "{\"a\"}", "{} {}", "{\"\xff\":1}", "{'a':1}",
                             "{\"a\":{\"dtype\":\"F64\"", "{\"a\":1e999}"})
    EXPECT_THAT(header_refused(header), HasSubstr("JSON")) << header;
  for (const char* header : {"[]", "null", " {}", "1"})
    EXPECT_THAT(header_refused(header), HasSubstr("does not begin with {")) << header;
}

TEST_F(SafetensorsTest, HeadersThatNestTooDeep) {
  const std::string open(1'000'000, '['), deeper = "{\"a\":{\"dtype\":{\"b\":";
  EXPECT_THAT(header_refused(join("{\"a\":{\"shape\":", open)), HasSubstr("a size"));
  EXPECT_THAT(header_refused(join("{\"a\":{\"x\":", open)), HasSubstr("nests more than 120 deep"));
  EXPECT_THAT(header_refused(deeper), HasSubstr("not a string"));
  EXPECT_THAT(header_refused("{\"a\":{\"shape\":[{}]}}"), HasSubstr("a size"));
}

TEST_F(SafetensorsTest, EntriesThatAreNoTensors) {
  EXPECT_THAT(header_refused("{\"a\":1}"), HasSubstr("no object for the tensor \"a\""));
  EXPECT_THAT(header_refused("{\"a\":[1]}"), HasSubstr("a list for the tensor \"a\""));
  EXPECT_THAT(header_refused("{\"a\":{}}"), HasSubstr("has no dtype"));
  EXPECT_THAT(header_refused(header_of(entry("a", "F65", "[1]", "[0,8]"))), HasSubstr("F65"));
  EXPECT_THAT(header_refused(header_of(entry("a", "F64", "1", "[0,8]"))), HasSubstr("not a list"));
  EXPECT_THAT(header_refused(header_of(entry("a", "F64", "[\"1\"]", "[0,8]"))), HasSubstr("size"));
  EXPECT_THAT(header_refused(header_of(entry("a", "F64", "[1.0]", "[0,8]"))), HasSubstr("size"));
  EXPECT_THAT(header_refused(header_of(entry("a", "F64", "[-1]", "[0,8]"))), HasSubstr("size"));
  EXPECT_THAT(header_refused("{\"__metadata__\":{\"a\":1}}"), HasSubstr("__metadata__"));
  std::string ones = "[1";
  for (int i = 0; i < 64; ++i) ones += ",1";
  EXPECT_THAT(header_refused(header_of(entry("a", "F64", ones + "]", "[0,8]"))),
              HasSubstr("more than 64 sizes"));
}

TEST_F(SafetensorsTest, OffsetsThatLie) {
  for (const char* offsets : {"[0]", "[0,8,8]", "[0,-8]", "[0.0,8]", "[\"0\",8]", "8"})
    EXPECT_THAT(header_refused(header_of(entry("a", "F64", "[1]", offsets))),
                HasSubstr("two numbers"))
        << offsets;
  for (const char* offsets : {"[8,0]", "[0,16]", "[8,16]", "[0,18446744073709551615]"})
    EXPECT_THAT(header_refused(header_of(entry("a", "F64", "[1]", offsets))),
                HasSubstr("in data of 8 bytes"))
        << offsets;
  EXPECT_THAT(header_refused(header_of(entry("a", "F64", "[1]", "[0,18446744073709551616]"))),
              HasSubstr("two numbers"));
}

TEST_F(SafetensorsTest, SizesThatDoNotFitTheData) {
  const auto with_shape = [&](const char* shape, const char* dtype = "F64") {
    return header_refused(header_of(entry("a", dtype, shape, "[0,8]")));
  };
  EXPECT_THAT(with_shape("[2]"), HasSubstr("has 8 bytes for the shape [2] of F64"));
  EXPECT_THAT(with_shape("[]", "F32"), HasSubstr("8 bytes"));
  EXPECT_THAT(with_shape("[0]"), HasSubstr("8 bytes"));
  EXPECT_THAT(with_shape("[17]", "F4"), HasSubstr("8 bytes"));
  EXPECT_THAT(with_shape("[4294967296,4294967296]"), HasSubstr("more than any file"));
  EXPECT_THAT(with_shape("[2305843009213693953]"), HasSubstr("more than any file"));
  EXPECT_THAT(with_shape("[9223372036854775808]"), HasSubstr("a size"));
}

TEST_F(SafetensorsTest, RangesThatOverlapOrLeaveGaps) {
  const auto two = [&](const char* shape, const char* first, const char* second) {
    return header_refused(
        header_of(entry("a", "U8", shape, first), entry("b", "U8", shape, second)));
  };
  EXPECT_THAT(two("[5]", "[0,5]", "[3,8]"),
              AllOf(HasSubstr("\"b\""), HasSubstr("within the data")));
  EXPECT_THAT(two("[8]", "[0,8]", "[0,8]"), HasSubstr("within the data"));
  EXPECT_THAT(two("[3]", "[0,3]", "[5,8]"), HasSubstr("begins at byte 5"));
  EXPECT_THAT(two("[4]", "[1,5]", "[4,8]"), HasSubstr("begins at byte 1"));
  EXPECT_THAT(two("[3]", "[0,3]", "[3,6]"), HasSubstr("has 8 bytes of data"));
  EXPECT_THAT(header_refused("{}"), HasSubstr("has 8 bytes of data, and its tensors have 0"));
}

TEST_F(SafetensorsTest, NamesThatComeTwice) {
  EXPECT_THAT(header_refused(
                  header_of(entry("a", "I32", "[1]", "[0,4]"), entry("a", "I32", "[1]", "[4,8]"))),
              HasSubstr("\"a\" twice"));
  EXPECT_THAT(header_refused("{\"a\":{\"dtype\":\"F64\",\"dtype\":\"I64\"}}"),
              HasSubstr("its dtype twice"));
  EXPECT_THAT(header_refused("{\"__metadata__\":null,\"__metadata__\":{}}"),
              HasSubstr("\"__metadata__\" twice"));
}

TEST_F(SafetensorsTest, MessagesHaveNoControlCharacters) {
  EXPECT_THAT(header_refused("{\"a\\u001b[2J\\n\":1}"), HasSubstr("\"a\\x1b[2J\\n\""));
  EXPECT_THAT(header_refused(header_of(entry("a", "F\\u0007", "[1]", "[0,8]"))),
              HasSubstr("F\\x07"));
}

TEST_F(SafetensorsTest, WhatIsNoSafetensorsFile) {
  EXPECT_THAT(refused(""), HasSubstr("too short"));
  EXPECT_THAT(refused("1234567"), HasSubstr("too short"));
  EXPECT_THAT(refused(bytes_of(fixture("f32.pt"))), HasSubstr("not a safetensors file"));
}

TEST_F(SafetensorsTest, WhatIsWrittenReadsBack) {
  std::vector<files::Stored> tensors;
  std::vector<std::string> data;
  for (int i = 0; i < kDTypes; ++i) {
    const auto dtype = static_cast<DType>(i);
    tensors.push_back({join('%', i, " \"quoted\""), dtype, {2, i}});
    data.emplace_back();
    for (int64_t at = 0; at < 2 * i * item_size(dtype); ++at)
      data.back() += static_cast<char>(dtype == DType::Bool ? at % 2 : 7 * at + i);
  }
  tensors.push_back({"one", DType::F64, {}});
  data.push_back(raw(-2.5));
  const std::string file_path = path("written.safetensors");
  files::save_safetensors(file_path, tensors, [&](size_t i) { return data[i].data(); });
  const Safetensors file(file_path);
  ASSERT_EQ(file.tensors().size(), tensors.size());
  for (size_t i = 0; i < tensors.size(); ++i) {
    const Safetensors::Tensor& tensor = file.at(tensors[i].name);
    EXPECT_EQ(file.dtype(tensor), tensors[i].dtype);
    EXPECT_EQ(to_string(Sizes(tensor.sizes)), to_string(Sizes(tensors[i].sizes)));
    std::string read(data[i].size(), '\0');
    file.read(tensor, read.data());
    EXPECT_EQ(read, data[i]) << tensors[i].name;
  }
  files::save_safetensors(file_path, {}, {});
  EXPECT_EQ(Safetensors(file_path).tensors().size(), 0u);
}

}  // namespace
}  // namespace rt::test
