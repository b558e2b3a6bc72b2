// program.h -- a random program that a client could have written, and the types of its values.
#pragma once
#include <map>
#include <random>
#include <string>
#include <vector>

#include "graph/ops/op.h"

namespace rt::fuzz {

/// Random draws that are equal on every machine, unlike the distributions of <random>.
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

inline constexpr uint32_t kAbsent = 0xffffffffu;  ///< stands for an absent optional tensor

/// An instruction. Ids of values are unique in a program, so that instructions can be dropped
/// without renaming.
struct Instruction {
  enum class Verb : uint8_t { Data, Call, Free, Read, Shape, Flush };
  Verb verb = Verb::Flush;
  uint32_t id = 0;                      ///< the value that Data or Call makes
  std::vector<uint32_t> operands = {};  ///< operands of Call; the value of Free, Read or Shape
  Literal literal = {};                 ///< contents of Data
  /// Of Call: op, attributes, shape, dtype and device as the client gives them, with values for
  /// scalars; `operands` of it is unused.
  Args args = {};
  std::string_view symbol = {};  ///< the exported function of Call; "": none is chosen
};

struct Program {
  uint64_t seed = 0;
  std::vector<Instruction> list;
};

/// Types and layouts of the values that a program has made so far.
class Outline {
 public:
  struct Fact {
    DType dtype;
    Layout layout;  ///< as in the engine: a view's is that over its source, others are contiguous
    TensorType type() const { return {.dtype = dtype, .device = {}, .sizes = layout.sizes}; }
  };

  /// Infers the call's result into `args`. Throws Error as the engine does, or if an operand is
  /// missing because its call was refused.
  Fact infer(Args& args, std::span<const uint32_t> operands) const;
  /// Adds the result of an instruction; false for a refused call.
  bool add(const Instruction& instruction);
  const Fact* find(uint32_t id) const;
  const std::map<uint32_t, Fact>& facts() const { return facts_; }

 private:
  std::map<uint32_t, Fact> facts_;
};

}  // namespace rt::fuzz
