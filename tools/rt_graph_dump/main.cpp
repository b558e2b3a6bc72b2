// main.cpp -- rt_graph_dump: inspects dumped batches, and runs them.
#include <CLI/CLI.hpp>
#include <cstdio>

#include "executor/config.h"
#include "graph/error.h"
#include "tools/rt_graph_dump/commands.h"

namespace rt::tool {
namespace {

constexpr const char* kAbout =
    "Looks at a batch that rt_torch dumped, and runs it. RT_TORCH_DUMP=FOLDER writes every new\n"
    "batch of a program there as JSON, with RT_TORCH_DUMP_INPUTS=1 its inputs as well, and the\n"
    "last eight when a batch fails; rt_torch_graph_dump writes one. JSON and text are read alike,\n"
    "- is the standard input.";

constexpr const char* kExamples = R"(Examples:
  rt_graph_dump batch.json                        as text
  rt_graph_dump batch.json --format dot | dot -Tsvg -o batch.svg
  rt_graph_dump batch.json --html batch.html --time
                                                  a page to look around in, with times
  rt_graph_dump run batch.json --top 10           runs it; the ten slowest nodes
  rt_graph_dump check batch.json                  libtorch against the reference backend
  rt_graph_dump nan failure-1/*-failed.json       where the first NaN or infinity was made
  rt_graph_dump diff one.json other.json          why the second was compiled as well
  rt_graph_dump stats batch.json                  work, memory, what is fused

Ends with 0; with 1 where diff, check or nan found something; with 2 on errors.)";

void add_setup(CLI::App& command, Setup& setup, bool chooses) {
  if (chooses)
    command
        .add_option("--backend", setup.backend,
                    "auto (libtorch where it is), libtorch or reference; default RT_TORCH_BACKEND, "
                    "else auto")
        ->check(CLI::IsMember({"auto", "libtorch", "reference"}));
  command
      .add_option("--threads", setup.threads,
                  "of the backend; 0: all cores; default RT_TORCH_THREADS, else 0")
      ->check(CLI::Range(0, 4096));
  command.add_option("--seed", setup.seed,
                     "of random inputs and random nodes; default RT_TORCH_SEED, else 0");
  command.add_flag("--random", setup.random, "random inputs, though some were captured");
  command.add_flag("--cpu", setup.cpu, "on the CPU what was recorded on a GPU");
}

CLI::App* add_command(CLI::App& app, const std::string& name, const std::string& about,
                      const std::string& example) {
  CLI::App* command = app.add_subcommand(name, about);
  command->footer("Example:\n  rt_graph_dump " + example);
  return command;
}

int run_tool(int argc, char** argv) {
  CLI::App app(kAbout, "rt_graph_dump");
  app.footer(kExamples);
  app.require_subcommand(0, 1);
  std::string file, other;
  std::string complaint;
  const Config config = read_config(complaint);
  Setup setup{config.backend, config.libtorch, config.threads, config.seed};
  PrintOptions printing;
  PageOptions paging;
  app.add_option("FILE", file, "the dump");
  app.add_option("--format", printing.format,
                 "text (default), dot, json, torchscript, or module, which torch.jit.load opens")
      ->check(CLI::IsMember({"text", "dot", "json", "torchscript", "module"}));
  app.add_option("-o,--out", printing.out, "writes to this file");
  CLI::Option* html = app.add_option("--html", paging.out, "writes a page to this file");
  app.add_flag("--time", paging.time, "runs it for the page, which then has times")->needs(html);
  app.add_flag("!--no-graphviz", paging.graphviz, "lays the page out without Graphviz")
      ->needs(html);
  add_setup(app, setup, true);

  CLI::App* diffing = add_command(app, "diff", "What is the same and what differs, the first first",
                                  "diff batch-1f*.json batch-a0*.json");
  size_t most = 20;
  diffing->add_option("A", file, "a dump")->required();
  diffing->add_option("B", other, "another")->required();
  diffing->add_option("--most", most, "tells so many differences; default 20");

  CLI::App* running =
      add_command(app, "run", "Runs it alone: what comes out, and how long each node takes",
                  "run batch.json --backend reference --top 10");
  RunOptions run_options;
  running->add_option("FILE", file, "the dump")->required();
  add_setup(*running, setup, true);
  running
      ->add_option("--repeats", run_options.repeats,
                   "times are medians of so many runs; default 5, 0 takes none")
      ->check(CLI::Range(0, 1'000'000));
  running->add_option("--top", run_options.top, "only so many nodes, the slowest first");
  running->add_option("--save", run_options.save, "writes the outputs to this safetensors file");

  CLI::App* checking = add_command(
      app, "check", "Both backends node by node on the same operands, up to the first that differs",
      "check batch.json --rtol 1e-4");
  CheckOptions check_options;
  checking->add_option("FILE", file, "the dump")->required();
  add_setup(*checking, setup, false);
  checking
      ->add_option("--rtol", check_options.relative,
                   "relative tolerance; default that of torch.testing for the dtype, more for "
                   "sums of many")
      ->check(CLI::NonNegativeNumber);
  checking->add_option("--atol", check_options.absolute, "absolute tolerance, likewise")
      ->check(CLI::NonNegativeNumber);

  CLI::App* finding = add_command(
      app, "nan", "The first node that made a NaN or an infinity out of operands that had none",
      "nan batch.json");
  finding->add_option("FILE", file, "the dump")->required();
  add_setup(*finding, setup, true);

  CLI::App* counting = add_command(
      app, "stats", "Ops, bytes, a flops estimate, peak memory, what is fused", "stats batch.json");
  counting->add_option("FILE", file, "the dump")->required();

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kFine : kBroken;
  }
  if (!complaint.empty()) fail(complaint);
  if (file.empty()) {
    std::fputs("rt_graph_dump: which dump? --help tells more\n", stderr);
    return kBroken;
  }
  Subject subject = load(file);
  if (*diffing) return diff(subject, load(other), most);
  if (*running) return run(subject, run_options, setup);
  if (*checking) return check(subject, check_options, setup);
  if (*finding) return nan(subject, setup);
  if (*counting) return stats(subject);
  if (*html) return page(subject, paging, setup);
  return print(subject, printing, setup);
}

}  // namespace
}  // namespace rt::tool

int main(int argc, char** argv) {
  try {
    return rt::tool::run_tool(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "rt_graph_dump: %s\n", error.what());
    return rt::tool::kBroken;
  }
}
