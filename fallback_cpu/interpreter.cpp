// interpreter.cpp -- the block interpreter: the walk over broadcast operands and the loop over
// instructions.
#include "fallback_cpu/interpreter.h"

#include <algorithm>
#include <array>

#include "fallback_cpu/parallel.h"

namespace rt::cpu {
namespace {

/// The walk over the outputs in row-major order, with neighbouring dimensions joined.
struct Walk {
  Shape sizes;
  int64_t inner = 1, count = 1;
  bool by_rows = true;  ///< blocks end where the innermost dimension ends
};

/// An input as the walk meets it.
struct Operand {
  enum Mode {
    kDirect,    ///< read in place: its elements follow each other as the output's do
    kSame,      ///< one element for a whole block
    kGathered,  ///< copied to its register block by block
  };
  const char* data;
  ConvertKernel convert;
  int64_t item;
  Mode mode;
  bool converted;
  int64_t* strides;  ///< along the walk's dimensions
};

struct Plan {
  Plan(const BlockProgram& program, std::span<const int64_t> scalars,
       std::span<char* const> outputs)
      : program(program), scalars(scalars), outputs(outputs) {}
  const BlockProgram& program;
  std::span<const int64_t> scalars;
  std::span<char* const> outputs;
  Walk walk;
  Small<Operand, 4> operands;
  Small<int64_t, 24> strides;                ///< of the operands, one after the other
  std::array<int64_t, kMaxRegisters> items;  ///< bytes of a register's element
  std::array<int8_t, kMaxRegisters> stored;  ///< number of the output it is, or -1
  /// How an instruction is computed.
  struct Step {
    BlockKernel kernel;  ///< nullptr: by `cast`
    ConvertKernel cast;
    uint32_t operands;
  };
  Small<Step, 4> steps;
};

/// Joins dimensions that lie evenly for all operands; writes the operands' strides.
Walk join_dims(Sizes sizes, std::span<const Source> sources, Small<Operand, 4>& operands) {
  Walk walk;
  for (size_t d = 0; d < sizes.size(); ++d) {
    walk.count *= sizes[d];
    if (sizes[d] == 1) continue;
    const uint32_t last = walk.sizes.size();
    bool even = last > 0;
    for (uint32_t i = 0; i < sources.size() && even; ++i)
      even = operands[i].strides[last - 1] == sources[i].strides[d] * sizes[d];
    if (even) walk.sizes.back() *= sizes[d];
    else walk.sizes.push_back(sizes[d]);
    for (uint32_t i = 0; i < sources.size(); ++i)
      operands[i].strides[even ? last - 1 : last] = sources[i].strides[d];
  }
  if (!walk.sizes.empty()) walk.inner = walk.sizes.back();
  // Short rows would make short blocks: then blocks run across rows, and operands are gathered.
  walk.by_rows = walk.sizes.size() < 2 || walk.inner >= kBlock / 2;
  return walk;
}

Operand::Mode mode_of(const Operand& operand, const Walk& walk) {
  const uint32_t rank = walk.sizes.size();
  if (rank == 0) return Operand::kSame;
  if (walk.by_rows) {
    const int64_t inner = operand.strides[rank - 1];
    if (inner == 0) return Operand::kSame;
    return inner == 1 && !operand.converted ? Operand::kDirect : Operand::kGathered;
  }
  const Sizes strides{operand.strides, rank};
  if (std::ranges::all_of(strides, [](int64_t stride) { return stride == 0; }))
    return Operand::kSame;
  return !operand.converted && is_contiguous(walk.sizes, strides) ? Operand::kDirect
                                                                  : Operand::kGathered;
}

int64_t offset_of(int64_t position, const Walk& walk, const Operand& operand) {
  int64_t offset = 0;
  for (uint32_t d = walk.sizes.size(); d-- > 0; position /= walk.sizes[d])
    offset += position % walk.sizes[d] * operand.strides[d];
  return offset;
}

/// Copies the operand's elements of the walk's [begin, begin + n), run by run.
void gather(const Walk& walk, const Operand& operand, int64_t item, int64_t begin, int64_t n,
            char* out) {
  Shape at;
  int64_t rest = begin, offset = 0;
  const uint32_t rank = walk.sizes.size(), last = rank - 1;
  at.resize(rank);
  for (uint32_t d = rank; d-- > 0; rest /= walk.sizes[d]) {
    at[d] = rest % walk.sizes[d];
    offset += at[d] * operand.strides[d];
  }
  for (;;) {
    const int64_t run = std::min(n, walk.inner - at[last]);
    operand.convert(run, out, operand.data + offset * operand.item, operand.strides[last]);
    n -= run;
    if (n == 0) return;
    out += run * item;
    offset += run * operand.strides[last];
    at[last] += run;
    for (uint32_t d = last; d > 0 && at[d] == walk.sizes[d]; --d) {
      offset += operand.strides[d - 1] - at[d] * operand.strides[d];
      at[d] = 0;
      ++at[d - 1];
    }
  }
}

/// The registers of one thread, and where each one's elements are for the present block.
struct Registers {
  std::array<BlockOperand, kMaxRegisters> places;
  alignas(64) char memory[kMaxRegisters][kBlock * 8];
};

template <class T>
void fill(int64_t n, char* out, const void* value) {
  T* to = reinterpret_cast<T*>(out);
  const T same = *static_cast<const T*>(value);
  for (int64_t i = 0; i < n; ++i) to[i] = same;
}

/// Computes the walk's [begin, begin + n). In a walk by rows that is part of one row.
void run_block(const Plan& plan, Registers& registers, int64_t begin, int64_t n) {
  const BlockProgram& program = plan.program;
  for (uint32_t i = 0; i < plan.operands.size(); ++i) {
    const Operand& operand = plan.operands[i];
    auto& place = registers.places[i];
    place = {registers.memory[i], operand.mode == Operand::kSame};
    if (operand.mode == Operand::kDirect) {
      const int64_t offset = plan.walk.by_rows && plan.walk.sizes.size() > 1
                                 ? offset_of(begin, plan.walk, operand)
                                 : begin;
      place.data = operand.data + offset * operand.item;
    } else if (operand.mode == Operand::kGathered) {
      gather(plan.walk, operand, plan.items[i], begin, n, registers.memory[i]);
    } else {
      const int64_t offset = offset_of(begin, plan.walk, operand);
      operand.convert(1, registers.memory[i], operand.data + offset * operand.item, 1);
    }
  }
  for (uint32_t i = 0; i < program.code.size(); ++i) {
    const auto& step = program.code[i];
    const Plan::Step& how = plan.steps[i];
    BlockOperand operands[kMostOperands];
    bool same = true;
    for (uint32_t k = 0; k < how.operands; ++k) {
      operands[k] = registers.places[step.sources[k]];
      same = same && operands[k].same;
    }
    const int output = plan.stored[step.target];
    char* const memory = registers.memory[step.target];
    char* const out = output < 0 || same ? memory
                                         : plan.outputs[static_cast<size_t>(output)] +
                                               begin * plan.items[step.target];
    const int64_t count = same ? 1 : n;
    if (how.kernel) {
      const int64_t scalar = step.scalar < plan.scalars.size() ? plan.scalars[step.scalar] : 0;
      how.kernel(count, out, operands, scalar);
    } else {
      how.cast(count, out, operands[0].data, 1);
    }
    registers.places[step.target] = {out, same};
    if (same && output >= 0) {
      const int64_t item = plan.items[step.target];
      char* const all = plan.outputs[static_cast<size_t>(output)] + begin * item;
      if (item == 8) fill<uint64_t>(n, all, memory);
      else if (item == 4) fill<uint32_t>(n, all, memory);
      else if (item == 2) fill<uint16_t>(n, all, memory);
      else fill<uint8_t>(n, all, memory);
    }
  }
}

/// Computes the walk's [begin, end), block after block.
void run_range(const Plan& plan, int64_t begin, int64_t end, int64_t block) {
  Registers registers;
  const int64_t row = plan.walk.by_rows ? plan.walk.inner : plan.walk.count;
  while (begin < end) {
    const int64_t n = std::min({block, row - begin % row, end - begin});
    run_block(plan, registers, begin, n);
    begin += n;
  }
}

/// Whether no register is used: a block may be longer than a register then.
bool registers_unused(const Plan& plan) {
  if (plan.program.code.size() != plan.program.outputs.size()) return false;
  for (const Operand& operand : plan.operands)
    if (operand.mode == Operand::kGathered) return false;
  for (const auto& step : plan.program.code)
    if (plan.stored[step.target] < 0) return false;
  return true;
}

}  // namespace

bool computes(Op op, DType dtype) { return op == Op::Cast || block_kernel(op, dtype) != nullptr; }

void run_blocks(const BlockProgram& program, Sizes sizes, std::span<const Source> sources,
                std::span<const int64_t> scalars, std::span<char* const> outputs, int threads) {
  Plan plan(program, scalars, outputs);
  const auto rank = static_cast<uint32_t>(sizes.size());
  plan.strides.resize(rank * static_cast<uint32_t>(sources.size()));
  for (uint32_t i = 0; i < sources.size(); ++i) {
    const DType stored = sources[i].dtype, computed = program.registers[i];
    plan.operands.push_back({sources[i].data, convert_kernel(computed, stored), item_size(stored),
                             Operand::kDirect, stored != computed, plan.strides.data() + i * rank});
  }
  plan.walk = join_dims(sizes, sources, plan.operands);
  if (plan.walk.count == 0) return;
  for (Operand& operand : plan.operands) operand.mode = mode_of(operand, plan.walk);
  for (uint32_t i = 0; i < program.registers.size(); ++i) {
    plan.items[i] = item_size(program.registers[i]);
    plan.stored[i] = -1;
  }
  for (uint32_t i = 0; i < program.outputs.size(); ++i)
    plan.stored[program.outputs[i]] = static_cast<int8_t>(i);
  for (const auto& step : program.code) {
    const uint32_t count = block_operands(step.op);
    const DType dtype = program.registers[step.sources[count - 1]];
    const bool cast = step.op == Op::Cast;
    plan.steps.push_back({cast ? nullptr : block_kernel(step.op, dtype),
                          cast ? convert_kernel(program.registers[step.target], dtype) : nullptr,
                          count});
  }
  constexpr int64_t kLongBlock = 8192;
  const int64_t block = registers_unused(plan) ? kLongBlock : kBlock;
  const int64_t count = plan.walk.count;
  if (threads <= 1 || count < kParallelFrom) return run_range(plan, 0, count, block);
  constexpr int64_t kPiece = 4 * kLongBlock;
  for_pieces((count + kPiece - 1) / kPiece, threads, [&](int64_t i) {
    run_range(plan, i * kPiece, std::min(count, (i + 1) * kPiece), block);
  });
}

}  // namespace rt::cpu
