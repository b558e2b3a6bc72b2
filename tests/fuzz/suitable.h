// suitable.h -- operands and integers for rows that random ones hardly ever suit: the one place of
// the fuzzer that knows what single rows are about.
#pragma once
#include <map>
#include <optional>

#include "tests/fuzz/program.h"

namespace rt::fuzz {

/// Integers or bools from 0 up to but without `bound`.
struct Numbers {
  DType dtype;
  int64_t bound;
};

/// What a call may be made of; inference has the last word. What is empty is as for any row.
struct Suitable {
  std::vector<Shape> sizes;                      ///< of each operand
  std::map<size_t, Numbers> numbers = {};        ///< operands of another dtype than the others
  std::vector<int64_t> integers = {};            ///< Int and Flag
  std::vector<std::vector<int64_t>> lists = {};  ///< IntList
  std::vector<int64_t> indices = {};             ///< Index
  std::optional<Shape> shape = {};               ///< Sizes
};

/// Draws for a row whose shape rule is in the table, none for others. `first` is the sizes of a
/// value there is: operand 0 has them where the row can take them.
std::optional<Suitable> draw_suitable(const OpInfo& row, const Shape& first, Dice& dice);

// ---- What holds of a row's results.

/// Whether libtorch writes wherever the operands say, so that only suitable ones may be given.
bool needs_suitable(Op op);
/// Whether backends may give results of which only shared_part is near: singular vectors have free
/// signs, and eigenvalues no order.
bool is_free(Op op);
/// Whether not even a part is: each eigenvalue's gradient is another one's where their order is
/// another.
bool shares_nothing(Op op);
/// Of singular vectors the products of each two of a matrix, of eigenvalues their sums.
Literal shared_part(Op op, const Literal& result);
/// Whether the row decomposes matrices: one that is all but singular may be singular to one backend
/// alone.
bool is_decomposing(Op op);
/// Whether what is made of operands that are no finite numbers is one backend's own.
bool needs_finite(Op op);

}  // namespace rt::fuzz
