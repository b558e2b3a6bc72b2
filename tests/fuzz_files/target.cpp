// target.cpp -- libFuzzer's entry point, compiled once for each reader.
#include <cstddef>

#include "tests/fuzz_files/readers.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  rt::test::RT_FUZZ_READER({data, size});
  return 0;
}
