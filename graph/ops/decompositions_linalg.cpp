// decompositions_linalg.cpp -- linear algebra as compositions of factors.
#include <algorithm>
#include <limits>

#include "graph/ops/decompositions.h"
#include "graph/ops/formulas.h"

namespace rt::decompositions {
namespace {

double rounding(DType dtype) {
  return dtype == DType::F64 ? std::numeric_limits<double>::epsilon()
                             : static_cast<double>(std::numeric_limits<float>::epsilon());
}

/// True for the singular values that count as 0: those up to max(m, n) times the rounding times
/// the largest one.
Expr vanishing(Expr values, Sizes of_matrix) {
  const int64_t largest_size =
      std::max(of_matrix[of_matrix.size() - 2], of_matrix[of_matrix.size() - 1]);
  const double share = static_cast<double>(largest_size) * rounding(values.type().dtype);
  const Expr bound = along(Op::MaxDim, values, values.rank() - 1, true) * share;
  return reaches(bound, values);
}

/// The upper or lower triangle, with ones on the diagonal where `unit`.
Expr triangle(Expr a, bool upper, bool unit) {
  const Expr index = counted(a, a.sizes().back(), a.type().dtype);
  const Expr below = with_dim(index, 1) - index;
  const Expr keeps = equals((upper ? below : -below).apply(Op::Relu), 0.0);
  Expr kept = where(keeps, a, a.filled(0, {}));
  if (unit) kept = where(equals(below, 0.0), a.filled(1, {}), kept);
  return kept;
}

}  // namespace

Value logdet(Builder& build, const Args& args) {
  const Expr self = operand(build, args, 0);
  const Expr sign = self.apply(Op::SlogdetSign), logs = self.apply(Op::SlogdetLogabsdet);
  const double nan = std::numeric_limits<double>::quiet_NaN();
  return where(equals(sign, -1.0), logs.filled(nan, {}), logs).value();
}

Value solve_triangular(Builder& build, const Args& args) {
  const bool upper = args.attributes[0] != 0, left = args.attributes[1] != 0;
  const Expr a = triangle(operand(build, args, 0), upper, args.attributes[2] != 0);
  const Expr b = operand(build, args, 1);
  if (left) return a.apply(Op::LinalgSolve, b.expand(args.shape)).value();
  return transposed(transposed(a).apply(Op::LinalgSolve, transposed(b.expand(args.shape)))).value();
}

Value pinv(Builder& build, const Args& args) {
  const Expr self = operand(build, args, 0);
  if (numel(self.sizes()) == 0) return self.filled(0, args.shape).value();
  const Expr values = self.apply(Op::SvdS);
  const Expr gone = vanishing(values, self.sizes());
  const Expr factors = where(gone, values.filled(0, {}), values.filled(1, {}) / values);
  const Expr right = transposed(self.apply(Op::SvdVh)) * with_dim(factors, -2);
  return matmul(right, transposed(self.apply(Op::Svd))).value();
}

Value matrix_rank(Builder& build, const Args& args) {
  const Expr self = operand(build, args, 0);
  const Expr values = self.apply(Op::SvdS);
  if (values.sizes().back() == 0)
    return values.cast(DType::Bool).apply(Op::SumDim, {values.rank() - 1, 0}).value();
  const Expr there = vanishing(values, self.sizes()).apply(Op::LogicalNot);
  return there.apply(Op::SumDim, {values.rank() - 1, 0}).value();
}

}  // namespace rt::decompositions
