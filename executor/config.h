// config.h -- settings of one process: the environment and dl.config.sdn.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "executor/policy.h"
#include "graph/batch/backend.h"

namespace rt {

/// A failed call does this beside setting the thread's error.
enum class OnError : uint8_t { Nothing, Print, Abort };

/// The environment variables of docs/environment.md; the members' initial values are the defaults.
struct Config {
  Policy policy = Policy::Observe;
  std::string backend = "auto";
  std::string libtorch;          ///< folder of libtorch, "": it is searched
  std::string device = "cpu";    ///< RT_TORCH_DEVICE or dl.config.sdn
  bool device_is_order = false;  ///< from the variable: it must be there when it is needed
  bool cuda_falls_back = false;  ///< without CUDA its devices are the CPU
  uint64_t seed = 0;
  int threads = 0;  ///< 0: all cores
  int64_t compile_after = 1;
  int64_t cache_entries = 1024;
  int64_t cache_bytes = int64_t{256} << 20;
  int64_t max_pending_nodes = 65536;
  int64_t max_pending_bytes = int64_t{1} << 30;
  Optimizations use;
  int64_t forbid = 0;  ///< 0: nothing is forbidden
  int debug = 0;
  OnError on_error = OnError::Nothing;
  std::string dump;  ///< folder, "": none
  bool dump_inputs = false;
  std::string trace;  ///< file, "": none
  std::string holds;  ///< likewise, see Reports::report_holds()
  bool async = false;
  std::vector<std::string> notes;  ///< what was passed over, for who debugs
};

/// Reads the environment and dl.config.sdn. A value that is not allowed leaves the default in place
/// and is described in `complaint` (variable, value, what is allowed), the first one only. A file
/// that cannot be read and, in a program with raised rights, all that names files is passed over.
Config read_config(std::string& complaint);

/// The device of a file in the format of dl.config.sdn; "" when it names none.
std::string device_of_config_file(const std::string& text);

}  // namespace rt
