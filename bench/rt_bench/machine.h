// machine.h -- the machine of the measurement, and the load that other programs put on it.
#pragma once
#include <string>

namespace rt_bench {

/// The processor's name in /proc/cpuinfo.
std::string processor_name();
int processors();
std::string utc_now();

/// Average count of processors that other processes kept busy since construction, from /proc/stat.
class OtherLoad {
 public:
  OtherLoad();
  double processors() const;

 private:
  double began_, busy_, own_;
};

}  // namespace rt_bench
