// seeds_test.cpp -- runs the fuzzers of the readers once on each of their seeds.
#include <fstream>

#include "tests/files/rig.h"
#include "tests/fuzz_files/readers.h"

namespace rt::test {
namespace {

/// Runs `fuzz` on every file of the folder; returns their count.
int replay(const std::string& folder, void (*fuzz)(Bytes)) {
  int count = 0;
  for (const auto& entry : fs::directory_iterator(source_dir() + "/" + folder)) {
    SCOPED_TRACE(entry.path().string());
    const std::string bytes = bytes_of(entry.path().string());
    fuzz({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()});
    ++count;
  }
  return count;
}

TEST(Seeds, OfPickles) { EXPECT_GT(replay("tests/fuzz_files/pickles", fuzz_pickle), 20); }
TEST(Seeds, OfTorchFiles) { EXPECT_GT(replay("tests/files/data", fuzz_torch_file), 20); }
TEST(Seeds, OfSafetensors) { EXPECT_GT(replay("tests/files/data", fuzz_safetensors), 20); }

}  // namespace
}  // namespace rt::test
