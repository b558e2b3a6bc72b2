// machine.h -- the machine that is measured on, and what else runs there.
#pragma once
#include <string>

namespace rt_bench {

/// The processor's name, as Linux has it.
std::string processor_name();
int processors();
std::string utc_now();

/// How many processors were busy with the work of others since it was made, from /proc/stat.
class OtherLoad {
 public:
  OtherLoad();
  double processors() const;

 private:
  double began_, busy_, own_;
};

}  // namespace rt_bench
