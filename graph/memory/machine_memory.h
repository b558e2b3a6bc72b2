// machine_memory.h -- how much memory this process can have at most.
#pragma once
#include <cstdint>
#include <string>

namespace rt {

/// Bytes of the machine, or of the container that the process runs in where that is less. Asking
/// for more succeeds where the system promises more than it has, and ends the process when the
/// memory is used. Found at the first call.
int64_t machine_memory() noexcept;

/// The least of the limits that control groups set for this process, of its own group and of those
/// around it, version 1 or 2; INT64_MAX where there is none. `root` stands in front of all paths
/// that are read.
int64_t memory_limit(const std::string& root = "");

}  // namespace rt
