// zip.h -- zip archives as PyTorch writes them, whose entries are stored and not compressed.
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "files/file.h"

namespace rt::files {

/// The entries of an archive by their names. Entries that are compressed or encrypted have a place
/// here but cannot be had: what is read, and the room made for it, is never more than the file.
class ZipReader {
 public:
  struct Entry {
    int64_t size;
    bool stored;
    bool checked;            ///< it has a checksum
    uint64_t place, number;  ///< in the archive's directory
  };
  using Entries = std::map<std::string, Entry, std::less<>>;

  explicit ZipReader(const File& file);
  const Entries& entries() const { return entries_; }
  /// Throws where there is none that can be read.
  const Entry& at(std::string_view name) const;
  /// Reads all of an entry, whose size is that of the room at `out`, and verifies its checksum.
  void read(std::string_view name, void* out);
  std::string text(std::string_view name);  ///< all of an entry

 private:
  struct Close {
    void operator()(void* archive) const;
  };
  void add_current(int64_t file_size);

  Stream stream_;
  std::unique_ptr<void, Close> archive_;
  Entries entries_;
};

/// Writes an archive whose entries begin at multiples of 64 bytes, where PyTorch wants them. The
/// same entries make the same bytes.
class ZipWriter {
 public:
  explicit ZipWriter(std::FILE* stream);
  void add(const std::string& name, const void* data, int64_t bytes);
  void finish();

 private:
  struct Close {
    void operator()(void* archive) const;
  };
  std::FILE* stream_;
  std::unique_ptr<void, Close> archive_;
};

}  // namespace rt::files
