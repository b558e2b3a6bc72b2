// suitable.h -- operands and integers for rows that random ones seldom fit; only this part of the
// fuzzer knows single rows.
#pragma once
#include <map>
#include <optional>

#include "tests/fuzz/program.h"

namespace rt::fuzz {

/// Integers or bools in [0, bound).
struct Numbers {
  DType dtype;
  int64_t bound;
};

/// Arguments for a call; inference may still refuse them. Empty members are drawn as for any row.
struct Suitable {
  std::vector<Shape> sizes;                      ///< of each operand
  std::map<size_t, Numbers> numbers = {};        ///< for operands of another dtype than the rest
  std::vector<int64_t> integers = {};            ///< Int and Flag
  std::vector<std::vector<int64_t>> lists = {};  ///< IntList
  std::vector<int64_t> indices = {};             ///< Index
  std::optional<Shape> shape = {};               ///< Sizes
};

/// Draws for a row whose shape rule has a draw, else none. `first` is the sizes of a live value,
/// which operand 0 gets if the row can take them.
std::optional<Suitable> draw_suitable(const OpInfo& row, const Shape& first, Dice& dice);

// ---- Properties of a row's results.

/// True if libtorch does not check these operands' indices, so that only suitable ones are safe.
bool needs_suitable(Op op);
/// True where two right results of an ambiguous row have nothing in common: each eigenvalue's
/// gradient is another one's where their order is another.
bool shares_nothing(Op op);
/// The part of an ambiguous row's result that all right results share. Singular vectors have free
/// signs, so it is the products of each two of a matrix; eigenvalues have no order, so it is sums.
Literal shared_part(Op op, const Literal& result);
/// True if the row decomposes matrices: backends disagree about nearly singular ones.
bool is_decomposing(Op op);
/// True if results for infinities and NaNs depend on the backend.
bool needs_finite(Op op);

}  // namespace rt::fuzz
