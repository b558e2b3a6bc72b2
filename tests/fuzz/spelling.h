// spelling.h -- how the C ABI says a call: from the tables of exported functions, so that a new row
// or alias is in use at once.
#pragma once
#include <optional>

#include "tests/fuzz/program.h"

namespace rt::fuzz {

/// An exported function that records an op: a row of ops.def, or of aliases.def with the
/// expressions that its parameters become the op's arguments by. What calls.def has of such, whose
/// bodies choose the op, stands in spelling.cpp, once for each op.
struct Spelling {
  std::string_view symbol;
  Op op;
  Kind result;
  std::vector<Param> params;
  std::vector<std::string_view> arguments;  ///< one a parameter of the op
  std::string_view fixed = {};              ///< an Int or Flag that is 1; others not in use are 0
  bool updates = false;                     ///< handles among the arguments stand for new values
  /// Whether the result can be an operand; else it is a number, read at once.
  bool gives_handle() const { return result == Kind::Tensor; }
};

/// An argument as it crosses the ABI. Values stand by their ids until a player has handles.
struct Argument {
  enum class Sort : uint8_t { Integer, Real, List, Values, Value };
  Sort sort;
  int64_t integer = 0;  ///< or the id of a Value; kAbsent: no tensor
  double real = 0;
  std::vector<int64_t> list;  ///< or ids
};

const std::vector<Spelling>& spellings();
const Spelling* find_spelling(std::string_view symbol, Op op);
/// The arguments that make the function record this call; none when it cannot.
std::optional<std::vector<Argument>> spell(const Spelling& spelling, const Instruction& call);
/// The functions that can say this call.
std::vector<const Spelling*> spellings_of(const Instruction& call);

/// The program as C, ready to compile; what has no exported function stands as a comment.
std::string to_c(const Program& program);

}  // namespace rt::fuzz
