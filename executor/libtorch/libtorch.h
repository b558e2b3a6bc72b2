// libtorch.h -- loads the plugin for libtorch, and makes a backend of it.
#pragma once
#include <memory>
#include <string>

#include "executor/plugin/plugin.h"

namespace rt {

/// Loads libtorch and the plugin beside our own library. After a success later calls return the
/// same function. `folder` is the value of RT_TORCH_LIBTORCH, or empty. Throws Error where a file
/// is missing, damaged or of another version. Not for several threads at once.
plugin::Entry load_libtorch(const std::string& folder);

/// Makes the libtorch backend. Throws as load_libtorch does, or where the plugin refuses. `memory`
/// outlives every buffer. `threads` <= 0: libtorch chooses.
std::unique_ptr<Backend> make_libtorch_backend(MemoryCount& memory, int threads,
                                               const std::string& folder, Optimizations use = {});

}  // namespace rt
