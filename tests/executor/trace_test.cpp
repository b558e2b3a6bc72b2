// trace_test.cpp -- a trace's file is valid at any time, bounded in memory, and its process's own.
#include "executor/diagnostics/trace.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <thread>

namespace rt::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

class TraceTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "rt_trace_XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { fs::remove_all(folder_); }

  fs::path file(const std::string& name = "trace.json") const { return folder_ / name; }
  static std::string text(const fs::path& of) {
    std::ifstream in(of, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  /// The slices of a trace; `end` completes the JSON of an unfinished one.
  static std::vector<json> slices(const fs::path& of, const std::string& end = "") {
    std::vector<json> found;
    for (const json& event : json::parse(text(of) + end))
      if (event["ph"] == "X") found.push_back(event);
    return found;
  }
  static void put(Trace& trace, const std::string& name) {
    trace.slice(Track::Nodes, name, 1000, 3500, {});
  }
  /// Runs `body` in a child, which exits without cleanup, and waits for it.
  template <class Body>
  static pid_t in_child(const Body& body) {
    const pid_t child = fork();
    if (child == 0) {
      body();
      _exit(0);
    }
    int status = 1;
    waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
    return child;
  }

 private:
  fs::path folder_;
};

TEST_F(TraceTest, ASliceSaysWhatWhenAndWhere) {
  {
    Trace trace(file().string());
    trace.slice(Track::Forces, "a read", 1234567, 1237568,
                {{"at", "train.spl:3"}, {"nodes", int64_t{0}}, {"left out", ""}});
    std::thread([&] { put(trace, "another"); }).join();
  }
  const json events = json::parse(text(file()));
  const std::vector<json> found = slices(file());
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0]["name"], "a read");
  EXPECT_EQ(found[0]["ts"], 1234.567);
  EXPECT_EQ(found[0]["dur"], 3.001);
  EXPECT_EQ(found[0]["pid"], getpid());
  EXPECT_EQ(found[0]["args"], (json{{"at", "train.spl:3"}, {"nodes", 0}}));
  EXPECT_NE(found[0]["tid"], found[1]["tid"]);
  for (const json& slice : found) {
    const auto names_it = [&](const json& event) {
      return event["name"] == "thread_name" && event["tid"] == slice["tid"];
    };
    const auto name = std::find_if(events.begin(), events.end(), names_it);
    ASSERT_NE(name, events.end());
    EXPECT_THAT((*name)["args"]["name"], HasSubstr(slice == found[0] ? ": forces" : ": nodes"));
    EXPECT_EQ(std::count_if(events.begin(), events.end(), names_it), 1);
  }
}

TEST_F(TraceTest, EveryTextIsSoundJson) {
  {
    Trace trace(file().string());
    put(trace, "a \"quote\", a \\, a \n and \x01, \xff no UTF-8");
    put(trace, std::string(5000, '\n'));
  }
  const std::vector<json> found = slices(file());
  EXPECT_EQ(found[0]["name"], "a \"quote\", a \\, a \n and \x01, \xef\xbf\xbd no UTF-8");
  EXPECT_EQ(found[1]["name"], std::string(1000, '\n')) << "long texts are cut";
}

TEST_F(TraceTest, MemoryIsBoundedAndTheFileIsWholeButForItsEnd) {
  constexpr int kMany = 5000;
  Trace trace(file().string());
  for (int i = 0; i < kMany; ++i) put(trace, join("event ", i));
  const size_t unfinished = slices(file(), "]").size();
  EXPECT_LT(unfinished, kMany) << "some are in the buffer";
  EXPECT_GT(unfinished, kMany - 1000) << "and no more than it holds";
  trace.flush();
  const std::vector<json> found = slices(file(), "]");
  ASSERT_EQ(found.size(), kMany);
  for (int i = 0; i < kMany; ++i) ASSERT_EQ(found[i]["name"], join("event ", i));
}

TEST_F(TraceTest, AFileCutAtAnyPageIsWholeButForItsEnd) {
  {
    Trace trace(file().string());
    for (int i = 0; i < 500; ++i) put(trace, std::string(static_cast<size_t>(i) % 300, 'x'));
  }
  const std::string all = text(file());
  ASSERT_GT(all.size(), 40000u);
  for (size_t page = 4096; page < all.size(); page += 4096)
    EXPECT_TRUE(json::accept(all.substr(0, page) + "]")) << page;
}

TEST_F(TraceTest, EachOfSeveralHasAFileOfItsOwn) {
  const std::string pid = std::to_string(getpid());
  {
    Trace one(file().string()), other(file().string()), third(file().string());
    put(one, "one"), put(other, "other"), put(third, "third");
  }
  EXPECT_EQ(slices(file())[0]["name"], "one");
  EXPECT_EQ(slices(file("trace." + pid + ".json"))[0]["name"], "other");
  EXPECT_EQ(slices(file("trace." + pid + "-2.json"))[0]["name"], "third");
  { Trace again(file().string()); }
  EXPECT_EQ(slices(file()).size(), 0u) << "the file is free again, and begins anew";
}

TEST_F(TraceTest, AChildHasAFileOfItsOwnFromItsFirstEventOn) {
  Trace trace(file().string());
  put(trace, "before");
  const auto forked = [&](const auto& body) {
    trace.before_fork();
    const pid_t child = in_child([&] {
      trace.after_fork_in_child();
      body();
    });
    trace.after_fork();
    return "trace." + std::to_string(child) + ".json";
  };
  EXPECT_FALSE(fs::exists(file(forked([] {}))));
  const fs::path of_child = file(forked([&] {
    put(trace, "in the child");
    trace.flush();
  }));
  put(trace, "after");
  trace.finish();
  put(trace, "too late");
  EXPECT_EQ(slices(of_child, "]").size(), 1u);
  EXPECT_EQ(slices(of_child, "]")[0]["name"], "in the child");
  ASSERT_EQ(slices(file()).size(), 2u);
  EXPECT_EQ(slices(file())[1]["name"], "after");
}

TEST_F(TraceTest, WhatCannotBeWrittenIsAnErrorThatSaysSo) {
  const auto complaint = [](const std::string& name) -> std::string {
    try {
      const Trace trace(name);
      return "none";
    } catch (const Error& error) {
      return error.text();
    }
  };
  const std::string missing = file("no/such.json").string();
  EXPECT_EQ(complaint(missing), missing + " cannot be opened: No such file or directory");
  EXPECT_THAT(complaint(file("").string()), HasSubstr("cannot be opened: Is a directory"));
  EXPECT_EQ(complaint("/dev/full"), "/dev/full cannot be written: No space left on device");
}

TEST_F(TraceTest, AFullDiskIsToldOnceAndTheFileIsWholeButForItsEnd) {
  const auto note = [](Trace& trace) {
    for (int i = 0; i < 1000; ++i) trace.slice(Track::Nodes, "work", i, i + 1, {});
    trace.flush();
  };
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit before;
  getrlimit(RLIMIT_FSIZE, &before);
  testing::internal::CaptureStderr();
  {
    Trace trace(file().string());
    note(trace);
    const rlimit full{static_cast<rlim_t>(std::filesystem::file_size(file())) + 100,
                      before.rlim_max};
    setrlimit(RLIMIT_FSIZE, &full);
    note(trace);
    note(trace);
  }
  setrlimit(RLIMIT_FSIZE, &before);
  const std::string told = testing::internal::GetCapturedStderr();
  EXPECT_THAT(told, AllOf(StartsWith("rt_torch: RT_TORCH_TRACE: "), HasSubstr("too large")));
  EXPECT_EQ(std::count(told.begin(), told.end(), '\n'), 1) << told;
  EXPECT_GE(slices(file(), "]").size(), 1000u);
}

TEST_F(TraceTest, RunsOfRecordingAreTheThreadsOwn) {
  {
    Trace trace(file().string());
    trace.call(), trace.call();
    std::thread([&] {
      trace.call();
      trace.recorded(1);
    }).join();
    trace.call();
    trace.recorded(2);
    trace.call();
    trace.recorded(3);
  }
  const std::vector<json> found = slices(file());
  ASSERT_EQ(found.size(), 3u);
  EXPECT_EQ(found[0]["args"], (json{{"calls", 1}, {"nodes", 1}}));
  EXPECT_EQ(found[1]["args"], (json{{"calls", 3}, {"nodes", 2}}));
  EXPECT_EQ(found[2]["args"], (json{{"calls", 1}, {"nodes", 3}}));
  EXPECT_GE(found[2]["ts"].get<double>(),
            found[1]["ts"].get<double>() + found[1]["dur"].get<double>());
}

}  // namespace
}  // namespace rt::test
