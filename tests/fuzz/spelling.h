// spelling.h -- spells calls in the C ABI, from the tables of exported functions, so that a new row
// or alias is covered at once.
#pragma once
#include <optional>

#include "tests/fuzz/program.h"

namespace rt::fuzz {

/// An exported function that records an op: a row of ops.def, or one of aliases.def with the
/// expressions of the op's arguments. spelling.cpp adds functions of calls.def that choose an op,
/// once for each op.
struct Spelling {
  std::string_view symbol;
  Op op;
  Kind result;
  std::vector<Param> params;
  std::vector<std::string_view> arguments;  ///< one per parameter of the op
  std::string_view fixed = {};  ///< an Int or Flag that is 1; others without a use are 0
  bool updates = false;         ///< some handles stand for new values after the call
  /// False for a number, which is read at once and cannot be an operand.
  bool gives_handle() const { return result == Kind::Tensor; }
};

/// An argument of a C call. Ids stand for values, since handles differ among runs.
struct Argument {
  enum class Sort : uint8_t { Integer, Real, List, Values, Value };
  Sort sort;
  int64_t integer = 0;  ///< or a Value's id; kAbsent: no tensor
  double real = 0;
  std::vector<int64_t> list;  ///< or ids
};

const std::vector<Spelling>& spellings();
const Spelling* find_spelling(std::string_view symbol, Op op);
/// Arguments by which the function records this call; none if it cannot.
std::optional<std::vector<Argument>> spell(const Spelling& spelling, const Instruction& call);
/// The functions that can record this call.
std::vector<const Spelling*> spellings_of(const Instruction& call);

/// The program as C that compiles; calls without an exported function become comments.
std::string to_c(const Program& program);

}  // namespace rt::fuzz
