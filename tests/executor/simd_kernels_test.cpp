// simd_kernels_test.cpp -- results depend on the operands alone: not on the position in a block,
// the length, the other ops of a program or the threads; folds not on the instruction set either.
#include <numeric>
#include <random>

#include "elementwise/fold_kernels.h"
#include "elementwise/interpreter.h"
#include "fallback_cpu/parallel.h"
#include "tests/executor/reference_rig.h"
#include "tests/executor/simd_rig.h"

namespace rt::cpu {
namespace {

struct Case {
  Op op;
  DType dtype;
};
/// Every elementwise op with each dtype that it computes in.
std::vector<Case> cases() {
  std::vector<Case> list;
  for (const OpInfo& row : all_ops())
    if (row.rules.kernel == Kernel::Elementwise && row.op != Op::Cast)
      for (const DType dtype : kComputed)
        if (computes(row.op, dtype)) list.push_back({row.op, dtype});
  return list;
}

const int64_t kScalars[] = {std::bit_cast<int64_t>(1.7)};

constexpr size_t kNone = SIZE_MAX;

/// Runs a program over n elements of each input from `from` on; the input `repeated` repeats its
/// first element. Returns the last output.
std::vector<uint64_t> run(const BlockProgram& program, const std::vector<std::vector<char>>& inputs,
                          int64_t from, int64_t n, size_t repeated = kNone, int threads = 1) {
  const int64_t sizes[] = {n};
  const int64_t along[] = {1}, none[] = {0};
  std::vector<ElementSource> sources;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const DType dtype = program.registers[static_cast<uint32_t>(i)];
    const bool same = i == repeated;
    sources.push_back(
        {inputs[i].data() + (same ? 0 : from * item_size(dtype)), dtype, same ? none : along});
  }
  std::vector<std::vector<char>> results;
  std::vector<char*> outputs;
  DType dtype{};
  for (const uint8_t output : program.outputs) {
    dtype = program.registers[output];
    results.emplace_back(static_cast<size_t>(n * item_size(dtype)));
  }
  for (auto& result : results) outputs.push_back(result.data());
  run_blocks(program, sizes, sources, kScalars, outputs, own_team(threads));
  return bits_of(results.back(), dtype);
}

/// The dtype of an operand.
DType operand_dtype(const Case& one, size_t operand) {
  return one.op == Op::Where && operand == 0 ? DType::Bool : one.dtype;
}
DType result_dtype(const Case& one) { return gives_bools(one.op) ? DType::Bool : one.dtype; }

BlockProgram single(const Case& one) {
  const uint8_t count = info(one.op).tensors;
  BlockProgram program;
  for (size_t i = 0; i < count; ++i) program.registers.push_back(operand_dtype(one, i));
  program.registers.push_back(result_dtype(one));
  program.code.push_back({one.op, count, {0, 1, 2}, 0});
  program.outputs.push_back(count);
  return program;
}

std::vector<std::vector<char>> inputs_of(const Case& one, int64_t count) {
  std::vector<std::vector<char>> inputs;
  for (size_t i = 0; i < info(one.op).tensors; ++i)
    inputs.push_back(numbers(operand_dtype(one, i), count, 7 + i));
  return inputs;
}

TEST(SimdKernels, AnElementDependsOnItsOperandsAlone) {
  constexpr int64_t kAll = 300;
  for_targets([&] {
    for (const Case& one : cases()) {
      SCOPED_TRACE(std::string(info(one.op).name) + " " + std::string(name(one.dtype)));
      const auto inputs = inputs_of(one, kAll);
      const BlockProgram program = single(one);
      const auto all = run(program, inputs, 0, kAll);
      for (int64_t n = 0; n <= 70; ++n)
        for (const int64_t from : {0, 1, 3, 64}) {
          const auto part = run(program, inputs, from, n);
          ASSERT_TRUE(std::equal(part.begin(), part.end(), all.begin() + from))
              << n << " elements from " << from;
        }
    }
  });
}

TEST(SimdKernels, OneElementForAllIsAsGoodAsManyEqualOnes) {
  constexpr int64_t kAll = 77;
  for_targets([&] {
    for (const Case& one : cases()) {
      if (info(one.op).tensors == 1) continue;
      SCOPED_TRACE(std::string(info(one.op).name) + " " + std::string(name(one.dtype)));
      for (size_t operand = 0; operand < info(one.op).tensors; ++operand) {
        auto inputs = inputs_of(one, kAll);
        auto& equal = inputs[operand];
        const auto item = static_cast<size_t>(item_size(operand_dtype(one, operand)));
        for (size_t at = item; at < equal.size(); at += item)
          std::memcpy(equal.data() + at, equal.data(), item);
        const BlockProgram program = single(one);
        for (const int64_t n : {1, 5, 77})
          EXPECT_EQ(run(program, inputs, 0, n), run(program, inputs, 0, n, operand));
      }
    }
  });
}

TEST(SimdKernels, LongProgramsAndThreadsDoNotShow) {
  constexpr int64_t kAll = 70001;
  for (const Case& one : cases()) {
    SCOPED_TRACE(std::string(info(one.op).name) + " " + std::string(name(one.dtype)));
    const auto inputs = inputs_of(one, kAll);
    const BlockProgram alone = single(one);
    const auto wanted = run(alone, inputs, 0, kAll);
    EXPECT_TRUE(run(alone, inputs, 0, kAll, kNone, 2) == wanted);
    // Operands in registers: a multiplication computes each of them.
    if (one.dtype != DType::F32 && one.dtype != DType::F64) continue;
    const uint8_t count = info(one.op).tensors;
    BlockProgram program;
    for (int round = 0; round < 2; ++round)
      for (size_t i = 0; i < count; ++i) program.registers.push_back(operand_dtype(one, i));
    program.registers.push_back(result_dtype(one));
    BlockProgram::Instruction last{one.op, static_cast<uint8_t>(2 * count), {}, 0};
    for (uint8_t i = 0; i < count; ++i) {
      last.sources[i] = static_cast<uint8_t>(count + i);
      program.code.push_back({Op::Mul, last.sources[i], {i, i}, 0});
    }
    program.code.push_back(last);
    program.outputs.push_back(last.target);
    auto squares = inputs;
    for (size_t i = 0; i < count; ++i) {
      const DType dtype = operand_dtype(one, i);
      const int64_t sizes[] = {kAll}, along[] = {1};
      const ElementSource source{inputs[i].data(), dtype, along};
      const ElementSource sources[] = {source, source};
      char* const out[] = {squares[i].data()};
      run_blocks(single({Op::Mul, dtype}), sizes, sources, {}, out, {});
    }
    EXPECT_TRUE(run(program, inputs, 0, kAll) == run(alone, squares, 0, kAll));
  }
}

template <class T>
std::vector<T> ordinary(size_t count) {
  std::mt19937_64 draw(3);
  std::vector<T> list(count);
  for (T& value : list) value = static_cast<T>(static_cast<double>(draw() % 2000001) / 1e4 - 100);
  return list;
}

/// Results of the fold kernels, to be compared among instruction sets.
template <class T>
std::vector<uint64_t> fold_bits(Fold kind, DType dtype) {
  const std::vector<T> in = ordinary<T>(3000);
  const FoldKernels kernels = fold_kernels(kind, dtype);
  std::vector<uint64_t> bits;
  for (const int64_t n : {0, 1, 2, 3, 7, 8, 31, 32, 33, 63, 64, 65, 100, 1000, 2999}) {
    uint64_t attr = 0;
    kernels.run(n, in.data() + 1, 3.25, &attr);
    bits.push_back(attr);
  }
  for (const int64_t n : {1, 3, 4, 8, 17, 100}) {
    std::vector<uint64_t> attributes(static_cast<size_t>(n));
    const std::vector<double> shifts(static_cast<size_t>(n), 1.5);
    kernels.columns(27, 111, n, in.data(), shifts.data(), attributes.data());
    bits.insert(bits.end(), attributes.begin(), attributes.end());
  }
  return bits;
}

TEST(SimdFolds, AreTheSameBitsWithEveryInstructionSet) {
  for (const Fold kind :
       {Fold::Sum, Fold::Squares, Fold::Deviations, Fold::Largest, Fold::Smallest}) {
    std::vector<uint64_t> floats, doubles;
    for_targets([&] {
      const auto now = fold_bits<float>(kind, DType::F32);
      const auto wide = fold_bits<double>(kind, DType::F64);
      if (floats.empty()) floats = now, doubles = wide;
      EXPECT_EQ(now, floats);
      EXPECT_EQ(wide, doubles);
    });
  }
}

TEST(SimdFolds, SumSquaresAndDeviationsAreThose) {
  const std::vector<float> in = ordinary<float>(3000);
  for (const int64_t n : {0, 1, 5, 31, 32, 40, 64, 2999}) {
    double sum = 0, squares = 0, deviations = 0, result = 0;
    for (int64_t i = 0; i < n; ++i) {
      const double x = in[static_cast<size_t>(i)];
      sum += x;
      squares += x * x;
      deviations += (x - 2.5) * (x - 2.5);
    }
    fold_kernels(Fold::Sum, DType::F32).run(n, in.data(), 0, &result);
    EXPECT_NEAR(result, sum, 1e-8);
    fold_kernels(Fold::Squares, DType::F32).run(n, in.data(), 0, &result);
    EXPECT_NEAR(result, squares, 1e-5);
    fold_kernels(Fold::Deviations, DType::F32).run(n, in.data(), 2.5, &result);
    EXPECT_NEAR(result, deviations, 1e-5);
  }
}

/// Expects that an extreme and a NaN are found at every position.
template <class T>
void expect_found(DType dtype) {
  const FoldKernels most = fold_kernels(Fold::Largest, dtype);
  const FindKernels find = find_kernels(dtype);
  for (const int64_t n : {1, 2, 31, 32, 33, 70})
    for (int64_t at = 0; at < n; ++at) {
      std::vector<T> in(static_cast<size_t>(n), T{});
      in[static_cast<size_t>(at)] = T{1};
      if (n > at + 2) in[static_cast<size_t>(at) + 2] = T{1};
      T value{};
      most.run(n, in.data(), 0, &value);
      EXPECT_EQ(value, T{1});
      EXPECT_EQ(find.run(n, in.data(), &value), at);
      if constexpr (std::is_floating_point_v<T>) {
        in[static_cast<size_t>(n / 2)] = NAN;
        most.run(n, in.data(), 0, &value);
        EXPECT_TRUE(std::isnan(value));
        EXPECT_EQ(find.run(n, in.data(), &value), n / 2);
      }
    }
}

TEST(SimdFolds, ExtremesAreFoundWhereverTheyAre) {
  for_targets([] {
    expect_found<float>(DType::F32);
    expect_found<double>(DType::F64);
    expect_found<int32_t>(DType::I32);
    expect_found<int64_t>(DType::I64);
    expect_found<int8_t>(DType::Bool);
  });
}

TEST(SimdTargets, AgreeOnSoftmaxAndProducts) {
  for (const DType dtype : {DType::F32, DType::F64}) {
    std::vector<std::vector<double>> first;
    for_targets([&] {
      test::Rig rig;
      const Value x =
          rig.step(Op::Cast, {rig.input({37, 45}, ordinary<float>(37 * 45))}, {}, {}, dtype);
      const Value small = rig.step(Op::MulScalar, {x}, {0.05});
      const Value steps[] = {
          rig.step(Op::Softmax, {small}, {0}), rig.step(Op::Softmax, {small}, {1}),
          rig.step(Op::LogSoftmax, {small}, {0}), rig.step(Op::LogSoftmax, {small}, {1}),
          rig.step(Op::Matmul, {small, rig.step(Op::T, {small})})};
      const auto values = rig.run_steps();
      for (size_t i = 0; i < std::size(steps); ++i) {
        const Buffer& result = *values[steps[i].id];
        std::vector<double> now(static_cast<size_t>(result.numel()));
        rig.backend->to_host(result, DType::F64, now.data());
        if (first.size() <= i) first.push_back(now);
        const double tolerance = dtype == DType::F32 ? 1e-4 : 1e-12;
        for (size_t k = 0; k < now.size(); ++k)
          ASSERT_NEAR(now[k], first[i][k], tolerance * std::max(1.0, std::abs(first[i][k])));
      }
    });
  }
}

}  // namespace
}  // namespace rt::cpu
