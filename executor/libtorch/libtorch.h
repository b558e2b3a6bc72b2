// libtorch.h -- the libtorch backend, as far as the core knows it: where it is and how to call it.
#pragma once
#include <memory>
#include <string>

#include "executor/plugin/plugin.h"

namespace rt {

/// Loads libtorch and the plugin beside our own library, once a process; later calls give the same
/// answer. `folder` is where RT_TORCH_LIBTORCH says libtorch is, or empty. Throws Error with what
/// is missing, damaged or of another version.
plugin::Entry load_libtorch(const std::string& folder);

/// The libtorch backend; throws as load_libtorch does. `memory` outlives every buffer.
/// `threads` <= 0: as libtorch chooses.
std::unique_ptr<Backend> make_libtorch_backend(MemoryCount& memory, int threads,
                                               const std::string& folder, Optimizations use = {});

}  // namespace rt
