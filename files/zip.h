// zip.h -- zip archives as PyTorch writes them, with stored and not compressed entries.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "files/file.h"

namespace rt::files {

/// The entries of an archive by name. They may have any size: archives of 4 GiB and more are
/// "zip64". Compressed and encrypted entries are listed, but at() refuses them, so that an entry is
/// never larger than the file.
class ZipReader {
 public:
  struct Entry {
    int64_t header;  ///< offset of the header in front of the data
    int64_t size;
    uint32_t checksum;  ///< 0: it has none
    bool stored;
  };
  using Entries = std::map<std::string, Entry, std::less<>>;

  /// Throws where `file` is no complete archive. `file` must outlive the reader.
  explicit ZipReader(const File& file);
  const Entries& entries() const { return entries_; }
  /// Throws where there is no such entry, or where it is compressed or encrypted.
  const Entry& at(std::string_view name) const;
  /// Reads a whole entry of Entry::size bytes to `out`, and verifies its checksum.
  void read(std::string_view name, void* out) const;
  std::string text(std::string_view name) const;  ///< a whole entry

 private:
  void add_entries(int64_t count, std::string_view directory);
  int64_t data_of(std::string_view name, const Entry& entry) const;

  const File& file_;
  Entries entries_;
  int64_t directory_at_ = 0;  ///< all entries end before this offset
};

/// Writes an archive whose data begin at multiples of 64 bytes, as PyTorch wants them. Equal
/// entries give equal bytes.
class ZipWriter {
 public:
  /// `stream` is at its beginning and must outlive the writer.
  explicit ZipWriter(std::FILE* stream) : stream_(stream) {}
  void add(std::string_view name, const void* data, int64_t bytes);
  void finish();

 private:
  void write(const void* data, int64_t bytes);

  std::FILE* stream_;
  int64_t at_ = 0, entries_ = 0;
  std::string directory_;
};

}  // namespace rt::files
