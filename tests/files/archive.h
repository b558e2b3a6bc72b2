// archive.h -- makes zip archives for tests, and finds their fields so that tests can falsify them.
#pragma once
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "files/zip.h"
#include "tests/files/rig.h"

namespace rt::test {

using Entries = std::vector<std::pair<std::string, std::string>>;

inline std::string archive(const Entries& entries) {
  char* bytes = nullptr;
  size_t size = 0;
  std::FILE* stream = open_memstream(&bytes, &size);
  {
    files::ZipWriter zip(stream);
    for (const auto& [name, text] : entries)
      zip.add(name, text.data(), static_cast<int64_t>(text.size()));
    zip.finish();
  }
  std::fclose(stream);
  const std::string all(bytes, size);
  std::free(bytes);
  return all;
}

/// A stream into the descriptor's file that seeks over zeros instead of writing them.
inline std::FILE* sparse_stream(int& descriptor) {
  const auto write = [](void* to, const char* bytes, size_t size) -> ssize_t {
    const int file = *static_cast<int*>(to);
    const bool zeros = std::all_of(bytes, bytes + size, [](char byte) { return byte == 0; });
    if (zeros) return lseek(file, static_cast<off_t>(size), SEEK_CUR) < 0 ? -1 : ssize_t(size);
    return ::write(file, bytes, size);
  };
  return fopencookie(&descriptor, "wb", {nullptr, write, nullptr, nullptr});
}

// Offsets of fields in a header.
inline constexpr size_t kLocalFlags = 6, kLocalCrc = 14, kLocalName = 30;
inline constexpr size_t kCentralFlags = 8, kCentralMethod = 10, kCentralCrc = 16,
                        kCentralCompressed = 20, kCentralSize = 24, kCentralOffset = 42,
                        kCentralName = 46;

/// The offset of a field of an entry's local header in the archive.
inline size_t local_field(const std::string& archive, const std::string& name, size_t field) {
  return archive.find(name) - kLocalName + field;
}
/// The offset of a field of an entry's directory header in the archive.
inline size_t central_field(const std::string& archive, const std::string& name, size_t field) {
  return archive.rfind(name) - kCentralName + field;
}
template <class Number>
void patch(std::string& bytes, size_t at, Number number) {
  bytes.replace(at, sizeof number, raw(number));
}

}  // namespace rt::test
