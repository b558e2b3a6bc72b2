// file.cpp -- reads at offsets; replaces a file by writing another beside it and renaming that.
#include "files/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>

namespace rt::files {
namespace {

void check_regular(mode_t mode) {
  if (S_ISDIR(mode)) fail("is a folder, not a file");
  if (!S_ISREG(mode)) fail("is not a regular file");
}

struct stat status_of(int descriptor) {
  struct stat status;
  if (::fstat(descriptor, &status) != 0) fail_errno("its size cannot be read");
  return status;
}

/// Closes the descriptor unless take() has been called.
class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  Descriptor& operator=(const Descriptor&) = delete;
  Descriptor(Descriptor&& other) noexcept : number_(other.take()) {}
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

/// Brings a rename in `folder` to the disk. Errors are ignored, because the rename itself is done.
void synchronize_folder(const std::filesystem::path& folder) {
  const Descriptor descriptor(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (descriptor.get() >= 0) ::fsync(descriptor.get());
}

std::filesystem::path folder_of(const std::string& path) {
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  return folder.empty() ? "." : folder;
}

// ---- Temporary files. The process that writes one holds a lock on it as long as it lives.

constexpr std::string_view kTemporary = ".rt_torch-", kTemporaryEnd = ".tmp";

struct Temporary {
  std::string name;
  Descriptor file;
};

Temporary make_temporary(const std::filesystem::path& folder, mode_t mode) {
  static std::atomic<uint64_t> count{0};
  while (true) {
    const std::string name = folder / join(kTemporary, ::getpid(), '-', count++, kTemporaryEnd);
    Descriptor file(::open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
    if (file.get() < 0 && errno == EEXIST) continue;
    if (file.get() < 0) fail_errno("no file can be created in its folder");
    // Errors are ignored: some file systems have no locks, and writing needs none. Before the lock,
    // another process may have removed the file as an abandoned one; then another is made.
    while (::flock(file.get(), LOCK_EX) != 0 && errno == EINTR) {
    }
    if (status_of(file.get()).st_nlink > 0) return {name, std::move(file)};
  }
}

/// Removes the temporary files of killed processes. The iterators of std::filesystem are no choice,
/// because they end the process when memory runs out.
void remove_abandoned(const std::filesystem::path& folder) {
  struct Close {
    void operator()(DIR* entries) const { ::closedir(entries); }
  };
  const std::unique_ptr<DIR, Close> entries(::opendir(folder.c_str()));
  if (!entries) return;
  const int here = ::dirfd(entries.get());
  while (const dirent* const at = ::readdir(entries.get())) {
    const std::string_view name = at->d_name;
    if (!name.starts_with(kTemporary) || !name.ends_with(kTemporaryEnd)) continue;
    const Descriptor file(
        ::openat(here, at->d_name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW));
    struct stat status;
    if (file.get() >= 0 && ::fstat(file.get(), &status) == 0 && S_ISREG(status.st_mode) &&
        ::flock(file.get(), LOCK_EX | LOCK_NB) == 0)
      ::unlinkat(here, at->d_name, 0);
  }
}

}  // namespace

// strerror's text may have any encoding, because the process's locale chooses it.
void fail_errno(const char* what) { fail(what, ": ", printable(std::strerror(errno))); }

File::File(const std::string& path) {
  // O_NONBLOCK: opening a pipe must not wait for a writer.
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
    fail("has changed since it was opened: it had ", size_, " bytes and has ", now,
         " now; open it again");
}

void File::read(int64_t offset, void* out, int64_t bytes) const {
  for (char* to = static_cast<char*>(out); bytes > 0;) {
    const ssize_t got = ::pread(descriptor_, to, static_cast<size_t>(bytes), offset);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail_errno("cannot be read");
    if (got == 0)
      fail("ends at byte ", offset, ", and ", bytes, " more bytes are needed; it is cut off");
    to += got;
    offset += got;
    bytes -= got;
  }
}

std::string read_text(const std::string& path, int64_t most) {
  const File file(path);
  if (file.size() > most) fail("has ", file.size(), " bytes; at most ", most, " are allowed");
  std::string text(static_cast<size_t>(file.size()), '\0');
  file.read(0, text.data(), file.size());
  return text;
}

// ---- Replacing.

/// Gives the new file the permissions of the old one. The group gets none where it cannot be kept
/// or where an access list holds its rights: the mode's bits would then reach other users.
void Replacement::take_permissions(const struct stat& old) {
  constexpr mode_t kAll = 0777;  // not setuid, setgid and sticky
  const int file = ::fileno(stream_.get());
  mode_t mode = old.st_mode & kAll;
  const bool listed = ::getxattr(path_.c_str(), "system.posix_acl_access", nullptr, 0) > 0;
  if (listed || ::fchown(file, static_cast<uid_t>(-1), old.st_gid) != 0) mode &= ~mode_t{S_IRWXG};
  if (::fchmod(file, mode) != 0) fail_errno("its permissions cannot be set");
}

Replacement::Replacement(std::string path) : path_(std::move(path)) {
  constexpr mode_t kOwner = 0600, kAnyone = 0666;  // both less the process's umask
  std::error_code ignored;
  if (std::filesystem::is_symlink(path_, ignored)) {
    const auto target = std::filesystem::canonical(path_, ignored);
    if (ignored) fail("is a link to a file that does not exist");
    path_ = target;
  }
  struct stat old;
  const bool replaces = ::stat(path_.c_str(), &old) == 0;
  if (replaces) check_regular(old.st_mode);
  // kOwner: nobody else may open the file before it has the old one's permissions.
  Temporary made = make_temporary(folder_of(path_), replaces ? kOwner : kAnyone);
  temporary_ = std::move(made.name);
  try {
    stream_ = to_stream(std::move(made.file), "wb");
    if (replaces) take_permissions(old);
  } catch (...) {
    ::unlink(temporary_.c_str());
    throw;
  }
}

Replacement::~Replacement() {
  if (stream_) ::unlink(temporary_.c_str());
}

void Replacement::write(const void* data, int64_t bytes) {
  if (bytes == 0) return;  // an empty tensor may have no data
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
  const std::filesystem::path folder = folder_of(path_);
  remove_abandoned(folder);
  replace();
  synchronize_folder(folder);
}

}  // namespace rt::files
