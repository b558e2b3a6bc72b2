// zip.cpp -- zip archives: the directory at the end, a header before each entry, zlib's checksums.
//
// No library fits. Debian 12's minizip ignores 64-bit sizes and crashes when memory runs out. Its
// libzip does not align entries and is a shared library only, whose libcrypto makes every program
// start 6 ms later and 2 MB bigger. Debian has no package of minizip-ng.
#include "files/zip.h"

#include <zlib.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "graph/printable.h"

namespace rt::files {
namespace {

static_assert(std::endian::native == std::endian::little, "archives hold little-endian numbers");

constexpr size_t kMaxEntries = 10'000;       // a file of one tensor has about ten
constexpr int64_t kMaxDirectory = 16 << 20;  // bytes
constexpr int64_t kAtOnce = 1 << 20;  // bytes read before a checksum, so that a cache has them

// The first bytes of the records, and the sizes of their fixed parts.
constexpr std::string_view kHeader = "PK\3\4", kItem = "PK\1\2", kEnd = "PK\5\6", kEnd64 = "PK\6\6",
                           kLocator64 = "PK\6\7";
constexpr int64_t kHeaderSize = 30, kEndSize = 22, kEnd64Size = 56, kLocator64Size = 20;

// A field of 32 bits that cannot hold its value is all ones. The value then follows in an "extra"
// field with this tag, 8 bytes for each such field of the record.
constexpr uint16_t kTag64 = 1;
constexpr uint32_t kFull = 0xffffffff;
constexpr uint16_t kFullCount = 0xffff;

constexpr uint16_t kStore = 0;           // the method of uncompressed entries
constexpr uint16_t kEncrypted = 0x2041;  // the flags of all kinds of encryption
constexpr uint16_t kSizesBehind = 8;     // a flag: sizes and checksum follow the data

// ---- Reading.

/// Takes a record's fields one after the other.
class Fields {
 public:
  explicit Fields(std::string_view bytes) : rest_(bytes) {}
  size_t size() const { return rest_.size(); }
  std::string_view take(size_t bytes) {
    if (bytes > rest_.size()) fail("the directory of the zip archive is damaged");
    const std::string_view taken = rest_.substr(0, bytes);
    rest_.remove_prefix(bytes);
    return taken;
  }
  template <class Number>
  Number take() {
    Number number;
    std::memcpy(&number, take(sizeof number).data(), sizeof number);
    return number;
  }
  void skip(size_t bytes) { take(bytes); }

 private:
  std::string_view rest_;
};

std::string bytes_of(const File& file, int64_t at, int64_t bytes) {
  std::string text(static_cast<size_t>(bytes), '\0');
  file.read(at, text.data(), bytes);
  return text;
}

[[noreturn]] void fail_no_archive() { fail("is no zip archive, or its end is cut off"); }

struct Directory {
  uint64_t entries, size, at;
};

/// Reads the zip64 record, which a locator in front of the usual record points at.
Directory find_directory64(const File& file, int64_t locator_at) {
  const std::string found = bytes_of(file, locator_at, kLocator64Size);
  Fields locator(found);
  locator.skip(kLocator64.size() + 4);  // the number of a disk
  const auto at = locator.take<uint64_t>();
  if (at > static_cast<uint64_t>(locator_at) || locator_at - static_cast<int64_t>(at) < kEnd64Size)
    fail_no_archive();
  const std::string record = bytes_of(file, static_cast<int64_t>(at), kEnd64Size);
  if (!record.starts_with(kEnd64)) fail_no_archive();
  Fields fields(record);
  fields.skip(kEnd64.size() + 28);  // its size, versions, disks, entries on this disk
  return {fields.take<uint64_t>(), fields.take<uint64_t>(), fields.take<uint64_t>()};
}

/// Searches from the back, because only a comment may follow the record.
Directory find_directory(const File& file) {
  constexpr int64_t kLongestComment = 0xffff;
  const int64_t length = std::min(file.size(), kEndSize + kLongestComment);
  const std::string tail = bytes_of(file, file.size() - length, length);
  const size_t found =
      length < kEndSize ? tail.npos : tail.rfind(kEnd, static_cast<size_t>(length - kEndSize));
  if (found == tail.npos) fail_no_archive();
  Fields fields(std::string_view(tail).substr(found));
  fields.skip(kEnd.size() + 6);  // disks, entries on this disk
  Directory directory{fields.take<uint16_t>(), fields.take<uint32_t>(), fields.take<uint32_t>()};
  if (fields.take<uint16_t>() > fields.size()) fail_no_archive();  // the comment is cut off
  int64_t end = file.size() - length + static_cast<int64_t>(found);
  if (end >= kLocator64Size &&
      bytes_of(file, end - kLocator64Size, kLocator64Size).starts_with(kLocator64)) {
    end -= kLocator64Size;
    directory = find_directory64(file, end);
  }
  if (directory.at > static_cast<uint64_t>(end) ||
      directory.size > static_cast<uint64_t>(end) - directory.at)
    fail_no_archive();
  return directory;
}

/// Sets the numbers that a record had no room for, from its extra fields.
void take_from_extra(std::string_view extra, std::initializer_list<uint64_t*> numbers) {
  const auto is_full = [](const uint64_t* number) { return *number == kFull; };
  if (std::none_of(numbers.begin(), numbers.end(), is_full)) return;
  for (Fields fields(extra); fields.size() > 0;) {
    const auto tag = fields.take<uint16_t>(), size = fields.take<uint16_t>();
    Fields field(fields.take(size));
    if (tag != kTag64) continue;
    for (uint64_t* number : numbers)
      if (is_full(number)) *number = field.take<uint64_t>();
    return;
  }
}

}  // namespace

ZipReader::ZipReader(const File& file) : file_(file) {
  const Directory directory = find_directory(file);
  if (directory.size > kMaxDirectory)
    fail("the directory of the zip archive has ", directory.size, " bytes, more than the ",
         kMaxDirectory, " that are read");
  directory_at_ = static_cast<int64_t>(directory.at);
  add_entries(static_cast<int64_t>(std::min<uint64_t>(directory.entries, INT64_MAX)),
              bytes_of(file, directory_at_, static_cast<int64_t>(directory.size)));
}

void ZipReader::add_entries(int64_t count, std::string_view directory) {
  Fields fields(directory);
  for (; count > 0; --count) {
    if (entries_.size() == kMaxEntries)
      fail("the zip archive has more than ", kMaxEntries, " entries");
    if (fields.take(kItem.size()) != kItem) fail("the directory of the zip archive is damaged");
    fields.skip(4);  // versions
    const auto flags = fields.take<uint16_t>(), method = fields.take<uint16_t>();
    fields.skip(4);  // when it was changed
    const auto checksum = fields.take<uint32_t>();
    uint64_t packed = fields.take<uint32_t>(), size = fields.take<uint32_t>();
    const auto name_size = fields.take<uint16_t>(), extra_size = fields.take<uint16_t>(),
               comment_size = fields.take<uint16_t>();
    fields.skip(8);  // a disk, attributes
    uint64_t header = fields.take<uint32_t>();
    std::string name(fields.take(name_size));
    take_from_extra(fields.take(extra_size), {&size, &packed, &header});
    fields.skip(comment_size);

    const bool stored = method == kStore && !(flags & kEncrypted);
    const auto file_size = static_cast<uint64_t>(file_.size());
    if (stored && (size > file_size || packed != size))
      fail("the zip archive is damaged: its entry ", printable(name), " of ", size, " bytes takes ",
           packed, " bytes in a file of ", file_size);
    const Entry entry{static_cast<int64_t>(std::min(header, file_size)),
                      static_cast<int64_t>(std::min(size, file_size)), checksum, stored};
    if (!entries_.emplace(std::move(name), entry).second)
      fail("the zip archive has the entry ", printable(name), " twice");
  }
  if (fields.size() > 0)
    fail("the directory of the zip archive is damaged: bytes follow its entries");
}

const ZipReader::Entry& ZipReader::at(std::string_view name) const {
  const auto found = entries_.find(name);
  if (found == entries_.end()) fail("the zip archive has no entry ", printable(name));
  if (!found->second.stored)
    fail("the entry ", printable(name),
         " of the zip archive is compressed or encrypted, which torch.save never does");
  return found->second;
}

/// The offset of the entry's data. Throws where its header contradicts the directory.
int64_t ZipReader::data_of(std::string_view name, const Entry& entry) const {
  const auto check = [name](bool holds) {
    if (!holds)
      fail("the entry ", printable(name), " of the zip archive is damaged: its header is not what ",
           "the directory says");
  };
  const int64_t room = directory_at_ - entry.header;
  check(room >= kHeaderSize);
  const std::string record = bytes_of(file_, entry.header, kHeaderSize);
  Fields fields(record);
  check(fields.take(kHeader.size()) == kHeader);
  fields.skip(2);  // a version
  const auto flags = fields.take<uint16_t>(), method = fields.take<uint16_t>();
  fields.skip(4);  // when it was changed
  const auto checksum = fields.take<uint32_t>(), packed = fields.take<uint32_t>(),
             size = fields.take<uint32_t>();
  const auto name_size = fields.take<uint16_t>(), extra_size = fields.take<uint16_t>();
  check(method == kStore && !(flags & kEncrypted) && name_size == name.size());
  if (!(flags & kSizesBehind))
    check(checksum == entry.checksum && packed == size &&
          (size == kFull || size == static_cast<uint64_t>(entry.size)));
  const int64_t before_data = kHeaderSize + name_size + extra_size;
  if (room < before_data || room - before_data < entry.size)
    fail("the entry ", printable(name), " of the zip archive is cut off");
  check(bytes_of(file_, entry.header + kHeaderSize, name_size) == name);
  return entry.header + before_data;
}

void ZipReader::read(std::string_view name, void* out) const {
  const Entry& entry = at(name);
  int64_t from = data_of(name, entry);
  uLong checksum = 0;
  char* to = static_cast<char*>(out);
  for (int64_t left = entry.size; left > 0;) {
    const int64_t part = std::min(left, kAtOnce);
    file_.read(from, to, part);
    checksum = crc32(checksum, reinterpret_cast<const Bytef*>(to), static_cast<uInt>(part));
    from += part;
    to += part;
    left -= part;
  }
  // PyTorch can be set to write no checksums, and writes 0 then.
  if (entry.checksum != 0 && checksum != entry.checksum)
    fail("the entry ", printable(name), " of the zip archive is damaged: its checksum differs");
}

std::string ZipReader::text(std::string_view name) const {
  std::string text(static_cast<size_t>(at(name).size), '\0');
  read(name, text.data());
  return text;
}

// ---- Writing.

namespace {

template <class Number>
void put(std::string& out, Number number) {
  out.append(reinterpret_cast<const char*>(&number), sizeof number);
}
/// A size or offset in its usual field of 32 bits.
void put_short(std::string& out, int64_t number) {
  put(out, number < kFull ? static_cast<uint32_t>(number) : kFull);
}
/// The extra field with the numbers that do not fit their usual fields.
std::string extra64(std::initializer_list<int64_t> numbers) {
  std::string full, extra;
  for (const int64_t number : numbers)
    if (number >= kFull) put(full, number);
  if (full.empty()) return extra;
  put(extra, kTag64);
  put(extra, static_cast<uint16_t>(full.size()));
  return extra += full;
}

/// The part that the header and the directory have in common for an entry.
void put_facts(std::string& out, std::string_view name, uint32_t checksum, int64_t bytes,
               size_t extra_size) {
  constexpr uint16_t kVersion = 45, kFlags = 0, kMidnight = 0;  // 45: knows 64-bit sizes
  constexpr uint16_t kDay = 0x21;  // 1980-01-01, so that the file's bytes do not depend on the day
  for (const uint16_t field : {kVersion, kFlags, kStore, kMidnight, kDay}) put(out, field);
  put(out, checksum);
  put_short(out, bytes);
  put_short(out, bytes);
  put(out, static_cast<uint16_t>(name.size()));
  put(out, static_cast<uint16_t>(extra_size));
}

}  // namespace

void ZipWriter::write(const void* data, int64_t bytes) {
  const auto size = static_cast<size_t>(bytes);
  if (size > 0 && std::fwrite(data, 1, size, stream_) != size) fail_errno("cannot be written");
  at_ += bytes;
}

void ZipWriter::add(std::string_view name, const void* data, int64_t bytes) {
  constexpr int64_t kAlignment = 64, kTag = 4;  // a tag and a size, before an extra field
  const auto checksum = static_cast<uint32_t>(
      crc32_z(0, static_cast<const Bytef*>(data), static_cast<size_t>(bytes)));
  const int64_t header_at = at_;
  std::string extra = extra64({bytes, bytes});
  // An extra field under PyTorch's own tag aligns the data.
  const int64_t data_at = at_ + kHeaderSize + std::ssize(name) + std::ssize(extra) + kTag;
  const auto padding = static_cast<uint16_t>((kAlignment - data_at % kAlignment) % kAlignment);
  extra += "FB";
  put(extra, padding);
  extra.append(padding, '\0');

  std::string header(kHeader);
  put_facts(header, name, checksum, bytes, extra.size());
  (header += name) += extra;
  write(header.data(), std::ssize(header));
  write(data, bytes);

  const std::string more = extra64({bytes, bytes, header_at});
  constexpr uint16_t kMadeBy = 45;
  directory_ += kItem;
  put(directory_, kMadeBy);
  put_facts(directory_, name, checksum, bytes, more.size());
  directory_.append(10, '\0');  // no comment, the first disk, no attributes
  put_short(directory_, header_at);
  (directory_ += name) += more;
  ++entries_;
}

void ZipWriter::finish() {
  const int64_t directory_at = at_, size = std::ssize(directory_);
  std::string end;
  if (directory_at >= kFull || size >= kFull || entries_ >= kFullCount) {
    constexpr uint16_t kVersion = 45;
    end += kEnd64;
    put(end, kEnd64Size - 12);  // size of the rest of this record
    put(end, kVersion);
    put(end, kVersion);
    end.append(8, '\0');  // the first disk
    for (const int64_t field : {entries_, entries_, size, directory_at}) put(end, field);
    end += kLocator64;
    end.append(4, '\0');
    put(end, directory_at + size);  // offset of the zip64 record
    put(end, uint32_t{1});          // disks
  }
  end += kEnd;
  end.append(4, '\0');
  const auto entries = static_cast<uint16_t>(std::min<int64_t>(entries_, kFullCount));
  put(end, entries);
  put(end, entries);
  put_short(end, size);
  put_short(end, directory_at);
  put(end, uint16_t{0});  // no comment
  write(directory_.data(), size);
  write(end.data(), std::ssize(end));
}

}  // namespace rt::files
