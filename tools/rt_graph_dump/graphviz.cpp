// graphviz.cpp -- runs dot, without a shell and without named files, and reads its plain output.
#include "tools/rt_graph_dump/graphviz.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <memory>
#include <sstream>
#include <thread>

#include "graph/error.h"

namespace rt::tool {
namespace {

constexpr size_t kMostValues = 2000;
constexpr std::chrono::seconds kPatience{20};
constexpr double kPoints = 72;  ///< in an inch, which is what dot counts in

struct Close {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, Close>;

/// Boxes alone: what is written in them is the page's matter.
std::string boxes(const Batch& batch) {
  std::string out =
      "digraph {\n  splines=line; nslimit=3; mclimit=0.5; ranksep=0.6; nodesep=0.4;\n"
      "  node [shape=box, fixedsize=true, width=2.2, height=0.65, label=\"\"];\n";
  for (uint32_t value = 0; value < batch.values.size(); ++value) out += join("  v", value, ";\n");
  for (const Batch::Step& step : batch.steps)
    for (const uint32_t operand : batch.operands_of(step))
      if (operand != kNone.number) out += join("  v", operand, " -> v", step.result, ";\n");
  return out + "}\n";
}

/// Whether the process has ended well, and in time.
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

/// What dot makes of it, "" where it makes nothing.
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
  if (batch.values.empty() || batch.values.size() > kMostValues) return {};
  std::istringstream lines(run_dot(boxes(batch)));
  std::vector<Position> positions(batch.values.size());
  size_t found = 0;
  double height = 0;
  for (std::string line, word; std::getline(lines, line);) {
    std::istringstream words(line);
    double scale = 0, width = 0, x = 0, y = 0;
    words >> word;
    if (word == "graph") words >> scale >> width >> height;
    if (word != "node") continue;
    char v = 0;
    size_t value = 0;
    if (!(words >> v >> value >> x >> y) || value >= positions.size()) return {};
    positions[value] = {static_cast<float>(x * kPoints),
                        static_cast<float>((height - y) * kPoints)};
    ++found;
  }
  if (found != positions.size()) return {};
  return positions;
}

}  // namespace rt::tool
