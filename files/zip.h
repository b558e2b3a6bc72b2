// zip.h -- zip archives as PyTorch writes them, whose entries are stored and not compressed.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "files/file.h"

namespace rt::files {

/// The entries of an archive by their names, of any size: archives of 4 GiB and more are "zip64".
/// Entries that are compressed or encrypted have a place here but cannot be had: what is read, and
/// the room made for it, is never more than the file.
class ZipReader {
 public:
  struct Entry {
    int64_t header;  ///< where the header in front of its data begins
    int64_t size;
    uint32_t checksum;  ///< 0: it has none
    bool stored;
  };
  using Entries = std::map<std::string, Entry, std::less<>>;

  /// `file` must live as long as the reader. Throws where it is no whole archive.
  explicit ZipReader(const File& file);
  const Entries& entries() const { return entries_; }
  /// Throws where there is none that can be read.
  const Entry& at(std::string_view name) const;
  /// Reads all of an entry, whose size is that of the room at `out`, and verifies its checksum.
  void read(std::string_view name, void* out) const;
  std::string text(std::string_view name) const;  ///< all of an entry

 private:
  void add_entries(int64_t count, std::string_view directory);
  int64_t data_of(std::string_view name, const Entry& entry) const;

  const File& file_;
  Entries entries_;
  int64_t directory_at_ = 0;  ///< all data lies before it
};

/// Writes an archive whose entries begin at multiples of 64 bytes, where PyTorch wants them. The
/// same entries make the same bytes.
class ZipWriter {
 public:
  /// `stream` must live as long as the writer, and stands at its beginning.
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
