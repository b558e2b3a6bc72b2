// stage.h -- a folder to arrange libraries in, and programs that load them there.
#pragma once
#include <gmock/gmock.h>

#include "tests/support/scratch.h"

namespace rt_test {

class Stage : public Scratch {
 protected:
  /// A copy of the library without anything beside it; its path.
  fs::path bare_library(const std::string& where) const {
    fs::copy_file(RT_TEST_LIBRARY, make(where) / "librt_torch.so");
    return folder() / where / "librt_torch.so";
  }
  /// A copy of the library with `plugin` beside it.
  fs::path library(const std::string& where, const fs::path& plugin) const {
    fs::copy_file(plugin, make(where) / kPlugin);
    return bare_library(where);
  }
  /// The loading host; see host.cpp for its steps.
  Outcome host(const std::vector<std::string>& steps, const Environment& environment) const {
    return run(RT_TEST_HOST, steps, environment);
  }

  static constexpr const char* kPlugin = "librt_torch_torchscript.so";
};

/// The program did as it should, wrote just this, and the library nothing at all.
inline void expect_quiet(const Outcome& outcome, const std::string& out) {
  EXPECT_EQ(outcome.code, 0);
  EXPECT_EQ(outcome.out, out);
  EXPECT_EQ(outcome.err, "");
}

}  // namespace rt_test
