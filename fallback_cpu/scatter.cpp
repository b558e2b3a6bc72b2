// scatter.cpp -- additions at places that an index names: what gather, index_select and embedding
// do, the other way round.
#include "fallback_cpu/kernels.h"
#include "graph/error.h"

namespace rt::cpu {

BufferRef scatter_add(const Call& call) { fail(call.row.name, " has no kernel"); }

}  // namespace rt::cpu
