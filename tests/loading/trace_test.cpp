// trace_test.cpp -- RT_TORCH_TRACE: runs programs and checks their traces.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "tests/loading/stage.h"

namespace rt_test {
namespace {

using nlohmann::json;
using testing::HasSubstr;

class Traced : public Stage, public testing::WithParamInterface<const char*> {
 protected:
  using Slices = std::vector<json>;

  Environment traced(const std::string& file = "trace.json") const {
    return {{"RT_TORCH_BACKEND", GetParam()}, {"RT_TORCH_TRACE", file}};
  }
  static json parsed(const std::string& text) {
    const json events = json::parse(text, nullptr, false);
    EXPECT_FALSE(events.is_discarded())
        << text.substr(text.size() - std::min<size_t>(text.size(), 200));
    return events;
  }
  json events() const { return parsed(read(folder() / "trace.json")); }
  /// Traces of other processes, which lie beside it.
  std::vector<std::string> others() const {
    std::vector<std::string> found;
    for (const auto& entry : fs::directory_iterator(folder()))
      if (const std::string name = entry.path().filename(); name.starts_with("trace."))
        if (name != "trace.json") found.push_back(read(entry.path()));
    return found;
  }

  static Slices on(const json& events, const std::string& track) {
    std::set<int64_t> tracks;
    for (const json& event : events)
      if (event["name"] == "thread_name" &&
          event["args"]["name"].get<std::string>().ends_with(": " + track))
        tracks.insert(event["tid"].get<int64_t>());
    Slices found;
    for (const json& event : events)
      if (event["ph"] == "X" && tracks.count(event["tid"].get<int64_t>())) found.push_back(event);
    return found;
  }
  static double begin(const json& slice) { return slice["ts"]; }
  static double end(const json& slice) { return begin(slice) + slice["dur"].get<double>(); }
  static constexpr double kRounding = 0.01;

  /// Slices of one track must be nested or disjoint.
  static void expect_nested(const json& events) {
    std::map<int64_t, Slices> tracks;
    for (const json& event : events)
      if (event["ph"] == "X") tracks[event["tid"].get<int64_t>()].push_back(event);
    for (auto& [track, slices] : tracks) {
      std::sort(slices.begin(), slices.end(), [](const json& a, const json& b) {
        return begin(a) != begin(b) ? begin(a) < begin(b) : end(a) > end(b);
      });
      Slices open;
      for (const json& slice : slices) {
        while (!open.empty() && end(open.back()) <= begin(slice) + kRounding) open.pop_back();
        if (!open.empty()) {
          EXPECT_LE(end(slice), end(open.back()) + kRounding) << slice << " in " << open.back();
        }
        open.push_back(slice);
      }
    }
  }
};

std::string lines(const std::string& line, int times) {
  std::string text;
  for (; times > 0; --times) text += line + '\n';
  return text;
}
std::string open(const std::string& library) { return "open=" + library; }

TEST_P(Traced, ShowsRecordingForcesBatchesCompilationAndNodes) {
  Environment environment = traced();
  environment["RT_TORCH_FUSE"] = "0";  // libtorch computes, whatever is faster
  expect_quiet(host({open(RT_TEST_LIBRARY), "at=train.spl", "use", "use", "use"}, environment),
               lines(GetParam(), 3));
  const json all = events();
  expect_nested(all);
  const Slices recording = on(all, "recording"), forces = on(all, "forces"),
               batches = on(all, "batches"), compile = on(all, "compile"), nodes = on(all, "nodes");
  ASSERT_GT(batches.size(), 6u);
  EXPECT_EQ(forces.size(), batches.size());
  EXPECT_EQ(recording.size(), batches.size());
  EXPECT_GT(compile.size(), 0u);
  for (size_t i = 0; i < batches.size(); ++i) {
    EXPECT_LE(end(recording[i]), begin(forces[i]) + kRounding) << "recorded, then forced";
    EXPECT_LE(begin(forces[i]), begin(batches[i]) + kRounding);
    EXPECT_EQ(recording[i]["args"]["nodes"], batches[i]["args"]["nodes"]);
    EXPECT_EQ(forces[i]["args"]["at"], "train.spl:12");
    const auto inside = [&](const json& node) {
      return begin(node) >= begin(batches[i]) - kRounding &&
             end(node) <= end(batches[i]) + kRounding;
    };
    EXPECT_TRUE(std::any_of(nodes.begin(), nodes.end(), inside)) << batches[i];
  }
  const auto forced = [&](const std::string& reason) {
    return std::any_of(forces.begin(), forces.end(),
                       [&](const json& force) { return force["name"] == reason; });
  };
  EXPECT_TRUE(forced("a data read"));
  const auto ran = [&](const std::string& name, const std::string& detail, const std::string& of) {
    return std::any_of(nodes.begin(), nodes.end(), [&](const json& node) {
      const auto& about = node["args"].find(detail);
      return node["name"] == name && about != node["args"].end() &&
             about->get<std::string>().find(of) != std::string::npos;
    });
  };
  EXPECT_TRUE(ran("matmul", "step", "f32[64,64] = matmul(%"));
  EXPECT_TRUE(ran("matmul", "step", "at train.spl:12")) << "of a batch that ran step by step";
  EXPECT_TRUE(GetParam() != std::string("libtorch") || ran("aten::mm", "of", "[64,64] [64,64]"))
      << "of a program";
}

TEST_P(Traced, AKilledProcessLeavesAFileThatLacksOnlyItsEnd) {
  const Outcome outcome = host({open(RT_TEST_LIBRARY), "use", "kill"}, traced());
  EXPECT_EQ(outcome.code, 128 + 9);
  const json all = parsed(read(folder() / "trace.json") + "]");
  expect_nested(all);
  EXPECT_GT(on(all, "batches").size(), 2u);
  EXPECT_EQ(on(all, "forces").size() + 1, on(all, "batches").size())
      << "the file has all that came before the newest batch's end";
}

TEST_P(Traced, TwoLibrariesAndTheirThreadsDoNotMix) {
  const fs::path second = library("second", fs::path(RT_TEST_LIBRARY).parent_path() / kPlugin);
  expect_quiet(host({open(RT_TEST_LIBRARY), open(second), "take-turns"}, traced()),
               lines(GetParam(), 2));
  const json one = events();
  ASSERT_EQ(others().size(), 1u);
  const json other = parsed(others()[0]);
  for (const json& all : {one, other}) {
    expect_nested(all);
    EXPECT_GT(on(all, "batches").size(), 40u);
  }
  const auto threads = [](const json& all) {
    std::set<int64_t> tracks;
    for (const json& slice : on(all, "forces")) tracks.insert(slice["tid"].get<int64_t>());
    return tracks.size();
  };
  EXPECT_EQ(threads(one), 1u);
  EXPECT_EQ(threads(other), 2u);
}

TEST_P(Traced, AChildOfAForkHasAFileOfItsOwn) {
  expect_quiet(run(RT_TEST_FORK_HOST, {RT_TEST_LIBRARY, "pending"}, traced()), "");
  const json parent = events();
  ASSERT_EQ(others().size(), 1u);
  const json child = parsed(others()[0]);
  for (const json& all : {parent, child}) {
    expect_nested(all);
    const Slices batches = on(all, "batches");
    EXPECT_TRUE(std::any_of(batches.begin(), batches.end(), [](const json& batch) {
      return batch["args"]["nodes"] == 102;
    })) << "what was pending is run by both";
  }
  EXPECT_NE(parent[0]["pid"], child[0]["pid"]);
}

TEST_P(Traced, AFileThatCannotBeWrittenIsAnErrorOfTheFirstCall) {
  const Outcome outcome = host({open(RT_TEST_LIBRARY), "use", "use"}, traced("no/such.json"));
  EXPECT_EQ(outcome.code, 0);
  EXPECT_THAT(outcome.out, HasSubstr("refused: "));
  EXPECT_THAT(outcome.out, HasSubstr("RT_TORCH_TRACE: "));
  EXPECT_THAT(outcome.out, HasSubstr("no/such.json cannot be opened: No such file or directory; "
                                     "name a file that can be written"));
  EXPECT_THAT(outcome.out, testing::EndsWith(GetParam() + std::string("\n"))) << "and told once";
  EXPECT_THAT(outcome.err, HasSubstr("rt_torch: RT_TORCH_TRACE: "));
  EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
}

std::string backend_name(const testing::TestParamInfo<const char*>& backend) {
  return backend.param;
}
INSTANTIATE_TEST_SUITE_P(OnReference, Traced, testing::Values("reference"), backend_name);
#ifdef RT_TEST_LIBTORCH
INSTANTIATE_TEST_SUITE_P(OnLibtorch, Traced, testing::Values("libtorch"), backend_name);
#endif

}  // namespace
}  // namespace rt_test
