// file_test.cpp -- reads exactly the requested bytes; replaces a file completely or not at all.
#include "files/file.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "tests/files/rig.h"

namespace rt::test {
namespace {

using files::File;
using files::Replacement;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::UnorderedElementsAre;

using FileTest = InFolder;

void write_to(Replacement& file, std::string_view text) {
  ASSERT_EQ(std::fwrite(text.data(), 1, text.size(), file.stream()), text.size());
}

TEST_F(FileTest, ReadsAtOffsets) {
  const File file(write("a", "0123456789"));
  char four[4];
  file.read(3, four, 4);
  EXPECT_EQ(std::string(four, 4), "3456");
  EXPECT_EQ(file.size(), 10);
}

TEST_F(FileTest, RefusesToReadBeyondTheEnd) {
  const File file(write("a", "0123456789"));
  char four[4];
  EXPECT_THAT(refusal([&] { file.read(8, four, 4); }),
              AllOf(HasSubstr("byte 10"), HasSubstr("2 more")));
}

TEST_F(FileTest, AFileThatShrinksIsAnErrorAndNoSignal) {
  const File file(write("a", std::string(100'000, 'x')));
  fs::resize_file(path("a"), 10);
  std::string all(100'000, '\0');
  EXPECT_THAT(refusal([&] { file.read(0, all.data(), 100'000); }), HasSubstr("ends at byte 10"));
  EXPECT_THAT(refusal([&] { file.check_size(); }),
              AllOf(HasSubstr("100000 bytes"), HasSubstr("10 now")));
}

TEST_F(FileTest, OpensRegularFilesOnly) {
  EXPECT_THAT(refusal([&] { File file(path("none")); }), HasSubstr("No such file"));
  EXPECT_THAT(refusal([&] { File file(path("")); }), HasSubstr("is a folder"));
  ASSERT_EQ(mkfifo(path("pipe").c_str(), 0600), 0);
  EXPECT_THAT(refusal([&] { File file(path("pipe")); }), HasSubstr("not a regular file"));
  EXPECT_THAT(refusal([&] { File file("/dev/zero"); }), HasSubstr("not a regular file"));
}

TEST_F(FileTest, AReplacementIsSeenOnlyOnceItIsCommitted) {
  write("a", "old");
  Replacement file(path("a"));
  write_to(file, "new");
  EXPECT_EQ(bytes_of(path("a")), "old");
  file.commit();
  EXPECT_EQ(bytes_of(path("a")), "new");
  EXPECT_THAT(names(), ElementsAre("a"));
}

TEST_F(FileTest, AReplacementGivenUpLeavesNothing) {
  write("a", "old");
  {
    Replacement file(path("a")), fresh(path("b"));
    write_to(file, "new");
    EXPECT_EQ(names().size(), 3u);
  }
  EXPECT_EQ(bytes_of(path("a")), "old");
  EXPECT_THAT(names(), ElementsAre("a"));
}

TEST_F(FileTest, AReplacementKeepsPermissions) {
  write("a", "old");
  ASSERT_EQ(chmod(path("a").c_str(), 0640), 0);
  const mode_t mask = umask(027);
  for (const char* name : {"a", "b"}) {
    Replacement file(path(name));
    file.commit();
    struct stat status;
    ASSERT_EQ(stat(path(name).c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777, 0640u) << name;
  }
  umask(mask);
}

mode_t mode_of(const std::string& path) {
  struct stat status;
  return stat(path.c_str(), &status) == 0 ? status.st_mode & 07777 : 0;
}

TEST_F(FileTest, AReplacementIsNeverOpenToOthersThanTheOldFile) {
  write("a", "old");
  ASSERT_EQ(chmod(path("a").c_str(), 0600), 0);
  const mode_t mask = umask(0);
  Replacement file(path("a"));
  umask(mask);
  for (const std::string& name : names()) EXPECT_EQ(mode_of(path(name)), 0600u) << name;
}

TEST_F(FileTest, AReplacementRunsAsNobodyElse) {
  write("a", "old");
  ASSERT_EQ(chmod(path("a").c_str(), 06755), 0);
  Replacement(path("a")).commit();
  EXPECT_EQ(mode_of(path("a")), 0755u);
}

TEST_F(FileTest, AReplacementKeepsTheGroupOrGivesItNothing) {
  if (geteuid() != 0) GTEST_SKIP() << "only root may give files to any group";
  write("a", "old");
  const auto prepare = [&] {
    ASSERT_EQ(chown(path("a").c_str(), 0, 12345), 0);
    ASSERT_EQ(chmod(path("a").c_str(), 0664), 0);
  };
  prepare();
  Replacement(path("a")).commit();
  struct stat status;
  ASSERT_EQ(stat(path("a").c_str(), &status), 0);
  EXPECT_EQ(status.st_gid, 12345u);
  EXPECT_EQ(mode_of(path("a")), 0664u);

  prepare();
  fs::permissions(path(""), fs::perms::all);
  const pid_t child = fork();
  if (child == 0) {
    if (setgid(12346) != 0 || setuid(12346) != 0) _exit(2);
    Replacement(path("a")).commit();
    _exit(0);
  }
  int outcome = 0;
  ASSERT_EQ(waitpid(child, &outcome, 0), child);
  ASSERT_EQ(outcome, 0);
  EXPECT_EQ(mode_of(path("a")), 0604u);
}

TEST_F(FileTest, WhatKilledProcessesLeftIsRemoved) {
  const pid_t child = fork();
  if (child == 0) {
    Replacement file(path("a"));
    _exit(0);  // without destructors, as when killed
  }
  int outcome = 0;
  ASSERT_EQ(waitpid(child, &outcome, 0), child);
  write(".rt_torch-1-1.tmp", "of an older version");
  write(".rt_torch-note", "another's");
  ASSERT_EQ(names().size(), 3u);
  Replacement alive(path("b"));
  Replacement(path("c")).commit();
  EXPECT_EQ(names().size(), 3u);
  alive.commit();
  EXPECT_THAT(names(), UnorderedElementsAre(".rt_torch-note", "b", "c"));
}

TEST_F(FileTest, ATextIsReadUpToItsLimit) {
  EXPECT_EQ(files::read_text(write("a", "0123"), 4), "0123");
  EXPECT_THAT(refusal([&] { files::read_text(path("a"), 3); }),
              AllOf(HasSubstr("4 bytes"), HasSubstr("at most 3")));
  EXPECT_THAT(refusal([&] { files::read_text(path(""), 3); }), HasSubstr("is a folder"));
}

TEST_F(FileTest, AReplacementFollowsLinks) {
  write("a", "old");
  fs::create_symlink("a", path("link"));
  fs::create_symlink("nowhere", path("broken"));
  Replacement file(path("link"));
  write_to(file, "new");
  file.commit();
  EXPECT_TRUE(fs::is_symlink(path("link")));
  EXPECT_EQ(bytes_of(path("a")), "new");
  EXPECT_THAT(refusal([&] { Replacement file(path("broken")); }), HasSubstr("does not exist"));
}

TEST_F(FileTest, OnlyRegularFilesAreReplaced) {
  EXPECT_THAT(refusal([&] { Replacement file("/dev/null"); }), HasSubstr("not a regular file"));
  EXPECT_THAT(refusal([&] { Replacement file(path("")); }), HasSubstr("is a folder"));
  EXPECT_THAT(refusal([&] { Replacement file(path("no/folder/a")); }), HasSubstr("No such file"));
  EXPECT_THAT(names(), ElementsAre());
}

TEST_F(FileTest, WhatCannotBeWrittenIsNotCommitted) {
  write("a", "old");
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit before;
  getrlimit(RLIMIT_FSIZE, &before);
  {
    Replacement file(path("a"));
    write_to(file, "more than ten bytes");
    const rlimit ten{10, before.rlim_max};
    setrlimit(RLIMIT_FSIZE, &ten);
    EXPECT_THAT(refusal([&] { file.commit(); }), HasSubstr("cannot be written"));
  }
  setrlimit(RLIMIT_FSIZE, &before);
  EXPECT_EQ(bytes_of(path("a")), "old");
  EXPECT_THAT(names(), ElementsAre("a"));
}

}  // namespace
}  // namespace rt::test
