// readers.h -- runs each file reader on arbitrary bytes, which it must read or refuse.
#pragma once
#include <cstdint>
#include <span>

namespace rt::test {

using Bytes = std::span<const uint8_t>;

// These abort if a reader breaks a promise.
void fuzz_pickle(Bytes bytes);
void fuzz_torch_file(Bytes bytes);
void fuzz_safetensors(Bytes bytes);

}  // namespace rt::test
