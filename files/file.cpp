// file.cpp -- reading at offsets; writing beside a file and renaming.
#include "files/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <filesystem>

namespace rt::files {
namespace {

void check_regular(mode_t mode) {
  if (S_ISDIR(mode)) fail("is a folder, not a file");
  if (!S_ISREG(mode)) fail("is not a regular file");
}

struct stat status_of(int descriptor) {
  struct stat status;
  if (::fstat(descriptor, &status) != 0) fail_errno("its size cannot be told");
  return status;
}

/// Closes unless it is taken.
class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  int get() const { return number_; }
  int take() { return std::exchange(number_, -1); }

 private:
  int number_;
};

Stream to_stream(Descriptor descriptor, const char* mode) {
  Stream stream(::fdopen(descriptor.get(), mode));
  if (!stream) fail_errno("cannot be opened");
  descriptor.take();
  return stream;
}

/// A rename is on the disk once its folder is. Where a folder cannot be synchronized the rename has
/// still been made.
void synchronize_folder(const std::filesystem::path& folder) {
  const Descriptor descriptor(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (descriptor.get() >= 0) ::fsync(descriptor.get());
}

std::filesystem::path folder_of(const std::string& path) {
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  return folder.empty() ? "." : folder;
}

}  // namespace

void fail_errno(const char* what) { fail(what, ": ", std::string_view(std::strerror(errno))); }

File::File(const std::string& path) {
  // O_NONBLOCK: opening a pipe must not wait for somebody to write into it.
  Descriptor descriptor(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (descriptor.get() < 0) fail_errno("cannot be opened");
  const struct stat status = status_of(descriptor.get());
  check_regular(status.st_mode);
  size_ = status.st_size;
  descriptor_ = descriptor.take();
}

File::~File() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

void File::check_size() const {
  const int64_t now = status_of(descriptor_).st_size;
  if (now != size_)
    fail("has changed since it was opened: it had ", size_, " bytes and has ", now, " now");
}

void File::read(int64_t offset, void* out, int64_t bytes) const {
  for (char* to = static_cast<char*>(out); bytes > 0;) {
    const ssize_t got = ::pread(descriptor_, to, static_cast<size_t>(bytes), offset);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail_errno("cannot be read");
    if (got == 0) fail("ends at byte ", offset, ", where ", bytes, " more are needed");
    to += got;
    offset += got;
    bytes -= got;
  }
}

Stream File::stream() const {
  const int copy = ::fcntl(descriptor_, F_DUPFD_CLOEXEC, 0);
  if (copy < 0) fail_errno("cannot be opened");
  return to_stream(Descriptor(copy), "rb");
}

Replacement::Replacement(std::string path) : path_(std::move(path)) {
  static std::atomic<uint64_t> count{0};
  constexpr mode_t kAnyone = 0666;  // less the process's mask
  std::error_code ignored;
  if (std::filesystem::is_symlink(path_, ignored)) {
    const auto target = std::filesystem::canonical(path_, ignored);
    if (ignored) fail("is a link that leads nowhere");
    path_ = target;
  }
  struct stat old;
  const bool replaces = ::stat(path_.c_str(), &old) == 0;
  if (replaces) check_regular(old.st_mode);
  const std::filesystem::path folder = folder_of(path_);
  int made = -1;
  do {
    temporary_ = folder / join(".rt_torch-", ::getpid(), "-", count++, ".tmp");
    made = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, kAnyone);
  } while (made < 0 && errno == EEXIST);
  if (made < 0) fail_errno("no file can be made beside it");
  Descriptor descriptor(made);
  try {
    constexpr mode_t kPermissions = 07777;
    if (replaces && ::fchmod(made, old.st_mode & kPermissions) != 0)
      fail_errno("the new file cannot get its permissions");
    stream_ = to_stream(Descriptor(descriptor.take()), "wb");
  } catch (...) {
    ::unlink(temporary_.c_str());
    throw;
  }
}

Replacement::~Replacement() {
  if (stream_) ::unlink(temporary_.c_str());
}

void Replacement::write(const void* data, int64_t bytes) {
  if (bytes == 0) return;  // of an empty tensor, which has no data
  const auto size = static_cast<size_t>(bytes);
  if (std::fwrite(data, 1, size, stream_.get()) != size) fail_errno("cannot be written");
}

void Replacement::replace() {
  if (std::fflush(stream_.get()) != 0) fail_errno("cannot be written");
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) fail_errno("cannot be replaced");
  stream_.reset();
}

void Replacement::commit() {
  if (std::fflush(stream_.get()) != 0 || ::fsync(::fileno(stream_.get())) != 0)
    fail_errno("cannot be written");
  replace();
  synchronize_folder(folder_of(path_));
}

}  // namespace rt::files
