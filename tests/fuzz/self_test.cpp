// self_test.cpp -- tests the fuzzer: it covers the tables, and finds deliberate faults.
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <iostream>
#include <set>

#include "fallback_cpu/reference.h"
#include "rt_torch.h"
#include "tests/fuzz/abi_check.h"
#include "tests/fuzz/generate.h"
#include "tests/fuzz/minimise.h"
#include "tests/fuzz/spelling.h"
#include "tests/fuzz/suitable.h"

namespace rt::fuzz {
namespace {

using Verb = Instruction::Verb;

/// Changes the first element by about a thousandth, or makes it finite.
void spoil(Tensor& tensor) {
  if (!tensor.integers.empty()) tensor.integers[0] = tensor.integers[0] == 0;
  if (tensor.reals.empty()) return;
  double& first = tensor.reals[0];
  first = std::isfinite(first) && std::abs(first) < 1e30 ? first * 1.001 + 0.001 : 1;
}

/// Changes the rounding as another library may. It depends on the value alone, so that steps and
/// compiled programs agree.
void round_otherwise(Tensor& tensor) {
  for (double& value : tensor.reals) {
    const uint64_t hash = std::bit_cast<uint64_t>(value) * 0x9e3779b97f4a7c15;
    const double up = hash >> 62 == 0 ? HUGE_VAL : hash >> 62 == 1 ? -HUGE_VAL : value;
    if (value == 0 || !std::isfinite(value)) continue;
    value = tensor.dtype == DType::F32
                ? std::nextafter(static_cast<float>(value), static_cast<float>(up))
                : std::nextafter(value, up);
  }
}

/// A deviation from the reference backend.
struct Otherwise {
  bool steps, programs;  ///< applies to steps, to compiled programs
  std::function<void(Op, Tensor&)> change;
};

class Altered final : public Backend {
 public:
  explicit Altered(Otherwise otherwise) : otherwise_(std::move(otherwise)) {}
  std::string_view name() const override { return "altered"; }
  std::string version() const override { return inner_->version(); }
  int device_count() const override { return 0; }
  void run_step(const Batch& batch, uint32_t step, Frame& frame) override {
    inner_->run_step(batch, step, frame);
    if (otherwise_.steps) change(batch, step, frame);
  }
  std::unique_ptr<rt::Program> compile(const Batch& batch) override {
    return std::make_unique<Stepper>(*this, batch);
  }
  BufferRef allocate(DType dtype, Sizes sizes, Device device) override {
    return inner_->allocate(dtype, sizes, device);
  }
  BufferRef from_host(const void* data, DType dtype, Sizes sizes, Device device) override {
    return inner_->from_host(data, dtype, sizes, device);
  }
  void to_host(const Buffer& buffer, DType dtype, void* out) override {
    inner_->to_host(buffer, dtype, out);
  }
  void seed(uint64_t seed) override { inner_->seed(seed); }
  std::unique_ptr<RandomState> random_state() override { return inner_->random_state(); }
  void restore(const RandomState& state) override { inner_->restore(state); }
  void after_fork() override {}

 private:
  class Stepper final : public rt::Program {
   public:
    Stepper(Altered& owner, const Batch& batch) : owner_(owner), batch_(batch) {}
    void run(std::span<const BufferRef> inputs, std::span<const int64_t> scalars,
             std::span<BufferRef> roots) override {
      std::vector<BufferRef> values(batch_.values.size());
      for (uint32_t i = 0, next = 0; i < values.size(); ++i)
        if (batch_.is_input(i)) values[i] = inputs[next++];
      Frame frame{values, scalars};
      for (uint32_t i = 0; i < batch_.steps.size(); ++i) {
        owner_.inner_->run_step(batch_, i, frame);
        if (owner_.otherwise_.programs) owner_.change(batch_, i, frame);
      }
      for (size_t i = 0; i < roots.size(); ++i) roots[i] = values[batch_.roots[i]];
    }
    size_t bytes() const override { return batch_.bytes(); }

   private:
    Altered& owner_;
    Batch batch_;
  };

  void change(const Batch& batch, uint32_t step, Frame& frame) {
    BufferRef& result = frame.values[batch.steps[step].result];
    Tensor tensor = read(*inner_, *result);
    otherwise_.change(batch.steps[step].op, tensor);
    result = write(*inner_, tensor);
  }

  Otherwise otherwise_;
  MemoryCount memory_;
  std::unique_ptr<Backend> inner_ = make_reference_backend(memory_, 1);
};

constexpr uint64_t kMaxPrograms = 400;

/// The first failing program, minimised; an empty one if none fails.
Program hunt(Level level, const Judgement& judge) {
  for (uint64_t seed = 1; seed <= kMaxPrograms; ++seed) {
    const Program program = generate(seed, level);
    if (const auto failure = judge(program)) return minimise(program, *failure, judge);
  }
  return {};
}

bool calls(const Program& program, Op op) {
  return std::ranges::any_of(program.list, [&](const Instruction& one) {
    return one.verb == Verb::Call && one.args.op == op;
  });
}

class FuzzRows : public testing::TestWithParam<std::string> {};

TEST_P(FuzzRows, FindsARowThatIsWrong) {
  const Op op = find_op(GetParam())->op;
  MemoryCount memory;
  const auto reference = make_reference_backend(memory, 1);
  const auto spoil_row = [&](Op at, Tensor& tensor) {
    if (at == op) spoil(tensor);
  };
  for (const bool in_steps : {true, false}) {
    Altered broken({.steps = in_steps, .programs = true, .change = spoil_row});
    Tally tally;
    const Program small = hunt(Level::Batch, [&](const Program& program) {
      return check_batch(program, broken, *reference, tally);
    });
    // Only the call and its data are left.
    EXPECT_TRUE(calls(small, op)) << "not found in " << kMaxPrograms << " programs";
    EXPECT_LE(small.list.size(), std::max<size_t>(5, info(op).tensors + 1)) << to_c(small);
  }
}

std::vector<std::string> row_names() {
  std::vector<std::string> names;
  for (const OpInfo& row : all_ops())
    if (!shares_nothing(row.op)) names.emplace_back(row.name);
  return names;
}

INSTANTIATE_TEST_SUITE_P(Table, FuzzRows, testing::ValuesIn(row_names()),
                         [](const auto& test) { return test.param; });

TEST(FuzzSelf, AllowsABackendThatRoundsOtherwise) {
  const auto change = [](Op op, Tensor& tensor) {
    constexpr Kernel kRounding[] = {Kernel::None,    Kernel::Elementwise, Kernel::Reduce,
                                    Kernel::Softmax, Kernel::Matmul,      Kernel::NllLoss};
    if (std::ranges::find(kRounding, info(op).rules.kernel) != std::end(kRounding) &&
        op != Op::Neg && op != Op::Cast)
      round_otherwise(tensor);
  };
  MemoryCount memory;
  const auto reference = make_reference_backend(memory, 1);
  Altered other({.steps = true, .programs = true, .change = change});
  Tally tally;
  const Judgement judge = [&](const Program& program) {
    return check_batch(program, other, *reference, tally);
  };
  for (uint64_t seed = 1; seed <= kMaxPrograms; ++seed) {
    const Program program = generate(seed, Level::Batch);
    if (const auto failure = judge(program)) ADD_FAILURE() << report(program, *failure, judge);
  }
  EXPECT_GT(tally.by_slack, 0);
  EXPECT_LT(tally.excused_roots, tally.roots / 2);
}

TEST(FuzzSelf, FindsWhatDiffersBetweenPolicies) {
  const auto tamper = [](const Program& program, const Round& round, Trace& trace) {
    if (round.policy != "data" || round.repeat != 1) return;
    for (size_t i = 0; i < trace.size(); ++i)
      if (program.list[i].verb == Verb::Call && program.list[i].args.op == Op::Tanh &&
          trace[i].value)
        spoil(*trace[i].value);
  };
  Tally tally;
  const Program small = hunt(Level::Abi, [&](const Program& program) {
    return check_abi(program, {"reference"}, tally, tamper);
  });
  EXPECT_TRUE(calls(small, Op::Tanh));
  EXPECT_LE(small.list.size(), 2U) << to_c(small);
}

TEST(FuzzSelf, FindsMessagesThatDiffer) {
  const auto tamper = [](const Program&, const Round& round, Trace& trace) {
    for (Sight& sight : trace)
      if (round.policy == "eager" && sight.failed && !sight.at_run) sight.message += "!";
  };
  Tally tally;
  const Program small = hunt(Level::Abi, [&](const Program& program) {
    return check_abi(program, {"reference"}, tally, tamper);
  });
  ASSERT_FALSE(small.list.empty());
  Outline outline;
  // The call of batch_norm refuses more than inference does.
  EXPECT_TRUE(calls(small, Op::BatchNorm) ||
              std::ranges::any_of(small.list, [&](const auto& one) { return !outline.add(one); }))
      << to_c(small);
  EXPECT_LE(small.list.size(), 5U) << to_c(small);
}

TEST(FuzzSelf, RunsCompiledProgramsThroughTheAbi) {
  ASSERT_TRUE(choose_backend("reference"));
  const int64_t hits = rt_torch_stat("cache_hits");
  Tally tally;
  for (uint64_t seed = 1; seed <= 20; ++seed)
    EXPECT_FALSE(check_abi(generate(seed, Level::Abi), {"reference"}, tally));
  EXPECT_GT(rt_torch_stat("cache_hits"), hits + 20);
}

TEST(FuzzSelf, DrawsEveryFunctionThatRecords) {
  std::set<std::string_view> missing;
  for (const Spelling& spelling : spellings()) {
    // Programs stay on the CPU.
    const bool cuda = std::ranges::any_of(spelling.arguments, [](std::string_view argument) {
      return argument.starts_with("cuda_device(");
    });
    if (!cuda) missing.insert(spelling.symbol);
  }
  int64_t refused = 0, taken = 0;
  for (uint64_t seed = 1; seed <= 300 || (seed <= 10'000 && !missing.empty()); ++seed) {
    Outline outline;
    for (const Instruction& one : generate(seed, Level::Abi).list) {
      const bool accepted = outline.add(one);
      if (one.verb != Verb::Call) continue;
      missing.erase(one.symbol);
      ++(accepted ? taken : refused);
    }
  }
  for (const std::string_view symbol : missing) ADD_FAILURE() << symbol;
  EXPECT_GT(refused, taken / 100);
  EXPECT_LT(refused, taken / 10);
}

/// Programs that give only NaNs or only failures would agree with anything.
TEST(FuzzSelf, ProgramsComputeNumbers) {
  MemoryCount memory;
  const auto reference = make_reference_backend(memory, 1);
  int64_t tensors = 0, finite = 0, missing = 0;
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    const Form form = to_batch(generate(seed, Level::Batch), false);
    const std::vector<BufferRef> values = run_steps(*reference, form, seed);
    for (const Batch::Step& step : form.batch.steps) {
      ++tensors;
      if (!values[step.result]) ++missing;
      else if (std::ranges::all_of(read(*reference, *values[step.result]).reals,
                                   [](double value) { return std::isfinite(value); }))
        ++finite;
    }
  }
  EXPECT_LT(missing, tensors / 10);
  EXPECT_GT(finite, tensors * 6 / 10);
  std::cout << tensors << " results, " << finite << " finite, " << missing << " missing\n";
}

TEST(FuzzSelf, OneSeedIsOneProgram) {
  EXPECT_EQ(to_c(generate(7, Level::Abi)), to_c(generate(7, Level::Abi)));
  EXPECT_NE(to_c(generate(7, Level::Abi)), to_c(generate(8, Level::Abi)));
}

}  // namespace
}  // namespace rt::fuzz
