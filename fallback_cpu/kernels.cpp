// kernels.cpp -- the kernel of each family.
#include "fallback_cpu/kernels.h"

#include "graph/error.h"

namespace rt::cpu {

BufferRef compute(const KernelCall& call) {
  switch (call.row.rules.kernel) {
// clang-format off
#define RT_KERNEL(Id, function, ...) case Kernel::Id: return function(call);
#include "graph/ops/kernels.def"
    // clang-format on
    case Kernel::None: break;
  }
  fail(call.row.name, " has no kernel");
}

}  // namespace rt::cpu
