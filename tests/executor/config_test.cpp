// config_test.cpp -- environment variables, dl.config.sdn, names of counters.
#include "executor/config.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>

#include "elementwise/simd.h"
#include "executor/diagnostics/counters.h"

namespace rt::test {
namespace {

/// Runs each test in its own folder, without variables of ours.
class ConfigTest : public testing::Test {
 protected:
  ConfigTest() : before_(std::filesystem::current_path()) {
    for (char** entry = environ; *entry; ++entry) {
      const std::string text = *entry;
      if (text.starts_with("RT_TORCH_"))
        kept_[text.substr(0, text.find('='))] = text.substr(text.find('=') + 1);
    }
    for (const auto& [name, value] : kept_) unsetenv(name.c_str());
    std::string folder = (std::filesystem::temp_directory_path() / "rt_config_XXXXXX").string();
    if (mkdtemp(folder.data())) std::filesystem::current_path(folder);
    folder_ = folder;
  }
  ~ConfigTest() override {
    for (const std::string& name : set_) unsetenv(name.c_str());
    for (const auto& [name, value] : kept_) setenv(name.c_str(), value.c_str(), 1);
    std::filesystem::current_path(before_);
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  void set(const std::string& name, const std::string& value) {
    set_.push_back("RT_TORCH_" + name);
    setenv(set_.back().c_str(), value.c_str(), 1);
  }
  Config read() {
    complaint_.clear();
    return read_config(complaint_);
  }
  void expect_complaint(const std::string& name, const std::string& value,
                        const std::string& allowed) {
    set(name, value);
    read();
    for (const std::string& part : {"RT_TORCH_" + name, "'" + value + "'", allowed})
      EXPECT_NE(complaint_.find(part), std::string::npos) << part << " in " << complaint_;
    unsetenv(set_.back().c_str());
  }

  std::string complaint_;

 private:
  std::filesystem::path before_, folder_;
  std::map<std::string, std::string> kept_;
  std::vector<std::string> set_;
};

TEST_F(ConfigTest, DefaultsWhenNothingIsSet) {
  const Config config = read(), defaults;
  EXPECT_EQ(complaint_, "");
  EXPECT_EQ(config.policy, defaults.policy);
  EXPECT_EQ(config.device, "cpu");
  EXPECT_FALSE(config.device_is_order);
  EXPECT_EQ(config.cache_bytes, 268435456);
  EXPECT_EQ(config.max_pending_nodes, 65536);
}

TEST_F(ConfigTest, EveryVariableIsRead) {
  set("POLICY", "data"), set("BACKEND", "reference"), set("DEVICE", "cuda:1"), set("SEED", "-1");
  set("THREADS", "3"), set("COMPILE_AFTER", "0"), set("CACHE_ENTRIES", "7");
  set("CACHE_BYTES", "12345678901"), set("MAX_PENDING_NODES", "9"), set("MAX_PENDING_BYTES", "10");
  set("FUSE", "0"), set("REUSE", "0"), set("ASYNC", "1"), set("LIBTORCH", "somewhere");
  set("SIMD", "baseline"), set("FORBID", "2"), set("DEBUG", "4"), set("DUMP", "folder"),
      set("DUMP_INPUTS", "1");
  set("TRACE", "trace.json");
  const Config config = read();
  EXPECT_EQ(complaint_, "");
  EXPECT_EQ(config.policy, Policy::Data);
  EXPECT_EQ(config.backend, "reference");
  EXPECT_FALSE(config.use.fuse);
  EXPECT_FALSE(config.use.reuse);
  EXPECT_EQ(config.device, "cuda:1");
  EXPECT_TRUE(config.device_is_order);
  EXPECT_EQ(config.seed, UINT64_MAX);
  EXPECT_EQ(config.threads, 3);
  EXPECT_EQ(config.compile_after, 0);
  EXPECT_EQ(config.cache_entries, 7);
  EXPECT_EQ(config.cache_bytes, 12345678901);
  EXPECT_EQ(config.max_pending_nodes, 9);
  EXPECT_EQ(config.max_pending_bytes, 10);
  EXPECT_EQ(config.forbid, 2);
  EXPECT_EQ(config.debug, 4);
  EXPECT_EQ(config.dump, "folder");
  EXPECT_TRUE(config.dump_inputs);
  EXPECT_EQ(config.trace, "trace.json");
  EXPECT_TRUE(config.async);
}

TEST_F(ConfigTest, ComplaintsNameVariableValueAndWhatIsAllowed) {
  expect_complaint("POLICY", "lazy", "observe, data or eager");
  expect_complaint("BACKEND", "cuda", "auto, libtorch or reference");
  expect_complaint("DEVICE", "cuda:x", "cpu, cuda or cuda:N");
  expect_complaint("DEVICE", "cuda:200", "cpu, cuda or cuda:N");
  expect_complaint("SEED", "1.5", "64 bits");
  expect_complaint("THREADS", "-1", "from 0 to 4096");
  expect_complaint("CACHE_ENTRIES", "many", "a whole number");
  expect_complaint("CACHE_BYTES", "256M", "digits only");
  expect_complaint("CACHE_BYTES", "99999999999999999999", "a whole number");
  expect_complaint("MAX_PENDING_NODES", "0", "1 or more");
  expect_complaint("FUSE", "yes", "0 or 1");
  expect_complaint("REUSE", "2", "0 or 1");
  expect_complaint("ASYNC", "on", "0 or 1");
  expect_complaint("SIMD", "mmx", "baseline");
  expect_complaint("FORBID", "none", "a whole number");
  expect_complaint("DEBUG", "5", "from 0 to 4");
  expect_complaint("DUMP_INPUTS", "true", "0 or 1");
}

TEST_F(ConfigTest, TheVectorInstructionsAreTheBestOrThoseNamed) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");  // a process that has not chosen yet
  const auto chooses = [](std::string_view name) {
    std::_Exit(cpu::simd_target().name == name ? 0 : 1);
  };
  const auto& best = cpu::simd_targets().front();
  EXPECT_EXIT(chooses(best.name), testing::ExitedWithCode(0), "");
  for (const cpu::SimdTarget& target : cpu::simd_targets()) {
    setenv("RT_TORCH_SIMD", std::string(target.name).c_str(), 1);
    EXPECT_EXIT(chooses(target.name), testing::ExitedWithCode(0), "") << target.name;
  }
  unsetenv("RT_TORCH_SIMD");
}

TEST_F(ConfigTest, RefusedValuesLeaveTheDefaultAndTheFirstIsTold) {
  set("POLICY", "lazy"), set("DEVICE", "tpu"), set("DEBUG", "1");
  const Config config = read();
  EXPECT_EQ(config.policy, Policy::Observe);
  EXPECT_EQ(config.device, "cpu");
  EXPECT_FALSE(config.device_is_order);
  EXPECT_EQ(config.debug, 1);
  EXPECT_NE(complaint_.find("RT_TORCH_POLICY"), std::string::npos);
  EXPECT_EQ(complaint_.find("RT_TORCH_DEVICE"), std::string::npos);
}

TEST_F(ConfigTest, TheFileIsAWishAndTheVariableAnOrder) {
  std::ofstream("dl.config.sdn") << "dl:\n  device: \"cuda:1\"\n";
  Config config = read();
  EXPECT_EQ(config.device, "cuda:1");
  EXPECT_FALSE(config.device_is_order);
  set("DEVICE", "cpu");
  config = read();
  EXPECT_EQ(config.device, "cpu");
  EXPECT_TRUE(config.device_is_order);
}

TEST_F(ConfigTest, AFileThatIsNoneIsPassedOverWithANote) {
  const auto expect_note = [&](const char* why) {
    const Config config = read();
    EXPECT_EQ(complaint_, "");
    EXPECT_EQ(config.device, "cpu");
    ASSERT_EQ(config.notes.size(), 1u) << why;
    EXPECT_NE(config.notes[0].find(why), std::string::npos) << config.notes[0];
  };
  const std::string file = "dl.config.sdn";
  EXPECT_TRUE(read().notes.empty());
  std::filesystem::create_directory(file);
  expect_note("is a folder");
  std::filesystem::remove(file);
  ASSERT_EQ(mkfifo(file.c_str(), 0600), 0);
  expect_note("not a regular file");
  std::filesystem::remove(file);
  std::filesystem::create_symlink("/dev/zero", file);
  expect_note("not a regular file");
  std::filesystem::remove(file);
  std::filesystem::create_symlink("nowhere", file);
  expect_note("cannot be opened");
  std::filesystem::remove(file);
  std::ofstream(file) << "device: cuda\n" << std::string(65536, '#');
  expect_note("65549 bytes; at most 65536");
  std::filesystem::resize_file(file, 65536);
  EXPECT_EQ(read().device, "cuda");
  std::filesystem::resize_file(file, int64_t{1} << 40);
  expect_note("1099511627776 bytes");
}

TEST(ConfigFile, NamesADevice) {
  const std::map<std::string, std::string> cases = {
      {"device: cuda:1", "cuda:1"},
      {"device: cuda:1\r\n", "cuda:1"},
      {"\xef\xbb\xbf"
       "device: cuda\n",
       "cuda"},
      {"# device: cuda:3\n\ndevice :  'cuda:2'  # the second\n", "cuda:2"},
      {"dl:\n  device: \"cuda:1\"\n  backend: \"torch\"\n", "cuda:1"},
      {"dl:   # settings\n\tdtype: f32\n\n\tdevice: cpu\n", "cpu"},
      {"other:\n  device: cuda:1\n", ""},
      {"dl:\n  x: 1\nother:\n  device: cuda:1\n", ""},
      {"device: mps\n", ""},
      {"device: \"cuda:1\n", ""},
      {"device:\n", ""},
      {"devices: cuda:1\n", ""},
      {"device: cuda:-1\n", ""},
      {"", ""},
      {":\n::\n\"\n#", ""},
      {std::string("\0device: cuda\n", 14), ""},
  };
  for (const auto& [text, device] : cases) EXPECT_EQ(device_of_config_file(text), device) << text;
}

TEST(Counters, NamesAndJson) {
  CounterValues values{};
  for (size_t i = 0; i < kCounters; ++i) {
    values[i] = static_cast<int64_t>(i);
    const auto counter = static_cast<Counter>(i);
    EXPECT_EQ(find_counter(name(counter)), counter);
  }
  EXPECT_EQ(find_counter("nothing"), std::nullopt);
  EXPECT_EQ(name(forced_by(Reason::Shape)), "forced_by_shape");
  EXPECT_EQ(name(forced_by(Reason::Limit)), "forced_by_limit");
  EXPECT_EQ(name(forced_by(Reason::Eager)), "forced_by_eager");
  const std::string json = to_json(values);
  EXPECT_EQ(json.substr(0, 26), "{\"calls\": 0, \"nodes\": 1, \"");
  EXPECT_NE(json.find("\"peak_bytes\": 23}"), std::string::npos) << json;
}

}  // namespace
}  // namespace rt::test
