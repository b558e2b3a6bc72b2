// fuzz_test.cpp -- 500 random programs from consecutive seeds: half run as batches on two backends,
// half through the C ABI under every policy. FUZZ_PROGRAMS sets the count of programs of each test,
// FUZZ_SEED the first seed:
//   FUZZ_SEED=1234 FUZZ_PROGRAMS=1 rt_test_fuzz --gtest_filter='*Batches*'   one program again
//   FUZZ_SEED=$RANDOM FUZZ_PROGRAMS=100000 rt_test_fuzz --gtest_filter='*/0' many new ones
// A failure prints its seed and a minimised program as C calls.
#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>

#include "executor/libtorch/libtorch.h"
#include "fallback_cpu/reference.h"
#include "tests/fuzz/abi_check.h"
#include "tests/fuzz/generate.h"
#include "tests/fuzz/minimise.h"

namespace rt::fuzz {
namespace {

constexpr int kTests = 5;
constexpr int64_t kPrograms = 500 / (2 * kTests);

int64_t from_environment(const char* name, int64_t otherwise) {
  const char* text = std::getenv(name);
  return text && *text ? std::strtoll(text, nullptr, 10) : otherwise;
}

void print(const Tally& tally) {
  std::cout << tally.programs << " programs, " << tally.steps << " calls, " << tally.failing_steps
            << " of them failing; " << tally.roots << " results, " << tally.excused_roots
            << " not comparable; " << tally.by_slack << " beyond the tolerance but explained\n";
}

void run(int64_t share, Level level, const Judgement& judge) {
  const int64_t programs = from_environment("FUZZ_PROGRAMS", kPrograms);
  const int64_t first = from_environment("FUZZ_SEED", 1 + share * kPrograms);
  for (int64_t i = 0; i < programs; ++i) {
    const Program program = generate(static_cast<uint64_t>(first + i), level);
    if (const auto failure = judge(program)) ADD_FAILURE() << report(program, *failure, judge);
  }
}

/// libtorch; null if it is missing or RT_TORCH_BACKEND excludes it.
std::unique_ptr<Backend> libtorch(MemoryCount& memory) {
  const char* wanted = std::getenv("RT_TORCH_BACKEND");
  const bool required = wanted && std::string_view(wanted) == "libtorch";
  if (wanted && std::string_view(wanted) == "reference") return nullptr;
  try {
    return make_libtorch_backend(memory, 1, "");
  } catch (const Error& error) {
    EXPECT_FALSE(required) << error.text();
    return nullptr;
  }
}

class Fuzz : public testing::TestWithParam<int> {
 protected:
  MemoryCount memory_;
  std::unique_ptr<Backend> libtorch_ = libtorch(memory_);
};

TEST_P(Fuzz, BatchesAgreeStepByStepAndCompiled) {
  const auto reference = make_reference_backend(memory_, 1);
  const auto threaded = make_reference_backend(memory_, 0);
  Tally tally;
  run(GetParam(), Level::Batch, [&](const Program& program) {
    std::optional<Failure> failure = check_batch(program, *threaded, *reference, tally);
    if (!failure && libtorch_) failure = check_batch(program, *libtorch_, *reference, tally);
    return failure;
  });
  print(tally);
}

TEST_P(Fuzz, ProgramsAgreeUnderEveryPolicy) {
  std::vector<std::string> backends = {"reference"};
  if (libtorch_) backends.push_back("libtorch");
  else std::cout << "no libtorch: lazy against eager on the reference backend alone\n";
  Tally tally;
  run(kTests + GetParam(), Level::Abi,
      [&](const Program& program) { return check_abi(program, backends, tally); });
  print(tally);
}

INSTANTIATE_TEST_SUITE_P(Seeds, Fuzz, testing::Range(0, kTests));

}  // namespace
}  // namespace rt::fuzz
