// main.cpp -- rt_bench: compares the engine, lazy and eager, with libtorch on equal computations.
#include <malloc.h>
#include <regex.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <limits>
#include <list>
#include <optional>
#include <stdexcept>

#include "bench/rt_bench/machine.h"
#include "bench/rt_bench/measure.h"
#include "bench/rt_bench/report.h"
#include "rt_torch.h"

extern char** environ;

namespace rt_bench {
namespace {

#ifdef RT_BENCH_LIBTORCH
constexpr bool kLibtorch = true;
#else
constexpr bool kLibtorch = false;
std::vector<Workload> aten_workloads() { return {}; }
void prepare_aten() {}
#endif

struct Options {
  std::vector<std::string> only;
  std::string backend = "both", clock = "auto", device = "cpu", json, html;
  int rounds = 0;
  bool quick = false, list = false;
};

[[noreturn]] void fail(const std::string& why) { throw std::runtime_error(why); }

/// Keeps freed blocks in the process. Otherwise the position of the heap's end decides by chance
/// whether libtorch gets new pages for each large tensor, at four times the cost.
void keep_freed_memory() {
  mallopt(M_MMAP_THRESHOLD, 1 << 30);
  mallopt(M_TRIM_THRESHOLD, std::numeric_limits<int>::max());
}

/// A POSIX extended regular expression. Compilers warn about std::regex under sanitizers.
class Pattern {
 public:
  explicit Pattern(const std::string& text) {
    if (regcomp(&compiled_, text.c_str(), REG_EXTENDED | REG_NOSUB) != 0)
      fail("--only " + text + " is not a regular expression");
  }
  Pattern(const Pattern&) = delete;
  Pattern& operator=(const Pattern&) = delete;
  ~Pattern() { regfree(&compiled_); }
  bool is_in(const std::string& text) const {
    return regexec(&compiled_, text.c_str(), 0, nullptr, 0) == 0;
  }

 private:
  regex_t compiled_;
};

/// Indices of the chosen rows.
std::vector<size_t> chosen(const std::vector<Workload>& table, const Options& options) {
  std::list<Pattern> patterns;
  for (const std::string& text : options.only) patterns.emplace_back(text);
  std::vector<size_t> rows;
  for (size_t i = 0; i < table.size(); ++i) {
    const auto matches = [&](const Pattern& pattern) { return pattern.is_in(table[i].info.name); };
    if (patterns.empty() || std::ranges::any_of(patterns, matches)) rows.push_back(i);
  }
  if (rows.empty()) fail("no workload's name matches --only; --list shows the names");
  return rows;
}

std::vector<std::string> backends(const Options& options) {
  if (!kLibtorch && options.backend == "libtorch") fail("this build is without libtorch");
  if (!kLibtorch || options.backend == "reference") return {"reference"};
  if (options.backend == "libtorch" || setup.cuda) return {"libtorch"};
  return {"libtorch", "reference"};
}

void choose_backend(const std::string& name) {
  if (rt_torch_set_backend(name.c_str()) != 1) fail(rt_torch_last_error());
}

Plan make_plan(const Options& options) {
  const bool steady = setup.threads == 1 && !setup.cuda;
  Plan plan;
  plan.clock = options.clock == "processor" || (options.clock == "auto" && steady)
                   ? Clock::Processor
                   : Clock::Wall;
  if (options.quick) {
    plan.rounds = 5;
    plan.fewest_rounds = 3;
    plan.round_us = 1000;
    plan.budget_seconds = 1;
  }
  if (options.rounds > 0) plan.rounds = plan.fewest_rounds = options.rounds;
  return plan;
}

/// Environment variables that change the engine, which belong to the results.
std::string variables() {
  std::string text;
  for (char** entry = environ; *entry; ++entry) {
    const std::string variable = *entry;
    if (!variable.starts_with("RT_TORCH_") || variable.starts_with("RT_TORCH_LIBTORCH=")) continue;
    text += (text.empty() ? "" : " ") + variable;
  }
  return text;
}

/// A line of a terminal that is overwritten.
class Progress {
 public:
  void show(const std::string& text) {
    if (terminal_) std::cerr << "\r\033[K" << text << std::flush;
  }
  ~Progress() { show(""); }

 private:
  const bool terminal_ = isatty(STDERR_FILENO) == 1;
};

void measure_all(Run& run, const Options& options) {
  const std::vector<Workload> ours = abi_workloads();
  const std::vector<size_t> rows = chosen(ours, options);
  const std::vector<std::string> on = backends(options);
  Plan plan = make_plan(options);
  run.clock = plan.clock;
  Progress progress;
  size_t done = 0;
  for (const std::string& backend : on) {
    choose_backend(backend);
    for (const size_t i : rows) {
      const Info& info = ours[i].info;
      const std::string place = '[' + std::to_string(++done) + '/' +
                                std::to_string(rows.size() * on.size()) + "] " + info.name +
                                " on " + backend;
      // The bars of batch costs are for libtorch, since the reference backend has other costs.
      if (info.batch_cost && backend != "libtorch") continue;
      progress.show(place);
      plan.progress = [&](int round, int rounds) {
        progress.show(place + ", round " + std::to_string(round + 1) + " of " +
                      std::to_string(rounds));
      };
      std::optional<Workload> theirs;
      if (kLibtorch) theirs = aten_workloads()[i];
      try {
        run.results.push_back(measure(ours[i], theirs ? &*theirs : nullptr, plan));
      } catch (const std::exception& error) {
        fail(info.name + " on " + backend + ": " + error.what());
      }
    }
  }
}

void write(const std::string& path, const std::string& text) {
  if (path.empty()) return;
  std::ofstream file(path);
  file << text;
  if (!file.flush()) fail("cannot write " + path);
}

int run(const Options& options) {
  if (options.list) {
    for (const Workload& workload : abi_workloads())
      std::cout << workload.info.name << "  " << workload.info.title << '\n';
    return 0;
  }
  keep_freed_memory();
  Run run;
  run.variables = variables();
  setenv("RT_TORCH_THREADS", std::to_string(setup.threads).c_str(), 1);
  setenv("RT_TORCH_DEVICE", options.device.c_str(), 1);
  if (kLibtorch) {
    choose_backend("libtorch");
    run.libtorch = rt_torch_version();
    prepare_aten();
  }
  run.date = utc_now();
  run.processor = processor_name();
  run.processors = processors();
  run.setup = setup;
  run.quick = options.quick;
  measure_all(run, options);
  if (run.results.empty()) fail("batch costs are measured on libtorch alone");
  std::cout << to_text(run);
  write(options.json, to_json(run));
  write(options.html, to_html(run));
  return std::ranges::all_of(run.results, &Result::agrees) ? 0 : 1;
}

}  // namespace
}  // namespace rt_bench

int main(int argc, char** argv) {
  CLI::App app(
      "Runs workloads lazily, under policy eager, and as the same computation in libtorch, in\n"
      "rounds that alternate, and tells how many times as fast the lazy way is as libtorch.\n"
      "Exit status: 0 all results agree, 1 some differ, 2 something failed.");
  rt_bench::Options options;
  app.add_option("--only", options.only,
                 "Only workloads whose name matches one of these regular expressions");
  app.add_option("--backend", options.backend, "Of the engine: libtorch, reference or both")
      ->check(CLI::IsMember({"libtorch", "reference", "both"}))
      ->capture_default_str();
  app.add_option("--threads", rt_bench::setup.threads, "Threads of both sides")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  app.add_option("--device", options.device, "Where tensors lie")
      ->check(CLI::IsMember({"cpu", "cuda"}))
      ->capture_default_str();
  app.add_option("--clock", options.clock,
                 "What time counts; auto is processor time on one thread, else wall time")
      ->check(CLI::IsMember({"auto", "processor", "wall"}))
      ->capture_default_str();
  app.add_option("--rounds", options.rounds, "Rounds of each workload, whatever they take")
      ->check(CLI::Range(1, 100000));
  app.add_flag("--quick", options.quick, "Few and short rounds: does it work, do results agree");
  app.add_option("--json", options.json, "Also write the numbers to this file");
  app.add_option("--html", options.html, "Also write a page with charts to this file");
  app.add_flag("--list", options.list, "Print the names of the workloads and measure nothing");
  app.footer(
      "Examples:\n"
      "  rt_bench --only '^chain' --html chains.html\n"
      "  rt_bench --threads 2 --only 4m\n"
      "  RT_TORCH_FUSE=0 rt_bench --only '^batch_'");
  CLI11_PARSE(app, argc, argv);
  rt_bench::setup.cuda = options.device == "cuda";
  try {
    return rt_bench::run(options);
  } catch (const std::exception& error) {
    std::cerr << "rt_bench: " << error.what() << '\n';
    return 2;
  }
}
