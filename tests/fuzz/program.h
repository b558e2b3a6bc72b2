// program.h -- a random program: what a client could have written, and what inference says of it.
#pragma once
#include <map>
#include <random>
#include <string>
#include <vector>

#include "graph/ops/op.h"

namespace rt::fuzz {

/// Random draws that are the same on every machine: the distributions of <random> are not.
class Dice {
 public:
  explicit Dice(uint64_t seed) : bits_(seed) {}
  uint64_t bits() { return bits_(); }
  int64_t below(int64_t end) {
    return end <= 1 ? 0 : static_cast<int64_t>(bits_() % static_cast<uint64_t>(end));
  }
  int64_t between(int64_t first, int64_t last) { return first + below(last - first + 1); }
  double unit() { return static_cast<double>(bits_() >> 11) * 0x1p-53; }
  bool chance(double probability) { return unit() < probability; }
  template <class List>
  auto& pick(List& list) {
    return list[static_cast<size_t>(below(static_cast<int64_t>(std::size(list))))];
  }

 private:
  std::mt19937_64 bits_;
};

/// Row-major elements: `reals` of a float dtype, else `integers`.
struct Literal {
  DType dtype = DType::F32;
  Shape sizes;
  std::vector<double> reals;
  std::vector<int64_t> integers;
};

inline constexpr uint32_t kAbsent = 0xffffffffu;  ///< the operand of an optional tensor not given

/// Values are named by ids that no other instruction of the program has, so that instructions can
/// be taken out without renaming anything.
struct Instruction {
  enum class Verb : uint8_t { Data, Call, Free, Read, Shape, Flush };
  Verb verb = Verb::Flush;
  uint32_t id = 0;                      ///< of the value that Data and Call make
  std::vector<uint32_t> operands = {};  ///< of Call; the one value of Free, Read and Shape
  Literal literal = {};                 ///< of Data
  /// Of Call: op, words, shape, dtype and device as the client gives them, scalars by value; its
  /// operands are not in use.
  Args args = {};
  std::string_view symbol = {};  ///< of Call: the exported function, "" where none can say it
};

struct Program {
  uint64_t seed = 0;
  std::vector<Instruction> list;
};

/// The types and layouts of a program's values as far as it has been walked.
class Outline {
 public:
  struct Fact {
    DType dtype;
    Layout layout;  ///< as the engine expects it: of views over the layout viewed, else contiguous
    TensorType type() const { return {.dtype = dtype, .device = {}, .sizes = layout.sizes}; }
  };

  /// What the call would give; `args` is left as inference leaves it. Throws Error as the engine
  /// does, and when an operand is missing because its own call was refused.
  Fact infer(Args& args, std::span<const uint32_t> operands) const;
  /// Takes the instruction in; false when it is a call that is refused.
  bool add(const Instruction& instruction);
  const Fact* find(uint32_t id) const;
  const std::map<uint32_t, Fact>& facts() const { return facts_; }

 private:
  std::map<uint32_t, Fact> facts_;
};

}  // namespace rt::fuzz
