// capture_test.cpp -- files that RT_TORCH_DUMP and RT_TORCH_DUMP_INPUTS write, as a user sees them.
#include "files/safetensors.h"
#include "graph/dump/dump.h"
#include "tests/tools/rig.h"

namespace rt_test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST_F(DumpTool, NothingIsWrittenUnlessAsked) {
  for (const char* what : {"work", "fail"}) {
    client(what, {});
    EXPECT_THAT(files(".", ".json"), ElementsAre()) << what;
    EXPECT_THAT(files(".", ".safetensors"), ElementsAre()) << what;
  }
}

TEST_F(DumpTool, ABatchIsNamedByItsKeyAndSaysItsPlacesLabelsAndRanges) {
  ASSERT_EQ(client("work").code, 0);
  const std::string name = dump();
  const rt::Dump read = rt::read_dump(Scratch::read(folder() / name));
  EXPECT_EQ(name, "dumps/batch-" + to_string(key_of(read.batch)) + ".json");
  EXPECT_THAT(read.locations, ElementsAre("work.spl:3", "work.spl:3", "work.spl:4", "work.spl:4"));
  EXPECT_THAT(read.labels, ElementsAre("the product", "", "", ""));
  EXPECT_EQ(read.inputs, "");
  EXPECT_EQ(read.error, "");
  const rt::Range unknown;
  EXPECT_THAT(read.ranges, ElementsAre(unknown, unknown, rt::Range{0, 2}));
  EXPECT_THAT(files("dumps", ".safetensors"), ElementsAre());
}

TEST_F(DumpTool, InputsLieBesideTheBatchUnderTheirNames) {
  ASSERT_EQ(client_with_inputs("work").code, 0);
  const rt::Dump read = rt::read_dump(Scratch::read(folder() / dump()));
  EXPECT_EQ(read.inputs, "batch-" + to_string(key_of(read.batch)) + ".safetensors");
  const rt::files::Safetensors file((folder() / "dumps" / read.inputs).string());
  ASSERT_EQ(file.tensors().size(), 3u);
  // The first is a transpose: the file has its elements in row-major order, the dump its strides.
  std::vector<double> elements(6);
  file.read(file.at("%0"), elements.data());
  EXPECT_THAT(elements, ElementsAre(0.1, 0.7, -2.5, 1.1, 3.25, -0.3));
  EXPECT_THAT(Scratch::read(folder() / dump()), HasSubstr("\"strides\": [1,3]"));
}

TEST_F(DumpTool, AFailureLeavesTheLastEightBatches) {
  const Outcome outcome = client_with_inputs("fail");
  EXPECT_EQ(outcome.code, 1);
  const auto found = files("dumps/failure-1", ".json");
  ASSERT_EQ(found.size(), 8u);
  EXPECT_EQ(files("dumps/failure-1", ".safetensors").size(), 8u);
  for (size_t i = 0; i < found.size(); ++i) {
    SCOPED_TRACE(found[i]);
    EXPECT_EQ(found[i].find("dumps/failure-1/" + std::to_string(i + 1) + '-'), 0u);
    const rt::Dump read = rt::read_dump(Scratch::read(folder() / found[i]));
    // The client uses its loop's count as the line.
    ASSERT_FALSE(read.locations.empty());
    EXPECT_EQ(read.locations.back(), "fail.spl:" + std::to_string(5 + i));
    const bool last = i == 7;
    EXPECT_EQ(found[i].ends_with("-failed.json"), last);
    EXPECT_EQ(!read.error.empty(), last);
    if (last) {
      EXPECT_THAT(read.error, HasSubstr("index_select"));
      EXPECT_THAT(outcome.err, HasSubstr(read.error));
    }
  }
  EXPECT_FALSE(fs::exists(folder() / "dumps/failure-2"));
  // A second process must not overwrite it.
  client("fail");
  EXPECT_EQ(files("dumps/failure-2", ".json").size(), 8u);
}

TEST_F(DumpTool, AFolderThatCannotBeMadeIsToldAndDoesNoHarm) {
  write(folder() / "dumps", "a file in the way");
  const Outcome outcome = client("work", {{"RT_TORCH_DUMP", "dumps"}, {"RT_TORCH_DEBUG", "1"}});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_THAT(outcome.err, HasSubstr("rt_torch: RT_TORCH_DUMP is 'dumps', "));
  // The user asked for dumps, so that the failure is reported once, also without debugging.
  const std::string told = client("work").err;
  EXPECT_THAT(told, HasSubstr("rt_torch: RT_TORCH_DUMP is 'dumps', where a dump cannot be written: "
                              "Not a directory; name a folder that can be written"));
  EXPECT_EQ(std::count(told.begin(), told.end(), '\n'), 1) << told;
}

/// Batches of a whole suite: text and JSON of each are read back with an equal key.
TEST_F(DumpTool, BatchesOfASuiteReadBack) {
  const Outcome suite = run(RT_TEST_SUITE, {"--gtest_brief=1"},
                            {{"RT_TORCH_DUMP", "dumps"},
                             {"RT_TORCH_DUMP_INPUTS", "1"},
                             {"RT_TORCH_BACKEND", "reference"},
                             {"RT_TORCH_THREADS", "1"}});
  ASSERT_EQ(suite.code, 0) << suite.out;
  const auto found = files("dumps", ".json");
  EXPECT_GT(found.size(), 300u);
  for (const std::string& name : found) {
    SCOPED_TRACE(name);
    const rt::Dump json = rt::read_dump(Scratch::read(folder() / name));
    const std::string key = to_string(key_of(json.batch));
    EXPECT_NE(name.find(key), name.npos);
    const rt::DumpNotes notes = json.notes();
    const rt::Dump text = rt::read_dump(to_text(json.batch, &notes));
    EXPECT_TRUE(same_work(text.batch, json.batch));
    EXPECT_EQ(to_string(key_of(text.batch)), key);
    EXPECT_EQ(text.batch.scalars, json.batch.scalars);
    EXPECT_EQ(text.locations, json.locations);
    EXPECT_EQ(text.ranges, json.ranges);
    EXPECT_EQ(text.inputs, json.inputs);
    const rt::DumpNotes again = text.notes();
    EXPECT_EQ(to_json(text.batch, &again), Scratch::read(folder() / name));
  }
}

}  // namespace
}  // namespace rt_test
