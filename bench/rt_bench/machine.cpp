// machine.cpp -- the machine of the measurement, and the load that other programs put on it.
#include "bench/rt_bench/machine.h"

#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <fstream>
#include <thread>

namespace rt_bench {
namespace {

double seconds(clockid_t clock) {
  timespec time;
  clock_gettime(clock, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

/// Seconds that all processors were busy, or that the host withheld from this machine.
double busy_seconds() {
  std::ifstream file("/proc/stat");
  std::string name;
  double user = 0, nice = 0, system = 0, idle = 0, waiting = 0, irq = 0, soft = 0, stolen = 0;
  file >> name >> user >> nice >> system >> idle >> waiting >> irq >> soft >> stolen;
  const double ticks = user + nice + system + irq + soft + stolen;
  return ticks / static_cast<double>(sysconf(_SC_CLK_TCK));
}

}  // namespace

std::string processor_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);)
    if (line.starts_with("model name"))
      return line.substr(std::min(line.find(": ") + 2, line.size()));
  return "unknown";
}

int processors() { return static_cast<int>(std::thread::hardware_concurrency()); }

std::string utc_now() {
  const std::time_t now = std::time(nullptr);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%d %H:%M UTC", std::gmtime(&now));
  return text;
}

OtherLoad::OtherLoad()
    : began_(seconds(CLOCK_MONOTONIC)),
      busy_(busy_seconds()),
      own_(seconds(CLOCK_PROCESS_CPUTIME_ID)) {}

double OtherLoad::processors() const {
  const double took = seconds(CLOCK_MONOTONIC) - began_;
  const double others = busy_seconds() - busy_ - (seconds(CLOCK_PROCESS_CPUTIME_ID) - own_);
  return std::max(0.0, others / std::max(took, 1e-3));
}

}  // namespace rt_bench
