// commands.h -- the subcommands, one file each, and their options.
#pragma once
#include "tools/rt_graph_dump/machine.h"

namespace rt::tool {

struct PrintOptions {
  std::string format = "text";  ///< text, json, dot, torchscript, module
  std::string out;              ///< "": standard output
};
Status print(const Subject& subject, const PrintOptions& options, const Setup& setup);

struct PageOptions {
  std::string out;
  bool time = false;
  bool graphviz = true;
  int repeats = 5;
};
Status page(Subject& subject, const PageOptions& options, const Setup& setup);

Status diff(const Subject& a, const Subject& b, size_t most);

struct RunOptions {
  int repeats = 5;
  size_t top = 0;    ///< the count of steps to list, slowest first; 0: all in their order
  std::string save;  ///< a file for the outputs
};
Status run(Subject& subject, const RunOptions& options, const Setup& setup);

struct CheckOptions {
  double relative = -1, absolute = -1;  ///< negative: the dtype's default
};
Status check(Subject& subject, const CheckOptions& options, const Setup& setup);

Status nan(Subject& subject, const Setup& setup);

Status stats(Subject& subject);

}  // namespace rt::tool
