// graphviz.cpp -- runs dot without a shell or named files, and reads its plain output.
#include "tools/rt_graph_dump/graphviz.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <memory>
#include <sstream>
#include <thread>

#include "graph/error.h"

namespace rt::tool {
namespace {

constexpr size_t kMaxValues = 2000;
constexpr std::chrono::seconds kPatience{20};
constexpr double kPoints = 72;  ///< in an inch, the unit of dot

struct Close {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, Close>;

/// The graph for dot, with boxes of about the size and without the text that the page gives them.
std::string boxes(const Batch& batch) {
  constexpr double kLeast = 116, kMost = 260, kEdge = 75, kLetter = 7.5, kHeight = 64;
  std::string out = join(
      "digraph {\n  splines=line; nslimit=3; mclimit=0.5; ranksep=0.6; nodesep=0.4;\n"
      "  node [shape=box, fixedsize=true, label=\"\", height=",
      kHeight / kPoints, "];\n");
  size_t step = 0;
  for (uint32_t value = 0; value < batch.values.size(); ++value) {
    const bool input = batch.is_input(value);
    const size_t letters =
        std::max(input ? 0 : info(batch.steps[step].op).name.size(),
                 to_string(batch.values[value].dtype, batch.sizes(value)).size());
    if (!input && value + 1 == batch.steps[step].result + batch.steps[step].results) ++step;
    const double width = std::clamp(kEdge + kLetter * static_cast<double>(letters), kLeast, kMost);
    out += join("  v", value, " [width=", width / kPoints, "];\n");
  }
  for (const Batch::Step& to : batch.steps)
    for (const uint32_t operand : batch.operands_of(to))
      if (operand != kNone.id) out += join("  v", operand, " -> v", to.result, ";\n");
  return out + "}\n";
}

/// True if the process ended without an error before kPatience was over.
bool wait_for(pid_t process) {
  const auto end = std::chrono::steady_clock::now() + kPatience;
  int status = 0;
  while (waitpid(process, &status, WNOHANG) == 0) {
    if (std::chrono::steady_clock::now() > end) {
      kill(process, SIGKILL);
      waitpid(process, &status, 0);
      return false;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/// The output of dot, "" where it fails.
std::string run_dot(const std::string& graph) {
  const File in(std::tmpfile()), out(std::tmpfile());
  if (!in || !out) return "";
  if (std::fwrite(graph.data(), 1, graph.size(), in.get()) != graph.size()) return "";
  std::rewind(in.get());
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, fileno(in.get()), STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, fileno(out.get()), STDOUT_FILENO);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  char name[] = "dot", form[] = "-Tplain";
  char* const arguments[] = {name, form, nullptr};
  pid_t process = 0;
  const int failed = posix_spawnp(&process, name, &actions, nullptr, arguments, environ);
  posix_spawn_file_actions_destroy(&actions);
  if (failed != 0 || !wait_for(process)) return "";
  std::rewind(out.get());
  std::string text;
  char part[1 << 14];
  for (size_t got; (got = std::fread(part, 1, sizeof part, out.get())) > 0;) text.append(part, got);
  return text;
}

}  // namespace

std::vector<Position> graphviz_positions(const Batch& batch) {
  if (batch.values.empty() || batch.values.size() > kMaxValues) return {};
  std::istringstream lines(run_dot(boxes(batch)));
  std::vector<Position> positions(batch.values.size());
  size_t found = 0;
  double height = 0;
  for (std::string line, attr; std::getline(lines, line);) {
    std::istringstream attributes(line);
    double scale = 0, width = 0, x = 0, y = 0;
    attributes >> attr;
    if (attr == "graph") attributes >> scale >> width >> height;
    if (attr != "node") continue;
    char v = 0;
    size_t value = 0;
    if (!(attributes >> v >> value >> x >> y) || value >= positions.size()) return {};
    positions[value] = {static_cast<float>(std::round(x * kPoints)),
                        static_cast<float>(std::round((height - y) * kPoints))};
    ++found;
  }
  if (found != positions.size()) return {};
  return positions;
}

}  // namespace rt::tool
