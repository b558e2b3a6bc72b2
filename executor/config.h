// config.h -- settings of one process: the environment and dl.config.sdn.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "executor/policy.h"
#include "graph/batch/backend.h"

namespace rt {

/// The action of a failed call besides setting the thread's error.
enum class OnError : uint8_t { Nothing, Print, Abort };

/// The environment variables of docs/environment.md; the members' initial values are the defaults.
struct Config {
  Policy policy = Policy::Observe;
  std::string backend = "auto";
  std::string libtorch;          ///< folder of libtorch; "": it is searched
  std::string device = "cpu";    ///< RT_TORCH_DEVICE or dl.config.sdn
  bool device_is_order = false;  ///< from the variable: that it does not exist is an error
  bool cuda_falls_back = false;  ///< without CUDA, calls that name its devices use the CPU
  uint64_t seed = 0;
  int threads = 0;  ///< 0: all cores
  int64_t compile_after = 1;
  int64_t cache_entries = 1024;
  int64_t cache_bytes = int64_t{256} << 20;
  int64_t max_pending_nodes = 65536;
  int64_t max_pending_bytes = int64_t{1} << 30;
  Optimizations use;
  int64_t forbid = 0;  ///< most batches between two flushes; 0: no limit
  int debug = 0;
  OnError on_error = OnError::Nothing;
  std::string dump;  ///< folder; "": none
  bool dump_inputs = false;
  std::string trace;  ///< file; "": none
  std::string holds;  ///< file for Reports::report_holds(); "": none
  bool async = false;
  std::vector<std::string> notes;  ///< settings that were ignored, and why, for RT_TORCH_DEBUG
};

/// Reads the environment and dl.config.sdn. The default replaces a value that is not allowed, and
/// `complaint` describes the first of these: variable, value, the allowed values. A file that
/// cannot be read is ignored, and with raised rights so are variables that name files.
Config read_config(std::string& complaint);

/// The device in the text of a file like dl.config.sdn; "" where it names none.
std::string device_of_config_file(const std::string& text);

}  // namespace rt
