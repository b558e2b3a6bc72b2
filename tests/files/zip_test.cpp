// zip_test.cpp -- zip archives: ours are read back; damaged and false ones are refused.
#include "files/zip.h"

#include "tests/files/archive.h"

namespace rt::test {
namespace {

using files::File;
using files::ZipReader;
using testing::AllOf;
using testing::HasSubstr;

class Zip : public InFolder {
 protected:
  std::string refused(const std::string& archive, const std::string& entry = "a/b") const {
    const std::string file = write("damaged.zip", archive);
    return refusal([&] { ZipReader(File(file)).text(entry); });
  }
};

const Entries kEntries = {{"a/b", "some text"}, {"c", ""}, {"d", std::string(100'000, 'x')}};

TEST_F(Zip, ReadsWhatItWrites) {
  const File file(write("a.zip", archive(kEntries)));
  ZipReader zip(file);
  EXPECT_EQ(zip.entries().size(), kEntries.size());
  for (const auto& [name, text] : kEntries) {
    EXPECT_EQ(zip.at(name).size, static_cast<int64_t>(text.size()));
    EXPECT_EQ(zip.text(name), text);
  }
  EXPECT_THAT(refusal([&] { zip.at("e"); }), HasSubstr("no entry e"));
}

TEST_F(Zip, EntriesCanBeReadInAnyOrderAndAgain) {
  const File file(write("a.zip", archive(kEntries)));
  ZipReader zip(file);
  for (const char* name : {"d", "a/b", "d", "c", "a/b"})
    EXPECT_EQ(zip.text(name).size(), static_cast<size_t>(zip.at(name).size));
}

TEST_F(Zip, DataLiesAtMultiplesOf64) {
  const std::string bytes = archive({{"a", "first"}, {"some/longer/name", "second"}});
  EXPECT_EQ(bytes.find("first") % 64, 0u);
  EXPECT_EQ(bytes.find("second") % 64, 0u);
}

TEST_F(Zip, TheSameEntriesMakeTheSameBytes) { EXPECT_EQ(archive(kEntries), archive(kEntries)); }

/// Rewrites an archive with all sizes and offsets of the directory in 64 bits, as if they were too
/// large for 32.
std::string with_64_bits(const std::string& archive) {
  const size_t end = archive.rfind("PK\5\6");
  const auto number = [&]<class Number>(size_t at, Number) {
    Number value;
    std::memcpy(&value, archive.data() + at, sizeof value);
    return value;
  };
  const uint64_t count = number(end + 10, uint16_t{});
  size_t at = number(end + 16, uint32_t{});
  std::string bytes = archive.substr(0, at);
  const uint64_t directory_at = at;
  for (uint64_t i = 0; i < count; ++i) {
    std::string item = archive.substr(at, 46 + number(at + 28, uint16_t{}));
    at += item.size();
    std::string extra = raw(uint16_t{1}) + raw(uint16_t{24});
    for (const size_t field : {kCentralSize, kCentralCompressed, kCentralOffset}) {
      uint32_t value;
      std::memcpy(&value, item.data() + field, sizeof value);
      extra += raw(uint64_t{value});
      patch<uint32_t>(item, field, 0xffffffff);
    }
    extra = raw(uint16_t{0x5455}) + raw(uint16_t{5}) + "times" + extra;  // another before it
    patch<uint16_t>(item, 30, static_cast<uint16_t>(extra.size()));
    bytes += item + extra;
  }
  const uint64_t end64 = bytes.size(), size = end64 - directory_at;
  bytes += "PK\6\6" + raw(uint64_t{44}) + raw(uint32_t{0x2d002d}) + raw(uint64_t{0}) + raw(count) +
           raw(count) + raw(size) + raw(directory_at);
  bytes += "PK\6\7" + raw(uint32_t{0}) + raw(end64) + raw(uint32_t{1});
  return bytes + "PK\5\6" + raw(uint32_t{0}) + raw(uint64_t{UINT64_MAX}) +
         raw(uint32_t{UINT32_MAX}) + raw(uint16_t{0});
}

TEST_F(Zip, SizesAndPlacesOf64Bits) {
  const std::string bytes = with_64_bits(archive(kEntries));
  const File file(write("a.zip", bytes));
  const ZipReader zip(file);
  EXPECT_EQ(zip.entries().size(), kEntries.size());
  for (const auto& [name, text] : kEntries) EXPECT_EQ(zip.text(name), text);
  for (size_t size = 0; size < bytes.size(); size += size + 500 < bytes.size() ? 97 : 1)
    EXPECT_NE(refused(bytes.substr(0, size)), "") << size;
}

TEST_F(Zip, RecordsOf64BitsThatLie) {
  const std::string bytes = with_64_bits(archive(kEntries));
  const size_t end = bytes.rfind("PK\6\6"), locator = bytes.rfind("PK\6\7");
  const auto with = [&](size_t at, uint64_t number) {
    std::string changed = bytes;
    patch(changed, at, number);
    return refused(changed);
  };
  for (const uint64_t number : {uint64_t{1}, uint64_t{locator}, uint64_t{1} << 63, UINT64_MAX}) {
    EXPECT_THAT(with(locator + 8, number), HasSubstr("no zip archive")) << number;
    EXPECT_NE(with(end + 32, number), "") << number;  // count of entries
    EXPECT_NE(with(end + 40, number), "") << number;  // bytes of the directory
    EXPECT_NE(with(end + 48, number), "") << number;  // offset of the directory
  }
  const size_t extra = bytes.find("times") + 5 + 4;
  EXPECT_THAT(with(extra, uint64_t{1} << 40), HasSubstr("1099511627776 bytes"));
  EXPECT_THAT(with(extra + 8, uint64_t{1} << 40), HasSubstr("takes 1099511627776 bytes"));
  EXPECT_THAT(with(extra + 16, UINT64_MAX), HasSubstr("a/b of the zip archive is damaged"));
}

TEST_F(Zip, CommentsAndWhatComesBehindTheEnd) {
  std::string noted = archive(kEntries);
  patch<uint16_t>(noted, noted.rfind("PK\5\6") + 20, 6);
  noted += "a note";
  for (const std::string& bytes : {noted, archive(kEntries) + "\n"}) {
    const File file(write("a.zip", bytes));
    EXPECT_EQ(ZipReader(file).text("a/b"), "some text");
  }
}

TEST_F(Zip, WhatIsNoArchive) {
  for (const std::string& bytes : {std::string(), std::string("PK"), std::string(1000, 'P')})
    EXPECT_THAT(refused(bytes), HasSubstr("no zip archive"));
}

TEST_F(Zip, EveryCutIsNoticed) {
  const std::string all = archive({{"a/b", "some text"}, {"c", "more text"}});
  for (size_t size = 0; size < all.size(); ++size)
    EXPECT_NE(refused(all.substr(0, size)), "") << size;
}

TEST_F(Zip, ChangedDataIsNoticedByItsChecksum) {
  std::string bytes = archive(kEntries);
  bytes[bytes.find("some text")] = 'S';
  EXPECT_THAT(refused(bytes), AllOf(HasSubstr("a/b"), HasSubstr("checksum")));
  EXPECT_EQ(refusal([&] { ZipReader(File(write("b.zip", bytes))).text("e"); }),
            "the zip archive has no entry e");
}

TEST_F(Zip, AChecksumOfZeroIsNone) {
  std::string bytes = archive(kEntries);
  for (const size_t field :
       {local_field(bytes, "a/b", kLocalCrc), central_field(bytes, "a/b", kCentralCrc)})
    patch<uint32_t>(bytes, field, 0);
  bytes[bytes.find("some text")] = 'S';
  const File file(write("a.zip", bytes));
  EXPECT_EQ(ZipReader(file).text("a/b"), "Some text");
}

TEST_F(Zip, SizesThatLie) {
  const auto with_sizes = [](uint32_t compressed, uint32_t plain) {
    std::string bytes = archive(kEntries);
    patch(bytes, central_field(bytes, "a/b", kCentralCompressed), compressed);
    patch(bytes, central_field(bytes, "a/b", kCentralSize), plain);
    return bytes;
  };
  EXPECT_THAT(refused(with_sizes(0xfffffff0, 0xfffffff0)), HasSubstr("4294967280 bytes"));
  EXPECT_THAT(refused(with_sizes(9, 1'000'000'000)), HasSubstr("1000000000 bytes"));
  EXPECT_THAT(refused(with_sizes(9, 8)), HasSubstr("of 8 bytes takes 9 bytes"));
  // The local header has another size.
  EXPECT_THAT(refused(with_sizes(5, 5)), HasSubstr("header is not what the directory says"));
}

TEST_F(Zip, AnEntryThatReachesBeyondTheEnd) {
  // With a data descriptor the local header has no size, so that the directory's alone is checked.
  std::string bytes = archive({{"a/b", "some text"}});
  const uint32_t most = static_cast<uint32_t>(bytes.size());
  patch<uint16_t>(bytes, local_field(bytes, "a/b", kLocalFlags), 8);
  patch<uint16_t>(bytes, central_field(bytes, "a/b", kCentralFlags), 8);
  patch(bytes, central_field(bytes, "a/b", kCentralCompressed), most);
  patch(bytes, central_field(bytes, "a/b", kCentralSize), most);
  EXPECT_THAT(refused(bytes), HasSubstr("a/b of the zip archive is cut off"));
}

TEST_F(Zip, AnEntryWhoseHeaderIsElsewhere) {
  std::string bytes = archive(kEntries);
  patch<uint32_t>(bytes, central_field(bytes, "a/b", kCentralOffset), 0x7fffffff);
  EXPECT_THAT(refused(bytes), HasSubstr("a/b of the zip archive is damaged"));
}

TEST_F(Zip, TwoEntriesOfOneName) {
  std::string bytes = archive({{"a/b", "1"}, {"a/c", "2"}});
  bytes[central_field(bytes, "a/c", kCentralName) + 2] = 'b';
  EXPECT_THAT(refused(bytes), HasSubstr("a/b twice"));
}

TEST_F(Zip, WhatIsCompressedOrEncryptedIsNotRead) {
  std::string compressed = archive(kEntries), encrypted = compressed;
  patch<uint16_t>(compressed, central_field(compressed, "a/b", kCentralMethod), 8);
  patch<uint32_t>(compressed, central_field(compressed, "a/b", kCentralSize), 4'000'000'000);
  patch<uint16_t>(encrypted, central_field(encrypted, "a/b", kCentralFlags), 1);
  for (const std::string& bytes : {compressed, encrypted})
    EXPECT_THAT(refused(bytes), HasSubstr("compressed or encrypted"));
  const File file(write("a.zip", compressed));
  EXPECT_EQ(ZipReader(file).text("d").size(), 100'000u);  // other entries can be read
}

TEST_F(Zip, ADirectoryThatLies) {
  std::string many = archive(kEntries), moved = many;
  const size_t end = many.rfind("PK\5\6");
  patch<uint16_t>(many, end + 8, 60'000);
  patch<uint16_t>(many, end + 10, 60'000);
  EXPECT_THAT(refused(many), HasSubstr("directory"));
  std::string big = archive(kEntries);
  patch<uint32_t>(big, end + 12, 0x7fffffff);
  EXPECT_THAT(refused(big), HasSubstr("no zip archive"));
  patch<uint32_t>(moved, end + 16, 0x7fffffff);
  EXPECT_THAT(refused(moved), HasSubstr("no zip archive"));
}

TEST_F(Zip, TooManyEntries) {
  Entries many;
  for (int i = 0; i <= 10'000; ++i) many.emplace_back(std::to_string(i), "");
  EXPECT_THAT(refused(archive(many)), HasSubstr("more than 10000 entries"));
}

}  // namespace
}  // namespace rt::test
