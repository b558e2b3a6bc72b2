// readers.h -- each reader of files on bytes that may be anything: it reads or throws, and no more.
#pragma once
#include <cstdint>
#include <span>

namespace rt::test {

using Bytes = std::span<const uint8_t>;

// These abort where a reader breaks a promise.
void fuzz_pickle(Bytes bytes);
void fuzz_torch_file(Bytes bytes);
void fuzz_safetensors(Bytes bytes);

}  // namespace rt::test
