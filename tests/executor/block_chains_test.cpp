// block_chains_test.cpp -- chains do not change results: compares random programs with their
// instructions, run one by one.
#include <algorithm>

#include "elementwise/interpreter.h"
#include "fallback_cpu/parallel.h"
#include "tests/executor/simd_rig.h"

namespace rt::cpu {
namespace {

constexpr int64_t kScalars[] = {std::bit_cast<int64_t>(0.75), std::bit_cast<int64_t>(-1.25)};

/// Registers as bytes, all of one count of elements.
using Elements = std::vector<std::vector<char>>;

struct Drawn {
  BlockProgram program;
  uint32_t inputs = 0;
};

/// A program whose instructions read recent results, mostly the last one. Its dtype changes
/// sometimes.
Drawn draw_program(std::mt19937_64& draw, uint32_t length) {
  std::vector<Op> floats;
  for (const OpInfo& row : all_ops())
    if (row.rules.kernel == Kernel::Elementwise && computes(row.op, DType::F32) &&
        row.op != Op::Cast)
      floats.push_back(row.op);
  Drawn drawn;
  BlockProgram& program = drawn.program;
  for (const DType dtype : {DType::F32, DType::F32, DType::F64, DType::Bool})
    program.registers.push_back(dtype);
  drawn.inputs = program.registers.size();
  const auto pick = [&](DType dtype) {
    std::vector<uint16_t> late;
    for (uint32_t i = program.registers.size(); i-- > 0 && late.size() < 5;)
      if (program.registers[i] == dtype) late.push_back(static_cast<uint16_t>(i));
    return draw() % 5 < 3 ? late.front() : late[draw() % late.size()];
  };
  DType dtype = DType::F32;
  while (program.code.size() < length) {
    BlockProgram::Instruction made{Op::Cast,
                                   static_cast<uint16_t>(program.registers.size()),
                                   {},
                                   static_cast<uint16_t>(draw() % 2)};
    if (draw() % 10 == 0) {
      const DType to = dtype == DType::F32 ? DType::F64 : DType::F32;
      made.sources[0] = pick(std::exchange(dtype, to));
      program.registers.push_back(to);
    } else {
      // Bools are seldom read, and what nothing reads keeps its register.
      do made.op = floats[draw() % floats.size()];
      while (gives_bools(made.op) && draw() % 8 > 0);
      for (uint32_t k = 0; k < block_operands(made.op); ++k)
        made.sources[k] = pick(made.op == Op::Where && k == 0 ? DType::Bool : dtype);
      program.registers.push_back(gives_bools(made.op) ? DType::Bool : dtype);
    }
    program.code.push_back(made);
    if (program.code.size() == length || (draw() % 8 == 0 && program.outputs.size() < 12))
      program.outputs.push_back(made.target);
  }
  return drawn;
}

/// Runs the program over the first `count` elements of each input. The input `repeated` repeats its
/// first element, if there is such an input.
Elements run_whole(const Drawn& drawn, const Elements& inputs, int64_t count, size_t repeated,
                   int threads) {
  const BlockProgram& program = drawn.program;
  const int64_t sizes[] = {count}, along[] = {1}, none[] = {0};
  std::vector<ElementSource> sources;
  for (uint32_t i = 0; i < drawn.inputs; ++i)
    sources.push_back({inputs[i].data(), program.registers[i], i == repeated ? none : along});
  Elements results;
  std::vector<char*> outputs;
  for (const uint16_t output : program.outputs)
    results.emplace_back(static_cast<size_t>(count * item_size(program.registers[output])));
  for (auto& result : results) outputs.push_back(result.data());
  run_blocks(program, sizes, sources, kScalars, outputs, own_team(threads));
  return results;
}

Elements run_one_by_one(const Drawn& drawn, const Elements& inputs, int64_t count,
                        size_t repeated) {
  const BlockProgram& program = drawn.program;
  Elements values = inputs;
  for (const BlockProgram::Instruction& from : program.code) {
    Drawn one;
    Elements taken;
    BlockProgram::Instruction made{from.op, 0, {}, from.scalar};
    size_t same = SIZE_MAX;
    for (uint32_t k = 0; k < block_operands(from.op); ++k) {
      made.sources[k] = static_cast<uint16_t>(k);
      one.program.registers.push_back(program.registers[from.sources[k]]);
      taken.push_back(values[from.sources[k]]);
      if (from.sources[k] == repeated && repeated < drawn.inputs) {
        const auto item = static_cast<size_t>(item_size(program.registers[from.sources[k]]));
        for (size_t at = item; at < taken[k].size(); at += item)
          std::memcpy(taken[k].data() + at, taken[k].data(), item);
      }
    }
    one.inputs = one.program.registers.size();
    made.target = static_cast<uint16_t>(one.inputs);
    one.program.registers.push_back(program.registers[from.target]);
    one.program.code.push_back(made);
    one.program.outputs.push_back(made.target);
    values.push_back(run_whole(one, taken, count, same, 1)[0]);
  }
  Elements results;
  for (const uint16_t output : program.outputs) results.push_back(values[output]);
  return results;
}

void expect_alike(const Drawn& drawn, const Elements& inputs, int64_t count, size_t repeated,
                  int threads = 1) {
  const Elements whole = run_whole(drawn, inputs, count, repeated, threads);
  const Elements wanted = run_one_by_one(drawn, inputs, count, repeated);
  for (size_t i = 0; i < whole.size(); ++i) {
    const DType dtype = drawn.program.registers[drawn.program.outputs[static_cast<uint32_t>(i)]];
    ASSERT_TRUE(bits_of(whole[i], dtype) == bits_of(wanted[i], dtype))
        << "output " << i << " of " << count << " elements";
  }
}

Elements draw_inputs(const Drawn& drawn, int64_t count, uint64_t seed) {
  Elements inputs;
  for (uint32_t i = 0; i < drawn.inputs; ++i)
    inputs.push_back(numbers(drawn.program.registers[i], count, seed + i));
  return inputs;
}

TEST(BlockChains, DoNotShowInTheResults) {
  for_targets([] {
    for (uint64_t seed = 0; seed < 60; ++seed) {
      SCOPED_TRACE(seed);
      std::mt19937_64 draw(seed);
      const Drawn drawn = draw_program(draw, 1 + draw() % 60);
      // Less than a tile, whole tiles, a tile and a rest, more than a block.
      for (const int64_t count : {1, 31, 63, 64, 65, 128, 200, 5000})
        expect_alike(drawn, draw_inputs(drawn, count, seed), count, draw() % (drawn.inputs + 1));
    }
  });
}

TEST(BlockChains, OfManyThreadsAreTheSame) {
  std::mt19937_64 draw(77);
  const Drawn drawn = draw_program(draw, 40);
  constexpr int64_t kCount = 100'003;
  expect_alike(drawn, draw_inputs(drawn, kCount, 1), kCount, SIZE_MAX, 3);
}

TEST(BlockChains, AnOutputMayLieOverASource) {
  for_targets([] {
    for (uint64_t seed = 100; seed < 130; ++seed) {
      SCOPED_TRACE(seed);
      std::mt19937_64 draw(seed);
      const Drawn drawn = draw_program(draw, 1 + draw() % 30);
      const BlockProgram& program = drawn.program;
      const uint16_t output = program.outputs[0];
      const uint32_t over = program.registers[output] == DType::F64 ? 2 : 0;
      if (program.registers[output] != program.registers[over]) continue;
      for (const int64_t count : {1, 63, 64, 100, 5001, 40'000}) {
        const Elements inputs = draw_inputs(drawn, count, seed);
        Elements changed = inputs, results = run_whole(drawn, inputs, count, SIZE_MAX, 1), others;
        const int64_t sizes[] = {count}, along[] = {1};
        std::vector<ElementSource> sources;
        for (uint32_t i = 0; i < drawn.inputs; ++i)
          sources.push_back({changed[i].data(), program.registers[i], along, i == over});
        std::vector<char*> outputs;
        for (size_t i = 0; i < results.size(); ++i) {
          others.emplace_back(results[i].size());
          outputs.push_back(i == 0 ? changed[over].data() : others[i].data());
        }
        run_blocks(program, sizes, sources, kScalars, outputs, own_team(2));
        others[0] = changed[over];
        for (size_t i = 0; i < results.size(); ++i) {
          const DType dtype = program.registers[program.outputs[static_cast<uint32_t>(i)]];
          ASSERT_TRUE(bits_of(others[i], dtype) == bits_of(results[i], dtype)) << "output " << i;
        }
      }
    }
  });
}

/// Reads each sum again: a chain keeps each operand's register to its end, and there are too few.
TEST(BlockChains, EndWherePlacesRunOut) {
  Drawn drawn;
  BlockProgram& program = drawn.program;
  drawn.inputs = 2;
  program.registers.push_back(DType::F32);
  program.registers.push_back(DType::F32);
  const auto add = [&](uint16_t a, uint16_t b) {
    const auto target = static_cast<uint16_t>(program.registers.size());
    program.registers.push_back(DType::F32);
    program.code.push_back({Op::Add, target, {a, b}, 0});
    return target;
  };
  // In each of five rounds ten values are live.
  uint16_t last = 0;
  for (int round = 0; round < 5; ++round) {
    std::vector<uint16_t> made;
    for (int i = 0; i < 10; ++i) made.push_back(add(last, i % 2 ? 1 : made.empty() ? 0 : made[0]));
    for (size_t i = made.size(); i-- > 0;) last = add(made[i], last);
  }
  program.outputs.push_back(last);
  for_targets([&] {
    for (const int64_t count : {5, 64, 1000})
      expect_alike(drawn, draw_inputs(drawn, count, 3), count, SIZE_MAX);
  });
}

}  // namespace
}  // namespace rt::cpu
