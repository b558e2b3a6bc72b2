// machine_memory_test.cpp -- memory limits of control groups, read from files as in a container.
#include "graph/memory/machine_memory.h"

#include "tests/support/scratch.h"

namespace rt {
namespace {

class MachineMemory : public rt_test::Scratch {
 protected:
  void put(const std::string& file, const std::string& text) const {
    const rt_test::fs::path path = folder().string() + file;
    rt_test::fs::create_directories(path.parent_path());
    write(path, text);
  }
  int64_t limit() const { return memory_limit(folder().string()); }
  static constexpr const char* kSystemd = "/sys/fs/cgroup";
};

constexpr int64_t kGiB = int64_t{1} << 30;
const std::string kOther = "22 1 0:20 / /proc rw,nosuid shared:12 - proc proc rw\n";
const std::string kTwo =
    kOther + "30 22 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n";

TEST_F(MachineMemory, IsThatOfTheMachineWithoutGroups) {
  EXPECT_EQ(limit(), INT64_MAX);
  put("/proc/self/mountinfo", kTwo);
  EXPECT_EQ(limit(), INT64_MAX);
  put("/proc/self/cgroup", "0::/user.slice\n");
  EXPECT_EQ(limit(), INT64_MAX);
  put("/sys/fs/cgroup/user.slice/memory.max", "max\n");
  EXPECT_EQ(limit(), INT64_MAX);
  EXPECT_GT(machine_memory(), 0);
}

TEST_F(MachineMemory, IsTheLeastOfTheGroupsAround) {
  put("/proc/self/mountinfo", kTwo);
  put("/proc/self/cgroup", "0::/outer/middle/inner\n");
  put("/sys/fs/cgroup/outer/memory.max", std::to_string(2 * kGiB));
  EXPECT_EQ(limit(), 2 * kGiB);
  put("/sys/fs/cgroup/outer/middle/inner/memory.max", "max\n");
  EXPECT_EQ(limit(), 2 * kGiB);
  put("/sys/fs/cgroup/outer/middle/memory.max", std::to_string(kGiB));
  EXPECT_EQ(limit(), kGiB);
  put("/sys/fs/cgroup/outer/middle/inner/memory.max", std::to_string(3 * kGiB));
  EXPECT_EQ(limit(), kGiB);
}

/// A container whose namespace has its own group as the root.
TEST_F(MachineMemory, InANamespaceOfItsOwn) {
  put("/proc/self/mountinfo", kTwo);
  put("/proc/self/cgroup", "0::/\n");
  put("/sys/fs/cgroup/memory.max", std::to_string(kGiB));
  EXPECT_EQ(limit(), kGiB);
}

TEST_F(MachineMemory, OfTheFirstVersion) {
  put("/proc/self/mountinfo",
      kOther +
          "31 22 0:27 /docker/abc /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct\n"
          "32 22 0:28 /docker/abc /sys/fs/cgroup/memory ro master:7 - cgroup cgroup rw,memory\n");
  put("/proc/self/cgroup", "5:cpu,cpuacct:/docker/abc\n4:memory:/docker/abc\n0::/docker/abc\n");
  put("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  EXPECT_EQ(limit(), 9223372036854771712);
  put("/sys/fs/cgroup/memory/memory.limit_in_bytes", std::to_string(kGiB));
  EXPECT_EQ(limit(), kGiB);
}

TEST_F(MachineMemory, OfAGroupInsideOfAContainer) {
  put("/proc/self/mountinfo",
      kOther + "32 22 0:28 /docker/abc /groups rw - cgroup cgroup rw,memory\n");
  put("/proc/self/cgroup", "4:memory:/docker/abc/job\n");
  put("/groups/memory.limit_in_bytes", std::to_string(2 * kGiB));
  put("/groups/job/memory.limit_in_bytes", std::to_string(kGiB));
  EXPECT_EQ(limit(), kGiB);
}

TEST_F(MachineMemory, WhereTheGroupIsOutsideOfWhatIsSeen) {
  put("/proc/self/mountinfo",
      kOther + "30 22 0:26 /docker/abc /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n");
  put("/proc/self/cgroup", "0::/../other\n");
  put("/sys/fs/cgroup/memory.max", std::to_string(kGiB));
  EXPECT_EQ(limit(), kGiB);
}

}  // namespace
}  // namespace rt
