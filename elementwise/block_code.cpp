// block_code.cpp -- prepares a program of the block interpreter: kernels, chains, registers.
#include <algorithm>

#include "elementwise/interpreter.h"
#include "graph/error.h"

namespace rt::cpu {

/// Fills in the BlockCode of one program.
class BlockCoding {
 public:
  BlockCoding(BlockCode& code, const BlockProgram& program) : code_(code), program_(program) {
    const uint32_t registers = program.registers.size();
    inputs_ = registers - size();
    last_use_.resize(registers, 0);
    uses_.resize(registers, 0);
    store_of_.resize(registers, -1);
    register_of_.resize(registers, 0);
    begins_.resize(size(), true);
    find_stores();
    if (size() > 1) find_chains();
    for (uint32_t i = 0; i < inputs_; ++i) {
      code_.inputs_.push_back(program.registers[i]);
      if (!allocate(i)) too_many();
    }
    for (uint32_t i = 0; i < size(); ++i) add_step(i);
    for (uint32_t i = 0; i < size();) i = add_chain(i);
  }

 private:
  using Instruction = BlockProgram::Instruction;

  /// The way in which a link gets its running value.
  struct LinkStart {
    bool loads;  ///< loaded; else it is the previous instruction's result
    Running running;
    ChainKernel kernel;
    uint32_t taken() const { return running == Running::FirstAndSecond ? 2 : 1; }
  };

  uint32_t size() const { return program_.code.size(); }
  const Instruction& instruction(uint32_t i) const { return program_.code[i]; }
  std::span<const uint16_t> sources(uint32_t i) const {
    return {instruction(i).sources, block_operands(instruction(i).op)};
  }
  DType computed(uint32_t i) const { return program_.registers[sources(i).back()]; }

  void find_stores() {
    for (uint32_t i = 0; i < program_.outputs.size(); ++i)
      store(program_.outputs[i], static_cast<int16_t>(i));
    code_.outputs_ = program_.outputs.size();
    for (const BlockProgram::Fold& fold : program_.folds) {
      const DType dtype = program_.registers[fold.source];
      const int input = fold.source < inputs_ ? static_cast<int>(fold.source) : -1;
      code_.folds_.push_back({fold.op, store(fold.source, -1), input, dtype, fold.dtype,
                              fold_kernels(Fold::Sum, dtype).run});
    }
  }
  uint16_t store(uint16_t of, int16_t output) {
    if (store_of_[of] < 0) {
      store_of_[of] = static_cast<int16_t>(code_.stores_.size());
      code_.stores_.push_back({output, static_cast<uint8_t>(item_size(program_.registers[of]))});
    }
    return static_cast<uint16_t>(store_of_[of]);
  }

  /// An instruction continues a chain where it and the one before are links of one dtype.
  void find_chains() {
    const auto linked = [&](uint32_t i) {
      return program_.registers[instruction(i).target] == computed(i) && loading(i).kernel;
    };
    for (uint32_t i = 0; i < size(); ++i) {
      for (const uint16_t source : sources(i)) {
        last_use_[source] = i;
        ++uses_[source];
      }
      if (i > 0) begins_[i] = computed(i) != computed(i - 1) || !linked(i) || !linked(i - 1);
    }
  }

  ChainKernel kernel(uint32_t i, Running running) const {
    return chain_kernel(instruction(i).op, computed(i), running);
  }
  /// The start that loads the first operand which can be a running value.
  LinkStart loading(uint32_t i) const {
    if (sources(i).size() == 2 && sources(i)[0] == sources(i)[1])
      return {true, Running::FirstAndSecond, kernel(i, Running::FirstAndSecond)};
    const ChainKernel first = kernel(i, Running::First);
    return first ? LinkStart{true, Running::First, first}
                 : LinkStart{true, Running::Second, kernel(i, Running::Second)};
  }
  LinkStart entry(uint32_t i) const {
    const LinkStart load = loading(i);
    if (begins_[i]) return load;
    const uint16_t before = instruction(i - 1).target;
    if (load.running == Running::FirstAndSecond)
      return {sources(i)[0] != before, load.running, load.kernel};
    for (uint32_t k = 0; k < sources(i).size(); ++k)
      if (sources(i)[k] == before)
        if (const ChainKernel link = kernel(i, Running{static_cast<uint8_t>(k)}))
          return {false, Running{static_cast<uint8_t>(k)}, link};
    return load;
  }
  /// True where an instruction's result is nothing but the next link's running value.
  bool only_runs(uint32_t i) const {
    if (i + 1 == size() || begins_[i + 1]) return false;
    const uint16_t target = instruction(i).target;
    const LinkStart next = entry(i + 1);
    return store_of_[target] < 0 && !next.loads && uses_[target] == next.taken();
  }

  /// Gives the program's register `of` one of the code's. False where none is free.
  bool allocate(uint32_t of) {
    code_.register_bytes_ = std::max(code_.register_bytes_, item_size(program_.registers[of]));
    if (free_.empty()) {
      if (code_.registers_ == kMaxRegisters) return false;
      register_of_[of] = static_cast<uint8_t>(code_.registers_++);
    } else {
      register_of_[of] = free_.back();
      free_.resize(free_.size() - 1);
    }
    return true;
  }
  [[noreturn]] static void too_many() {
    fail("a program of more than ", kMaxRegisters, " registers");
  }
  void end_chain() {
    for (const uint8_t slot : held_) free_.push_back(slot);
    held_.resize(0);
  }

  void add_step(uint32_t i) {
    const Instruction& from = instruction(i);
    if (begins_[i]) end_chain();
    if (!allocate(from.target)) {
      // The chain ends here, which frees the registers that it has read.
      begins_[i] = true;
      end_chain();
      if (!allocate(from.target)) too_many();
    }
    const bool cast = from.op == Op::Cast;
    const DType target = program_.registers[from.target];
    BlockCode::Step step{cast ? nullptr : block_kernel(from.op, computed(i)),
                         cast ? convert_kernel(target, computed(i)) : nullptr,
                         BlockCode::kNoChain,
                         static_cast<uint8_t>(sources(i).size()),
                         register_of_[from.target],
                         {},
                         static_cast<uint8_t>(item_size(target)),
                         store_of_[from.target],
                         from.scalar};
    // A kernel's output must not overlap its operands, so they free their registers after
    // the target has one. A chain reads its operands again for each tile, so they free
    // theirs when it ends.
    for (uint32_t k = 0; k < sources(i).size(); ++k) {
      const uint16_t source = sources(i)[k];
      step.sources[k] = register_of_[source];
      const bool again = std::ranges::count(sources(i).first(k), source) > 0;
      if (again || last_use_[source] != i || source < inputs_ || store_of_[source] >= 0) continue;
      const bool in_register = i > 0 && source == instruction(i - 1).target && only_runs(i - 1);
      (in_register ? free_ : held_).push_back(register_of_[source]);
    }
    code_.steps_.push_back(step);
  }

  /// Makes links of the steps from `begin` on that form a chain. Returns the step after them.
  uint32_t add_chain(uint32_t begin) {
    uint32_t end = begin + 1;
    while (end < size() && !begins_[end]) ++end;
    const auto in_memory = [&](uint32_t i) { code_.kept_ += store_of_[instruction(i).target] < 0; };
    if (end - begin == 1) {
      in_memory(begin);
      return end;
    }
    const ChainKernels kernels = chain_kernels(computed(begin));
    const uint32_t first_target = code_.targets_.size();
    code_.steps_[begin].chain = static_cast<uint16_t>(code_.chains_.size());
    const uint32_t first_link = code_.links_.size();
    for (uint32_t i = begin; i < end; ++i) {
      const LinkStart how = entry(i);
      const auto running = static_cast<uint32_t>(how.running) % 3;
      if (how.loads)
        code_.links_.push_back({kernels.load, {register_of_[sources(i)[running]], 0}, 0});
      ChainLink link{how.kernel, {0, 0}, instruction(i).scalar};
      for (uint32_t k = 0, n = 0; k < sources(i).size(); ++k)
        if (k < running || k >= running + how.taken())
          link.registers[n++] = register_of_[sources(i)[k]];
      code_.links_.push_back(link);
      if (i + 1 < end && only_runs(i)) continue;
      code_.links_.push_back({i + 1 == end ? kernels.end : kernels.store,
                              {register_of_[instruction(i).target], 0},
                              0});
      code_.targets_.push_back(i);
      in_memory(i);
    }
    code_.chains_.push_back(
        {end, first_link, first_target, code_.targets_.size(), kernels.tile, kernels.run});
    return end;
  }

  BlockCode& code_;
  const BlockProgram& program_;
  uint32_t inputs_ = 0;
  // By register. Small arrays, because every op that runs by itself is a program
  // of one instruction.
  Small<uint32_t, 8> last_use_;  ///< the last instruction that reads it
  Small<uint32_t, 8> uses_;      ///< as an operand
  Small<int16_t, 8> store_of_;
  Small<uint8_t, 8> register_of_;
  Small<bool, 8> begins_;  ///< by instruction: it does not continue the chain before it
  Small<uint8_t, 8> free_, held_;
};

BlockCode::BlockCode(const BlockProgram& program) { BlockCoding(*this, program); }

size_t BlockCode::bytes() const {
  return sizeof *this + steps_.size() * sizeof(Step) + links_.size() * sizeof(ChainLink);
}

bool computes(Op op, DType dtype) { return op == Op::Cast || block_kernel(op, dtype) != nullptr; }

}  // namespace rt::cpu
