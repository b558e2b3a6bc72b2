// formulas.h -- short compositions that several decompositions share, over expressions.
#pragma once
#include <vector>

#include "graph/ops/expr.h"

namespace rt {

/// Operand i of a call.
inline Expr operand(Builder& build, const Args& args, uint32_t i) {
  return {build, args.operands[i]};
}
/// A 0-d tensor of the dtype and device of `like`, of a scalar attribute. Decompositions see
/// attributes and not their numbers, because a batch runs again with other numbers.
Expr scalar(Expr like, int64_t attribute);
Expr zero(Expr like);  ///< 0-d, of its dtype and device
Expr where(Expr condition, Expr a, Expr b);
Expr quotient(Expr a, Expr b);       ///< a / b, but 0 where b is 0
Expr equals(Expr a, double number);  ///< a bool for each element
Expr equals(Expr a, int64_t number);
/// True where `a` is at least `bound`, false for NaN.
Expr reaches(Expr a, Expr bound);
/// The larger one, NaN where one is NaN; both must be above -infinity.
Expr larger(Expr a, Expr b);
/// max(a, 0) as aten::clamp_min: the slope at 0 is 1.
Expr at_least_zero(Expr a);
/// By aten's code: 0 the terms themselves, 1 their mean, 2 their sum.
Expr reduced(Expr terms, int64_t reduction);

Expr with_dim(Expr a, int64_t dim);  ///< Op::Unsqueeze
Expr slice(Expr a, int64_t dim, int64_t start, int64_t end, int64_t step = 1);
Expr joined(Op op, std::initializer_list<Expr> parts, int64_t dim);  ///< Op::Cat or Op::Stack
Expr joined(Op op, std::span<const Expr> parts, int64_t dim);
Expr mean(Expr a, Sizes dims, bool keepdim);
Expr along(Op op, Expr a, int64_t dim, bool keepdim);  ///< Op::SumDim, Op::MaxDim; 0-d is taken
/// `a` with zeros before and after its elements along dim; itself where there are none.
Expr padded(Expr a, int64_t dim, int64_t before, int64_t after);
/// A tensor without elements that depends on `a`, so that `a` has a gradient of zeros.
Expr nothing_of(Expr a, Sizes sizes);
/// Appends the entries of dimension 0 to `entries`. Halves are cut in halves, so that the gradient
/// of each cut is as long as what was cut, and all together are not as long as the square of the
/// entries.
void entries_of(Expr all, std::vector<Expr>& entries);
/// 0, 1, ... count - 1 of this dtype on the device of `like`.
Expr counted(Expr like, int64_t count, DType dtype);

}  // namespace rt
