// main.cpp -- rt_mutation: changes the rows of the op table one by one, and reports the changes
// that the golden cases do not notice.
#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <iostream>
#include <random>

#include "tests/mutation/mutation.h"
#include "tests/mutation/training.h"
#include "tests/support/golden.h"

namespace rt_test {
namespace {

struct Options {
  std::string row, kind, cases;
  int64_t sample = -1;
  uint64_t seed = 0;
  bool gradients = false;
  bool list = false;
};

enum class Verdict { Noticed, Crashed, Survived, NoCase, NotApplicable };

using Cases = std::vector<const Json*>;

std::string name_of(const Json& one) {
  return one.value("symbol", "training") + "/" + one["name"].get<std::string>();
}

bool passes(const Json& one) {
  testing::TestPartResultArray failures;
  const testing::ScopedFakeTestPartResultReporter reporter(
      testing::ScopedFakeTestPartResultReporter::INTERCEPT_ALL_THREADS, &failures);
  try {
    if (!one.contains("symbol")) {
      train(one);
    } else {
      Run run(one);
      run.record();
      run.drop_operands();
      run.read(ReadOrder::DataFirst);
      compare(run.outcome(), one);
    }
  } catch (const std::exception&) {
    return false;  // an operand could not be created
  }
  return failures.size() == 0;
}

// ---- One mutation -----------------------------------------------------------

enum ExitCode { kNoticed = 10, kSurvived, kNeverApplied };

[[noreturn]] void try_in_child(const Mutation& mutation, const Cases& cases, const Seen& seen) {
  const rlimit no_core{0, 0};
  setrlimit(RLIMIT_CORE, &no_core);
  alarm(120);  // a mutated rule may loop forever
  if (!std::freopen("/dev/null", "w", stderr)) _exit(kNoticed);
  activate(&mutation);
  for (const size_t number : seen.cases)
    if (!passes(*cases[number])) _exit(kNoticed);
  _exit(applied() ? kSurvived : kNeverApplied);
}

/// Runs in a child, because a mutation may corrupt memory. A crash counts as noticed.
Verdict try_out(const Mutation& mutation, const Cases& cases, const Seen& seen) {
  const pid_t child = fork();
  if (child < 0) throw std::runtime_error("no process could be made");
  if (child == 0) try_in_child(mutation, cases, seen);
  int status = 0;
  waitpid(child, &status, 0);
  switch (WIFEXITED(status) ? WEXITSTATUS(status) : 0) {
    case kNoticed: return Verdict::Noticed;
    case kSurvived: return Verdict::Survived;
    case kNeverApplied: return mutation.variant.certain ? Verdict::NoCase : Verdict::NotApplicable;
    default: return Verdict::Crashed;
  }
}

// ---- All of them ------------------------------------------------------------

/// Sets `called` to the count of cases, at the front, that call rows by name.
Cases matching_cases(const std::string& text, size_t& called) {
  Cases matching;
  for (const auto& [symbol, list] : golden_cases())
    for (const Json& one : list)
      if (name_of(one).find(text) != std::string::npos) matching.push_back(&one);
  called = matching.size();
  for (const Json& one : training_cases())
    if (name_of(one).find(text) != std::string::npos) matching.push_back(&one);
  return matching;
}

/// Runs all cases without a mutation; false if one fails.
bool observe(const Cases& cases, SeenRows& seen) {
  bool all_pass = true;
  for (size_t i = 0; i < cases.size(); ++i) {
    observe_into(&seen, i);
    if (passes(*cases[i])) continue;
    std::cerr << "rt_mutation: " << name_of(*cases[i]) << " fails with nothing mutated\n";
    all_pass = false;
  }
  observe_into(nullptr, 0);
  return all_pass;
}

/// False for copies between devices, which need two of them.
bool can_run_here(const rt::OpInfo& row) {
  return !takes_tensors(row) || row.params.back().kind != rt::Kind::Device;
}

/// True if clients record the row by a call, and not only by taking gradients.
bool is_called(const Seen& seen, size_t called) {
  return std::ranges::any_of(seen.cases, [&](size_t number) { return number < called; });
}

std::vector<Mutation> wanted_mutations(const Options& options, SeenRows& seen, size_t called) {
  std::vector<Mutation> wanted;
  for (const rt::OpInfo& row : rt::all_ops()) {
    if (!options.gradients && options.row.empty() && !is_called(seen[row.op], called)) continue;
    if (!can_run_here(row) || (!options.row.empty() && row.name != options.row)) continue;
    for (const auto kinds : {step_kinds(), infer_kinds()})
      for (const MutationKind& kind : kinds)
        for (const Variant& variant : kind.variants(row, seen[row.op])) {
          Mutation mutation{row, kind, variant};
          const std::string text = mutation.kind_text();
          if (options.kind.empty() || options.kind == kind.name || options.kind == text)
            wanted.push_back(std::move(mutation));
        }
  }
  return wanted;
}

/// A sample of `options.sample` mutations in table order, determined by the seed.
std::vector<const Mutation*> sample(const std::vector<Mutation>& all, const Options& options) {
  std::vector<const Mutation*> chosen;
  std::mt19937_64 random(options.seed);
  const size_t count = options.sample < 0 ? all.size() : static_cast<size_t>(options.sample);
  size_t missing = std::min(count, all.size());
  for (size_t left = all.size(); left > 0; --left) {
    if (random() % left >= missing) continue;
    chosen.push_back(&all[all.size() - left]);
    --missing;
  }
  return chosen;
}

std::string_view text_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::Noticed: return "noticed";
    case Verdict::Crashed: return "noticed, by a crash,";
    case Verdict::Survived: return "SURVIVED";
    case Verdict::NoCase: return "SURVIVED, for no case comes by,";
    case Verdict::NotApplicable: return "not applicable";
  }
  return {};
}

/// Returns the exit status: 1 if a mutation survived.
int report(const std::vector<const Mutation*>& mutations, const Cases& cases, SeenRows& seen) {
  std::map<Verdict, int> counts;
  for (const Mutation* mutation : mutations) {
    const Verdict verdict = try_out(*mutation, cases, seen[mutation->row.op]);
    ++counts[verdict];
    std::cout << text_of(verdict) << ' ' << mutation->row.name << ' ' << mutation->kind_text()
              << std::endl;
  }
  const int noticed = counts[Verdict::Noticed] + counts[Verdict::Crashed];
  const int survived = counts[Verdict::Survived] + counts[Verdict::NoCase];
  std::cout << noticed << " noticed, " << survived << " survived, "
            << counts[Verdict::NotApplicable] << " not applicable\n";
  return survived > 0 ? 1 : 0;
}

int run(const Options& options) {
  size_t called = 0;
  const Cases cases = matching_cases(options.cases, called);
  SeenRows seen;
  if (!observe(cases, seen)) return 2;
  std::cout << cases.size() << " cases pass with nothing mutated\n";
  const std::vector<Mutation> all = wanted_mutations(options, seen, called);
  if (all.empty()) throw std::runtime_error("there is no such mutation");
  const std::vector<const Mutation*> chosen = sample(all, options);
  if (!options.list) return report(chosen, cases, seen);
  for (const Mutation* mutation : chosen)
    std::cout << mutation->row.name << ' ' << mutation->kind_text() << '\n';
  return 0;
}

}  // namespace
}  // namespace rt_test

int main(int argc, char** argv) {
  CLI::App app(
      "Changes the rows of the op table one by one and tells whether the golden cases "
      "notice. Exit status: 0 all noticed, 1 some survived, 2 the cases fail as it is.");
  rt_test::Options options;
  app.add_option("--row", options.row, "Only this row, by its name in dumps");
  app.add_option("--kind", options.kind, "Only this kind, such as element or element:f32");
  app.add_option("--cases", options.cases, "Only cases whose symbol/name contains this text");
  app.add_option("--sample", options.sample, "Only so many of the mutations, chosen by the seed");
  app.add_option("--seed", options.seed, "Which ones --sample chooses");
  app.add_flag("--gradients", options.gradients,
               "Also rows that only gradients and optimizers record");
  app.add_flag("--list", options.list, "Print the mutations and try none");
  CLI11_PARSE(app, argc, argv);
  // One thread, because a forked child has only one.
  setenv("RT_TORCH_BACKEND", "reference", 1);
  setenv("RT_TORCH_THREADS", "1", 1);
  setenv("RT_TORCH_POLICY", "observe", 1);
  try {
    return rt_test::run(options);
  } catch (const std::exception& error) {
    std::cerr << "rt_mutation: " << error.what() << '\n';
    return 2;
  }
}
