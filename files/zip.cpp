// zip.cpp -- zip archives over minizip.
#include "files/zip.h"

#include <minizip/unzip.h>
#include <minizip/zip.h>

#include <algorithm>

namespace rt::files {
namespace {

constexpr size_t kMostEntries = 10'000;   // a file of one tensor has about ten
constexpr int64_t kMostAtOnce = 1 << 30;  // minizip takes sizes of 32 bits

/// minizip's own functions over a stream that is open already and stays so.
zlib_filefunc64_def functions_over(std::FILE* stream) {
  zlib_filefunc64_def functions;
  fill_fopen64_filefunc(&functions);
  functions.opaque = stream;
  functions.zopen64_file = [](void* opaque, const void*, int) { return opaque; };
  functions.zclose_file = [](void*, void*) { return 0; };
  return functions;
}

/// minizip looks for the end of the archive wherever it may be; one that is whole ends with it.
bool ends_whole(const File& file) {
  constexpr int64_t kEndRecord = 22;  // bytes, without a comment, which PyTorch does not write
  constexpr std::string_view kOpening = "PK\5\6";
  char opening[kOpening.size()];
  if (file.size() < kEndRecord) return false;
  file.read(file.size() - kEndRecord, opening, sizeof opening);
  return std::string_view(opening, sizeof opening) == kOpening;
}

}  // namespace

void ZipReader::Close::operator()(void* archive) const { unzClose(archive); }

ZipReader::ZipReader(const File& file) : stream_(file.stream()) {
  zlib_filefunc64_def functions = functions_over(stream_.get());
  archive_.reset(unzOpen2_64(nullptr, &functions));
  if (!archive_ || !ends_whole(file)) fail("is no zip archive, or its end is cut off");
  int outcome = unzGoToFirstFile(archive_.get());
  for (; outcome == UNZ_OK; outcome = unzGoToNextFile(archive_.get())) add_current(file.size());
  if (outcome != UNZ_END_OF_LIST_OF_FILE) fail("the directory of the zip archive is damaged");
}

/// The entry that minizip's walk stands at.
void ZipReader::add_current(int64_t file_size) {
  if (entries_.size() == kMostEntries)
    fail("the zip archive has more than ", kMostEntries, " entries");
  unz_file_info64 info;
  unz64_file_pos place;
  const auto get = [&](std::string* name) {
    return unzGetCurrentFileInfo64(archive_.get(), &info, name ? name->data() : nullptr,
                                   name ? name->size() : 0, nullptr, 0, nullptr, 0);
  };
  if (get(nullptr) != UNZ_OK) fail("the directory of the zip archive is damaged");
  std::string name(info.size_filename, '\0');
  if (get(&name) != UNZ_OK || unzGetFilePos64(archive_.get(), &place) != UNZ_OK)
    fail("the directory of the zip archive is damaged");
  constexpr unsigned long kEncrypted = 1;
  const bool stored = info.compression_method == 0 && !(info.flag & kEncrypted);
  if (stored && (info.uncompressed_size > static_cast<uint64_t>(file_size) ||
                 info.compressed_size != info.uncompressed_size))
    fail("the zip archive says that its entry ", name, " has ", info.uncompressed_size,
         " bytes, which lie in ", info.compressed_size, " bytes of a file of ", file_size);
  const Entry entry{static_cast<int64_t>(info.uncompressed_size), stored, info.crc != 0,
                    place.pos_in_zip_directory, place.num_of_file};
  if (!entries_.emplace(name, entry).second) fail("the zip archive has the entry ", name, " twice");
}

const ZipReader::Entry& ZipReader::at(std::string_view name) const {
  const auto found = entries_.find(name);
  if (found == entries_.end()) fail("the zip archive has no entry ", name);
  if (!found->second.stored)
    fail("the entry ", name, " of the zip archive is compressed or encrypted, as no tensors are");
  return found->second;
}

void ZipReader::read(std::string_view name, void* out) {
  const Entry& entry = at(name);
  const unz64_file_pos place{entry.place, entry.number};
  if (unzGoToFilePos64(archive_.get(), &place) != UNZ_OK ||
      unzOpenCurrentFile(archive_.get()) != UNZ_OK)
    fail("the entry ", name, " of the zip archive is damaged: its header is not what the directory",
         " says");
  char* to = static_cast<char*>(out);
  for (int64_t left = entry.size; left > 0;) {
    const int got =
        unzReadCurrentFile(archive_.get(), to, static_cast<unsigned>(std::min(left, kMostAtOnce)));
    if (got <= 0) fail("the entry ", name, " of the zip archive is cut off");
    to += got;
    left -= got;
  }
  // PyTorch can be told to write no checksums: they are 0 then.
  if (unzCloseCurrentFile(archive_.get()) != UNZ_OK && entry.checked)
    fail("the entry ", name, " of the zip archive is damaged: its checksum is another");
}

std::string ZipReader::text(std::string_view name) {
  std::string text(static_cast<size_t>(at(name).size), '\0');
  read(name, text.data());
  return text;
}

void ZipWriter::Close::operator()(void* archive) const { zipClose(archive, nullptr); }

ZipWriter::ZipWriter(std::FILE* stream) : stream_(stream) {
  zlib_filefunc64_def functions = functions_over(stream);
  archive_.reset(zipOpen2_64(nullptr, APPEND_STATUS_CREATE, nullptr, &functions));
  if (!archive_) fail_errno("cannot be written");
}

void ZipWriter::add(const std::string& name, const void* data, int64_t bytes) {
  constexpr int64_t kAlignment = 64, kHeader = 30, kExtraHeader = 4, kBigExtra = 20;
  const bool big = bytes >= 0xffffffff;
  // An extra field of the header, under PyTorch's own tag, pushes the data to its place.
  const int64_t data_at = ::ftello(stream_) + kHeader + static_cast<int64_t>(name.size()) +
                          kExtraHeader + (big ? kBigExtra : 0);
  const auto padding = static_cast<size_t>((kAlignment - data_at % kAlignment) % kAlignment);
  const char tag[kExtraHeader] = {'F', 'B', static_cast<char>(padding), 0};
  const std::string extra = std::string(tag, kExtraHeader) + std::string(padding, '\0');
  zip_fileinfo info{};
  info.dosDate = 0x00210000;  // 1980-01-01: no file depends on the day
  constexpr int kStore = 0;
  bool written = zipOpenNewFileInZip4_64(archive_.get(), name.c_str(), &info, extra.data(),
                                         static_cast<unsigned>(extra.size()), nullptr, 0, nullptr,
                                         kStore, 0, 0, -MAX_WBITS, DEF_MEM_LEVEL,
                                         Z_DEFAULT_STRATEGY, nullptr, 0, 0, 0, big) == ZIP_OK;
  const char* from = static_cast<const char*>(data);
  for (int64_t left = bytes; written && left > 0;) {
    const int64_t part = std::min(left, kMostAtOnce);
    written = zipWriteInFileInZip(archive_.get(), from, static_cast<unsigned>(part)) == ZIP_OK;
    from += part;
    left -= part;
  }
  if (!written || zipCloseFileInZip(archive_.get()) != ZIP_OK) fail_errno("cannot be written");
}

void ZipWriter::finish() {
  if (zipClose(archive_.release(), nullptr) != ZIP_OK) fail_errno("cannot be written");
}

}  // namespace rt::files
