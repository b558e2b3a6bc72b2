// machine_memory.cpp -- the machine's memory, and control groups' limits to it.
#include "graph/memory/machine_memory.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <vector>

namespace rt {
namespace {

namespace fs = std::filesystem;

/// A mounted tree of control groups: of version 2, or the one of version 1 that counts memory.
struct Tree {
  fs::path top;    ///< the group whose folder is mounted
  fs::path place;  ///< the folder that it is mounted at
  bool version2;
};

std::vector<Tree> trees(const std::string& root) {
  std::vector<Tree> found;
  std::ifstream mounts(root + "/proc/self/mountinfo");
  for (std::string line; std::getline(mounts, line);) {
    // number, parent, device, top, place, options, any number of fields, "-", type, source, options
    std::istringstream fields(line);
    std::string number, parent, device, top, place, field, type, source, options;
    fields >> number >> parent >> device >> top >> place;
    while (fields >> field && field != "-") {
    }
    fields >> type >> source >> options;
    options = ',' + options + ',';
    const bool version2 = type == "cgroup2";
    if (version2 || (type == "cgroup" && options.find(",memory,") != std::string::npos))
      found.push_back({top, place, version2});
  }
  return found;
}

/// The group of this process in a tree; empty when it is in none.
fs::path group_in(const Tree& tree, const std::string& root) {
  std::ifstream groups(root + "/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    // "0::/group" or "4:cpu,memory:/group"
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string counted = ',' + line.substr(first + 1, second - first - 1) + ',';
    if (tree.version2 ? counted == ",," : counted.find(",memory,") != std::string::npos)
      return line.substr(second + 1);
  }
  return {};
}

/// The limit of a group in bytes; INT64_MAX for "max", and where there is no such file.
int64_t limit_at(const fs::path& folder, const Tree& tree, const std::string& root) {
  const char* const name = tree.version2 ? "memory.max" : "memory.limit_in_bytes";
  std::ifstream file(root + (folder / name).string());
  int64_t bytes = 0;
  return file >> bytes ? bytes : INT64_MAX;
}

}  // namespace

int64_t memory_limit(const std::string& root) {
  int64_t least = INT64_MAX;
  for (const Tree& tree : trees(root)) {
    const fs::path group = group_in(tree, root);
    if (group.empty()) continue;
    // Of a group outside the mounted folder, only the top can be read.
    fs::path below = group.lexically_relative(tree.top);
    if (below == "." || below.begin() == below.end() || *below.begin() == "..") below.clear();
    for (;; below = below.parent_path()) {
      least =
          std::min(least, limit_at(below.empty() ? tree.place : tree.place / below, tree, root));
      if (below.empty()) break;
    }
  }
  return least;
}

int64_t machine_memory() noexcept {
  static const int64_t bytes = [] {
    const int64_t all = int64_t{sysconf(_SC_PHYS_PAGES)} * sysconf(_SC_PAGE_SIZE);
    try {
      return std::min(all, memory_limit());
    } catch (const std::exception&) {  // no memory to read the limits
      return all;
    }
  }();
  return bytes;
}

}  // namespace rt
