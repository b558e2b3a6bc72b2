// scratch.h -- a folder per test, and programs that run in it as processes.
#pragma once
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <vector>

namespace rt_test {

namespace fs = std::filesystem;

/// A program's exit status and output.
struct Outcome {
  int code;  ///< 124: it took too long
  std::string out, err;
};

class Scratch : public testing::Test {
 protected:
  using Environment = std::map<std::string, std::string>;

  void SetUp() override {
    // The caller's environment must not affect the programs.
    for (const char* variable :
         {"RT_TORCH_BACKEND", "RT_TORCH_LIBTORCH", "RT_TORCH_DEBUG", "RT_TORCH_THREADS",
          "RT_TORCH_POLICY", "RT_TORCH_DEVICE", "RT_TORCH_TRACE", "RT_TORCH_DUMP",
          "RT_TORCH_DUMP_INPUTS", "LIBTORCH", "TORCH_HOME", "LD_LIBRARY_PATH"})
      unsetenv(variable);
    std::string name = (fs::temp_directory_path() / "rt_torch_XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { fs::remove_all(folder_); }

  const fs::path& folder() const { return folder_; }
  fs::path make(const std::string& name) const {
    fs::create_directories(folder_ / name);
    return folder_ / name;
  }
  static void write(const fs::path& file, const std::string& text) {
    std::ofstream(file, std::ios::binary) << text;
  }
  static std::string read(const fs::path& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  /// Runs a program in the folder.
  Outcome run(const std::string& program, const std::vector<std::string>& arguments,
              const Environment& environment) const {
    const fs::path out = folder_ / "stdout", err = folder_ / "stderr";
    std::string line = "cd " + folder_.string() + " && env";
    for (const auto& [name, value] : environment) line += " " + name + "='" + value + "'";
    line += " timeout 120 " + program;
    for (const std::string& argument : arguments) line += " '" + argument + "'";
    const int status = std::system((line + " >" + out.string() + " 2>" + err.string()).c_str());
    return {WEXITSTATUS(status), read(out), read(err)};
  }

 private:
  fs::path folder_;
};

}  // namespace rt_test
