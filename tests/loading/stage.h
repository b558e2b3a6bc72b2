// stage.h -- a folder for copies of libraries, and programs that load them there.
#pragma once
#include <gmock/gmock.h>

#include "tests/support/scratch.h"

namespace rt_test {

class Stage : public Scratch {
 protected:
  /// Copies the library alone; returns its path.
  fs::path bare_library(const std::string& where) const {
    fs::copy_file(RT_TEST_LIBRARY, make(where) / "librt_torch.so");
    return folder() / where / "librt_torch.so";
  }
  /// Copies the library and `plugin` into a folder; returns the library's path.
  fs::path library(const std::string& where, const fs::path& plugin) const {
    fs::copy_file(plugin, make(where) / kPlugin);
    return bare_library(where);
  }
  /// Runs host.cpp's program with these steps.
  Outcome host(const std::vector<std::string>& steps, const Environment& environment) const {
    return run(RT_TEST_HOST, steps, environment);
  }

  static constexpr const char* kPlugin = "librt_torch_torchscript.so";
};

/// Expects success, this output, and no message of the library.
inline void expect_quiet(const Outcome& outcome, const std::string& out) {
  EXPECT_EQ(outcome.code, 0);
  EXPECT_EQ(outcome.out, out);
  EXPECT_EQ(outcome.err, "");
}

}  // namespace rt_test
