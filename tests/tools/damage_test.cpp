// damage_test.cpp -- dumps and inputs, truncated or with flipped bits, give an Error or a run.
#include <random>

#include "graph/error.h"
#include "tests/tools/rig.h"
#include "tools/rt_graph_dump/machine.h"

namespace rt_test {
namespace {

/// Everything that the tool does with a dump before it prints.
void use(const std::string& path) {
  using namespace rt::tool;
  try {
    Subject subject = load(path);
    const Setup setup{.backend = "reference", .threads = 1};
    prepare(subject, setup);
    rt::MemoryCount memory;
    const auto backend = open_backend(setup.backend, setup, memory);
    const Inputs inputs = make_inputs(*backend, subject, setup);
    Walk walk(*backend, subject.batch(), inputs, setup.seed);
    while (!walk.done()) walk.step();
  } catch (const rt::Error& error) {
    EXPECT_NE(error.text(), "");
  }
}

class DamagedDump : public DumpTool {
 protected:
  void SetUp() override {
    DumpTool::SetUp();
    ASSERT_EQ(client_with_inputs("work").code, 0);
    json_ = Scratch::read(folder() / dump());
    text_ = tool({dump()}).out;
    inputs_path_ = (folder() / files("dumps", ".safetensors")[0]).string();
    inputs_ = Scratch::read(inputs_path_);
  }
  /// Uses a dump that lies beside its inputs.
  void use_text(const std::string& text) {
    const fs::path path = fs::path(inputs_path_).parent_path() / "damaged";
    write(path, text);
    use(path.string());
  }

  std::string json_, text_, inputs_, inputs_path_;
};

TEST_F(DamagedDump, CutAnywhere) {
  for (const std::string& whole : {json_, text_})
    for (size_t size = 0; size < whole.size(); ++size) use_text(whole.substr(0, size));
}

TEST_F(DamagedDump, BitsTurnedAnywhere) {
  for (const std::string& whole : {json_, text_})
    for (size_t bit = 0; bit < 8 * whole.size(); bit += 7) {
      std::string turned = whole;
      turned[bit / 8] = static_cast<char>(turned[bit / 8] ^ 1 << bit % 8);
      use_text(turned);
    }
}

TEST_F(DamagedDump, DigitsAndBracketsInTheWrongPlace) {
  std::mt19937 random(11);
  constexpr std::string_view likely = "0123456789-[]{}<>(),%:=\"#\n e.";
  for (int round = 0; round < 3000; ++round) {
    std::string turned = round & 1 ? json_ : text_;
    for (uint32_t flips = 1 + random() % 3; flips > 0; --flips)
      turned[random() % turned.size()] = likely[random() % likely.size()];
    use_text(turned);
  }
}

TEST_F(DamagedDump, InputsCutOrTurned) {
  const std::string path = (folder() / dump()).string();
  for (size_t size = 0; size < inputs_.size(); ++size) {
    write(inputs_path_, inputs_.substr(0, size));
    use(path);
  }
  for (size_t bit = 0; bit < 8 * inputs_.size(); bit += 7) {
    std::string turned = inputs_;
    turned[bit / 8] = static_cast<char>(turned[bit / 8] ^ 1 << bit % 8);
    write(inputs_path_, turned);
    use(path);
  }
}

/// Runs the tool itself on a few truncated dumps.
TEST_F(DamagedDump, TheToolEndsWithAnErrorThatNamesTheFile) {
  for (const char* command : {"run", "nan", "stats"})
    for (size_t size = 1; size < json_.size(); size += json_.size() / 6) {
      write(folder() / "cut.json", json_.substr(0, size));
      const Outcome outcome = tool({command, "cut.json", "--backend", "reference"});
      EXPECT_EQ(outcome.code, 2) << command << ' ' << size;
      if (std::string(command) != "stats") {  // stats opens no backend
        EXPECT_THAT(outcome.err, testing::StartsWith("rt_graph_dump: cut.json: "));
      }
    }
}

}  // namespace
}  // namespace rt_test
