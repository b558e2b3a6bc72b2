// file.h -- a file open for reading, and the atomic replacement of a file.
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

/// Returns run(). An Error that it throws gets the name of the file `path` in front.
template <class F>
auto naming(const std::string& path, F run) {
  try {
    return run();
  } catch (const Error& error) {
    fail(printable(path), ": ", error.text());
  }
}

/// Throws Error with `what` and the text of errno.
[[noreturn]] void fail_errno(const char* what);

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using Stream = std::unique_ptr<std::FILE, CloseFile>;

/// A regular file, open for reading. It is read and not mapped: where another process shortens it,
/// touching a mapping would end this process, while a short read throws Error.
class File {
 public:
  explicit File(const std::string& path);
  File(File&& other) noexcept
      : descriptor_(std::exchange(other.descriptor_, -1)), size_(other.size_) {}
  ~File();

  int64_t size() const { return size_; }  ///< bytes, when it was opened
  /// Throws unless the file still has the size it was opened with.
  void check_size() const;
  /// Reads exactly `bytes` bytes from `offset` on. Throws where the file ends before that.
  void read(int64_t offset, void* out, int64_t bytes) const;

 private:
  int descriptor_;
  int64_t size_;
};

/// The contents of a regular file. Throws where it has more than `most` bytes, is not regular or
/// cannot be read.
std::string read_text(const std::string& path, int64_t most);

/// A new file in the folder of `path`, under a temporary name until commit() or replace() renames
/// it to `path`. Without these the destructor removes it, and `path` stays as it was. It gets the
/// permissions and the group of the file that it replaces, as far as the system allows that;
/// without an older file the umask decides.
class Replacement {
 public:
  /// A symbolic link is followed, and its target is replaced. Throws where `path` exists and is not
  /// a regular file.
  explicit Replacement(std::string path);
  Replacement(const Replacement&) = delete;
  Replacement& operator=(const Replacement&) = delete;
  ~Replacement();

  std::FILE* stream() { return stream_.get(); }
  void write(const void* data, int64_t bytes);
  /// Waits until the contents are on the disk, then renames. Removes temporary files that killed
  /// processes left in the folder.
  void commit();
  /// Renames without waiting for the disk: after a crash of the system the file may be empty.
  void replace();

 private:
  void take_permissions(const struct stat& old);

  std::string path_, temporary_;
  Stream stream_;
};

}  // namespace rt::files
