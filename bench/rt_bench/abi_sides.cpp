// abi_sides.cpp -- the workloads through the C ABI.
#include "bench/rt_bench/abi.h"
#include "bench/rt_bench/table.h"

namespace rt_bench {

std::vector<Workload> abi_workloads() { return workloads<Abi>(); }

}  // namespace rt_bench
