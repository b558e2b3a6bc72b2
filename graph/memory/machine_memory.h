// machine_memory.h -- the memory that this process can have at most.
#pragma once
#include <cstdint>
#include <string>

namespace rt {

/// Bytes of the machine, or of the container that the process runs in where that is less. A larger
/// allocation may succeed, because systems promise more than they have, but using it ends the
/// process. Computed at the first call.
int64_t machine_memory() noexcept;

/// The least limit, in bytes, that control groups of version 1 or 2 set for this process: its own
/// group and those around it. INT64_MAX where there is none. `root` is put in front of all paths.
int64_t memory_limit(const std::string& root = "");

}  // namespace rt
