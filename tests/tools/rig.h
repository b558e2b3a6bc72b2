// rig.h -- runs a client that writes dumps, and the tool on them.
#pragma once
#include <gmock/gmock.h>

#include <algorithm>

#include "tests/support/scratch.h"

namespace rt_test {

class DumpTool : public Scratch {
 protected:
  /// Runs the client, by default with dumps in dumps/.
  Outcome client(const std::string& what, Environment environment = {{"RT_TORCH_DUMP", "dumps"}}) {
    environment.emplace("RT_TORCH_BACKEND", "reference");
    environment.emplace("RT_TORCH_THREADS", "1");
    return run(RT_TEST_CLIENT, {what}, environment);
  }
  Outcome client_with_inputs(const std::string& what) {
    return client(what, {{"RT_TORCH_DUMP", "dumps"}, {"RT_TORCH_DUMP_INPUTS", "1"}});
  }
  Outcome tool(const std::vector<std::string>& arguments) const {
    return run(RT_TEST_TOOL, arguments, {});
  }

  /// Sorted paths of files below a folder whose names end so, relative to the test's folder.
  std::vector<std::string> files(const std::string& below, const std::string& end) const {
    std::vector<std::string> found;
    if (!fs::exists(folder() / below)) return found;
    for (const auto& entry : fs::recursive_directory_iterator(folder() / below))
      if (entry.is_regular_file() && entry.path().string().ends_with(end))
        found.push_back(fs::relative(entry.path(), folder()).string());
    std::ranges::sort(found);
    return found;
  }
  /// The only dump that the client wrote.
  std::string dump() const {
    const auto found = files("dumps", ".json");
    EXPECT_EQ(found.size(), 1u);
    return found.empty() ? "" : found[0];
  }
};

}  // namespace rt_test
