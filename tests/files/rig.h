// rig.h -- shared by the tests of file formats: a folder, bytes, refusals.
#pragma once
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "graph/error.h"
#include "graph/types.h"
#include "tests/support/source_dir.h"

namespace rt::test {

namespace fs = std::filesystem;

/// The path of a file in tests/files/data, which make/fixtures.py wrote.
inline std::string fixture(const std::string& name) {
  return source_dir() + "/tests/files/data/" + name;
}

inline std::string bytes_of(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// A number's bytes in memory, which are those in a file.
template <class Number>
std::string raw(Number number) {
  return {reinterpret_cast<const char*>(&number), sizeof number};
}

/// Elements at `data` as numbers; those of half precision as their bits.
inline std::vector<double> numbers(DType dtype, const void* data, int64_t count) {
  std::vector<double> out;
  for (int64_t i = 0; i < count; ++i) {
    const char* at = static_cast<const char*>(data) + i * item_size(dtype);
    const auto as = [&](auto number) {
      std::memcpy(&number, at, sizeof number);
      return static_cast<double>(number);
    };
    switch (dtype) {
      case DType::F32: out.push_back(as(float{})); break;
      case DType::F64: out.push_back(as(double{})); break;
      case DType::I32: out.push_back(as(int32_t{})); break;
      case DType::I64: out.push_back(as(int64_t{})); break;
      case DType::Bool: out.push_back(as(uint8_t{})); break;
      default: out.push_back(as(uint16_t{})); break;
    }
  }
  return out;
}

/// The contents of most fixtures, -1 0 1 2 3 4, as numbers() returns them.
inline std::vector<double> fixture_numbers(DType dtype) {
  switch (dtype) {
    case DType::Bool: return {1, 0, 1, 1, 1, 1};
    case DType::F16: return {0xbc00, 0, 0x3c00, 0x4000, 0x4200, 0x4400};
    case DType::BF16: return {0xbf80, 0, 0x3f80, 0x4000, 0x4040, 0x4080};
    default: return {-1, 0, 1, 2, 3, 4};
  }
}

/// The error that refuses `run`; the test fails if there is none.
template <class F>
std::string refusal(F run) {
  try {
    run();
  } catch (const Error& error) {
    return error.text();
  }
  ADD_FAILURE() << "it was not refused";
  return {};
}

class InFolder : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "rt_files_XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  /// Writes a file and returns its path.
  std::string write(const std::string& name, std::string_view bytes) const {
    std::ofstream(path(name), std::ios::binary) << bytes;
    return path(name);
  }
  std::vector<std::string> names() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder_))
      names.push_back(entry.path().filename().string());
    return names;
  }

 private:
  fs::path folder_;
};

}  // namespace rt::test
