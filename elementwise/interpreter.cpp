// interpreter.cpp -- the block interpreter: walks over broadcast operands, runs steps and chains.
#include "elementwise/interpreter.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <mutex>
#include <new>

#include "graph/memory/host_memory.h"

namespace rt::cpu {
namespace {

/// Bytes of all registers of a block, which fit the first-level cache.
constexpr int64_t kBlockBytes = 24 << 10;
constexpr int64_t kMinBlock = 256, kMaxBlock = 2048;
/// A thread's memory is on its stack up to so many bytes.
constexpr size_t kOnStack = 48 << 10;

/// Elements times instructions below which a second thread costs more than it gains.
constexpr int64_t kParallelFrom = 1 << 18;

/// The walk over the outputs in row-major order, with neighbouring dimensions joined.
struct Walk {
  Shape sizes;
  int64_t inner = 1, count = 1;
  bool by_rows = true;  ///< blocks end where the innermost dimension ends
};

/// An input, as the walk reads it.
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

using Operands = Small<Operand, kMaxRegisters>;

/// Joins neighbouring dimensions where the strides of all operands allow it, and
/// writes these strides.
Walk join_dims(Sizes sizes, std::span<const ElementSource> sources, Operands& operands) {
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
  // Short rows would make short blocks, so blocks run across them and operands are gathered.
  walk.by_rows = walk.sizes.size() < 2 || walk.inner >= kMinBlock / 2;
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

template <class T>
void fill(int64_t n, char* out, const void* value) {
  T* to = reinterpret_cast<T*>(out);
  const T same = *static_cast<const T*>(value);
  for (int64_t i = 0; i < n; ++i) to[i] = same;
}
void fill(int64_t n, int64_t item, char* out, const void* value) {
  if (item == 8) fill<uint64_t>(n, out, value);
  else if (item == 4) fill<uint32_t>(n, out, value);
  else if (item == 2) fill<uint16_t>(n, out, value);
  else fill<uint8_t>(n, out, value);
}

/// A fold's accumulator: a double for floats, else an integer that wraps.
union Folded {
  double real;
  uint64_t integer;
};

template <class T>
void put(char* out, T value) {
  *reinterpret_cast<T*>(out) = value;
}

/// Joins the results of the runs in order, as reduce.cpp does.
void finish(Op op, DType source, DType dtype, std::span<const Folded> runs, int64_t count,
            char* out) {
  Folded all = runs[0];
  const bool real = is_float(source);
  for (const Folded& run : runs.subspan(1)) {
    if (real) all.real += run.real;
    else all.integer += run.integer;
  }
  if (op == Op::Mean) all.real /= static_cast<double>(count);
  if (dtype == DType::F32) put(out, static_cast<float>(all.real));
  else if (dtype == DType::F64) put(out, all.real);
  else put(out, static_cast<int64_t>(all.integer));
}

}  // namespace

/// One run of a program.
struct BlockRun {
  // A constructor, because an aggregate would set all of its lists to zero.
  BlockRun(const BlockCode& of, const int64_t* values, std::span<char* const> to)
      : code(of), scalars(values), outputs(to) {}

  const BlockCode& code;
  const int64_t* scalars;
  std::span<char* const> outputs;
  Walk walk;
  int64_t block = 0;  ///< elements computed at once
  int64_t held = 0;   ///< elements that a register has memory for
  Operands operands;
  Small<int64_t, kFewDims * kMaxRegisters> strides;  ///< of the operands, one after the other
  Folded* folded = nullptr;                          ///< by fold, then by run
  int64_t runs = 0;

  /// A thread's registers for the present block, and its memory.
  struct Scratch {
    std::array<BlockOperand, kMaxRegisters> registers;
    std::array<char*, kMaxRegisters> targets;  ///< of chains, by register
    std::array<char*, kMaxRegisters> stores;   ///< addresses that element 0 of the walk would have
    char* memory;
  };

  void load(Scratch& thread, uint32_t i, int64_t begin, int64_t n) const {
    const Operand& operand = operands[i];
    char* const memory = thread.memory + i * place_bytes();
    BlockOperand& slot = thread.registers[i];
    slot = {memory, operand.mode == Operand::kSame};
    if (operand.mode == Operand::kDirect) {
      const int64_t offset =
          walk.by_rows && walk.sizes.size() > 1 ? offset_of(begin, walk, operand) : begin;
      slot.data = operand.data + offset * operand.item;
    } else if (operand.mode == Operand::kGathered) {
      gather(walk, operand, item_size(code.inputs_[i]), begin, n, memory);
    } else {
      operand.convert(1, memory, operand.data + offset_of(begin, walk, operand) * operand.item, 1);
      fill(std::min(n, kRepeats), item_size(code.inputs_[i]), memory, memory);
    }
  }
  /// An operand's elements of the walk's [begin, begin + n), one after the other: in the operand's
  /// own memory or in `copy`.
  const char* in_order(const Operand& operand, int64_t item, int64_t begin, int64_t n,
                       char* copy) const {
    if (operand.mode == Operand::kDirect && !(walk.by_rows && walk.sizes.size() > 1))
      return operand.data + begin * operand.item;
    if (walk.sizes.empty()) operand.convert(1, copy, operand.data, 1);
    else if (n > 0) gather(walk, operand, item, begin, n, copy);
    return copy;
  }
  int64_t place_bytes() const { return code.register_bytes_ * held; }

  /// The address of a step's store, or nullptr.
  static char* store_of(const Scratch& thread, const BlockCode::Step& step, int64_t begin) {
    return step.store < 0 ? nullptr
                          : thread.stores[static_cast<size_t>(step.store)] + begin * step.item;
  }

  void compute(Scratch& thread, const BlockCode::Step& step, int64_t begin, int64_t n) const {
    BlockOperand taken[kMaxOperands];
    bool same = true;
    for (uint32_t k = 0; k < step.operands; ++k) {
      const BlockOperand& slot = thread.registers[step.sources[k]];
      taken[k].data = slot.data;
      taken[k].same = slot.same;
      same = same && slot.same;
    }
    char* const stored = store_of(thread, step, begin);
    char* const out = stored && !same ? stored : thread.memory + step.target * place_bytes();
    const int64_t count = same ? 1 : n;
    if (step.kernel) step.kernel(count, out, taken, scalars[step.scalar]);
    else step.cast(count, out, taken[0].data, 1);
    thread.registers[step.target] = {out, same};
    if (!same) return;
    fill(std::min(n, kRepeats), step.item, out, out);
    if (stored) fill(n, step.item, stored, out);
  }

  void compute(Scratch& thread, const BlockCode::Chain& chain, int64_t begin, int64_t n) const {
    for (uint32_t i = chain.first_target; i < chain.last_target; ++i) {
      const BlockCode::Step& step = code.steps_[code.targets_[i]];
      char* const stored = store_of(thread, step, begin);
      char* const out = stored ? stored : thread.memory + step.target * place_bytes();
      thread.registers[step.target] = {out, false};
      thread.targets[step.target] = out;
    }
    chain.run(&code.links_[chain.first_link],
              {thread.registers.data(), thread.targets.data(), scalars}, n);
  }

  /// Computes the walk's [begin, begin + n). In a walk by rows this range lies in one row.
  void compute(Scratch& thread, int64_t begin, int64_t n) const {
    for (uint32_t i = 0; i < operands.size(); ++i) load(thread, i, begin, n);
    for (uint32_t i = 0; i < code.steps_.size();) {
      const BlockCode::Step& step = code.steps_[i];
      const BlockCode::Chain* const chain =
          step.chain == BlockCode::kNoChain ? nullptr : &code.chains_[step.chain];
      if (chain && n >= chain->tile) {
        compute(thread, *chain, begin, n);
        i = chain->last_step;
      } else {
        compute(thread, step, begin, n);
        ++i;
      }
    }
  }

  /// Computes the walk's runs [first, last). `memory` is the thread's own, of thread_bytes() bytes.
  void compute_runs(int64_t first, int64_t last, char* memory) {
    Scratch thread;
    thread.memory = memory;
    char* const kept = memory + code.registers_ * place_bytes();
    const int64_t row = walk.by_rows ? walk.inner : walk.count;
    for (int64_t run = first; run < last; ++run) {
      int64_t begin = run * kFoldRun;
      const int64_t end = std::min(walk.count, begin + kFoldRun);
      for (uint32_t i = 0, scratch = 0; i < code.stores_.size(); ++i) {
        const BlockCode::Store& store = code.stores_[i];
        thread.stores[i] = store.output >= 0 ? outputs[static_cast<size_t>(store.output)]
                                             : kept + scratch++ * kFoldRun * 8 - begin * store.item;
      }
      const int64_t start = begin;
      while (begin < end && !code.steps_.empty()) {
        const int64_t n = std::min({block, row - begin % row, end - begin});
        compute(thread, begin, n);
        begin += n;
      }
      for (uint32_t i = 0; i < code.folds_.size(); ++i) {
        const BlockCode::Fold& fold = code.folds_[i];
        const int64_t item = code.stores_[fold.store].item, n = end - start;
        char* const stored = thread.stores[fold.store] + start * item;
        const char* const data =
            fold.input < 0
                ? stored
                : in_order(operands[static_cast<uint32_t>(fold.input)], item, start, n, stored);
        fold.kernel(n, data, 0, &folded[i * runs + run]);
      }
    }
  }

  size_t thread_bytes() const {
    size_t scratch = 0;
    for (const BlockCode::Store& store : code.stores_) scratch += store.output < 0;
    return static_cast<size_t>(code.registers_ * place_bytes()) + scratch * kFoldRun * 8;
  }
  /// Calls body(memory) with memory for one thread, on the stack where it is little. False
  /// when there is none.
  template <class Body>
  bool with_memory(const Body& body) const {
    const size_t bytes = thread_bytes();
    alignas(64) char little[kOnStack];
    void* const memory = bytes <= kOnStack ? little : take_block(static_cast<int64_t>(bytes));
    if (!memory) return false;
    body(static_cast<char*>(memory));
    if (memory != little) give_block(memory, static_cast<int64_t>(bytes));
    return true;
  }

  void compute_all(const Team& team, char* reserve) {
    const auto work = std::max<int64_t>(1, std::ssize(code.steps_)) * walk.count;
    const bool alone = team.threads <= 1 || runs < 2 || work < kParallelFrom;
    // Results do not depend on the division of runs into pieces.
    struct Pieces {
      BlockRun& run;
      int64_t length;
      char* reserve;
      std::mutex turn{};                 ///< guards the reserve
      std::atomic<bool> failed = false;  ///< set because exceptions must not leave a thread's work
      void compute(int64_t piece) {
        const int64_t first = piece * length, last = std::min(run.runs, first + length);
        const auto body = [&](char* memory) { run.compute_runs(first, last, memory); };
        if (run.with_memory(body)) return;
        if (!reserve) {
          failed = true;
          return;
        }
        const std::lock_guard lock(turn);
        body(reserve);
      }
    } pieces{*this, alone ? runs : std::clamp<int64_t>(runs / (4 * team.threads), 1, 4), reserve};
    if (alone) {
      pieces.compute(0);
    } else {
      team.each((runs + pieces.length - 1) / pieces.length, team.threads,
                [](void* of, int64_t piece) { static_cast<Pieces*>(of)->compute(piece); }, &pieces);
    }
    if (pieces.failed) throw std::bad_alloc();
  }
};

size_t BlockCode::memory_of_run(int64_t elements) const {
  const auto scratch = std::ranges::count(stores_, -1, &Store::output);
  const auto registers = std::max(kBlockBytes, registers_ * register_bytes_ * kMinBlock);
  const auto thread = static_cast<size_t>(registers + scratch * kFoldRun * 8);
  const auto runs = static_cast<size_t>(elements / kFoldRun + 1);
  return (thread > kOnStack ? thread : 0) + folds_.size() * runs * sizeof(Folded);
}

void BlockCode::run(Sizes sizes, std::span<const ElementSource> sources,
                    std::span<const int64_t> scalars, std::span<char* const> outputs,
                    const Team& team, char* reserve) const {
  constexpr int64_t kNone[] = {0};
  BlockRun run(*this, scalars.empty() ? kNone : scalars.data(), outputs);
  const auto rank = static_cast<uint32_t>(sizes.size());
  run.strides.resize(rank * static_cast<uint32_t>(sources.size()));
  for (uint32_t i = 0; i < sources.size(); ++i) {
    const DType stored = sources[i].dtype, computed = inputs_[i];
    run.operands.push_back({sources[i].data, convert_kernel(computed, stored), item_size(stored),
                            Operand::kDirect, stored != computed, run.strides.data() + i * rank});
  }
  run.walk = join_dims(sizes, sources, run.operands);
  const int64_t count = run.walk.count;
  for (uint32_t i = 0; i < sources.size(); ++i) {
    Operand::Mode& mode = run.operands[i].mode = mode_of(run.operands[i], run.walk);
    if (sources[i].overwritten && mode == Operand::kDirect) mode = Operand::kGathered;
  }
  // A fold of no elements has a result as well, so it needs a run.
  run.runs = folds_.empty() ? (count + kFoldRun - 1) / kFoldRun
                            : std::max<int64_t>(1, (count + kFoldRun - 1) / kFoldRun);
  Small<Folded, 64> folded;
  const uint32_t results = static_cast<uint32_t>(run.runs) * folds_.size();
  if (reserve) {
    run.folded = reinterpret_cast<Folded*>(reserve);
    reserve += results * sizeof(Folded);
  } else {
    folded.resize(results);
    run.folded = folded.data();
  }
  const int64_t fits = kBlockBytes / (register_bytes_ * std::max(1u, registers_));
  run.block = run.held = std::clamp(fits / kMinBlock * kMinBlock, kMinBlock, kMaxBlock);
  // Without results to be kept, registers need memory for repeated elements only, and for blocks
  // that are too short for chains.
  const auto in_memory = [](const Operand& operand) { return operand.mode != Operand::kGathered; };
  if (kept_ == 0 && std::ranges::all_of(run.operands, in_memory))
    run.block = kFoldRun, run.held = kRepeats;
  run.compute_all(team, reserve);
  for (uint32_t i = 0; i < folds_.size(); ++i) {
    const Fold& fold = folds_[i];
    const std::span<const Folded> runs{run.folded + i * static_cast<uint32_t>(run.runs),
                                       static_cast<size_t>(run.runs)};
    finish(fold.op, fold.source, fold.dtype, runs, count, outputs[outputs_ + i]);
  }
}

}  // namespace rt::cpu
