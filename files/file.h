// file.h -- a file open for reading, and one that takes the place of another all at once.
#pragma once
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>

#include "graph/error.h"
#include "graph/printable.h"

struct stat;

namespace rt::files {

/// Runs what reads or writes the file `path`: its errors get the file's name in front.
template <class F>
auto naming(const std::string& path, F run) {
  try {
    return run();
  } catch (const Error& error) {
    fail(printable(path), ": ", error.text());
  }
}

/// Throws: what could not be done, and what the system says about it.
[[noreturn]] void fail_errno(const char* what);

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using Stream = std::unique_ptr<std::FILE, CloseFile>;

/// A regular file, open for reading. Nothing of it is mapped: where a file shrinks, touching a
/// mapping ends the process, while a read comes back short, which is an error here.
class File {
 public:
  explicit File(const std::string& path);
  File(File&& other) noexcept
      : descriptor_(std::exchange(other.descriptor_, -1)), size_(other.size_) {}
  ~File();

  int64_t size() const { return size_; }  ///< when it was opened
  /// Throws unless the file still has the size it was opened with.
  void check_size() const;
  /// Reads exactly `bytes` bytes from `offset` on. Throws where they are not there.
  void read(int64_t offset, void* out, int64_t bytes) const;

 private:
  int descriptor_;
  int64_t size_;
};

/// All of a regular file of at most `most` bytes. Throws where it is another, or cannot be read.
std::string read_text(const std::string& path, int64_t most);

/// A new file under a name of its own, in the folder of `path`, until it is put in the place of
/// `path`. Without that it goes, and `path` stays what it was. It has the permissions and the group
/// of the file that it replaces, as far as they can be had; a file of a new name has what the
/// process's mask leaves.
class Replacement {
 public:
  /// A link is followed: what it leads to is replaced. Throws where `path` is no regular file.
  explicit Replacement(std::string path);
  Replacement(const Replacement&) = delete;
  Replacement& operator=(const Replacement&) = delete;
  ~Replacement();

  std::FILE* stream() { return stream_.get(); }
  void write(const void* data, int64_t bytes);
  /// Brings all that was written to the disk, and then renames. Removes what processes that were
  /// killed left behind in the folder.
  void commit();
  /// Renames at once: after a crash of the system the file may be empty.
  void replace();

 private:
  void take_permissions(const struct stat& old);

  std::string path_, temporary_;
  Stream stream_;
};

}  // namespace rt::files
