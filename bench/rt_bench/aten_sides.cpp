// aten_sides.cpp -- the workloads in libtorch; no other source here includes its headers.
#include <ATen/Parallel.h>

#include "bench/rt_bench/aten.h"
#include "bench/rt_bench/table.h"

namespace rt_bench {

std::vector<Workload> aten_workloads() { return workloads<Aten>(); }

void prepare_aten() { at::set_num_threads(setup.threads); }

}  // namespace rt_bench
