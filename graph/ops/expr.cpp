// expr.cpp -- the operators; each appends one op of the table.
#include "graph/ops/expr.h"

#include <algorithm>

namespace rt {

Expr Expr::apply(Op op, std::initializer_list<int64_t> attributes) const {
  return {*build_, build_->op(op, {value_}, attributes)};
}
Expr Expr::apply(Op op, Expr second, std::initializer_list<int64_t> attributes) const {
  return {*build_, build_->op(op, {value_, second.value_}, attributes)};
}
Expr Expr::apply(Op op, Expr second, Expr third, std::initializer_list<int64_t> attributes) const {
  return {*build_, build_->op(op, {value_, second.value_, third.value_}, attributes)};
}

Expr Expr::apply(Op op, std::initializer_list<int64_t> attributes, Sizes list) const {
  Args args;
  args.op = op;
  args.operands = {value_};
  args.attributes = attributes;
  args.attributes.push_back(static_cast<int64_t>(list.size()));
  args.attributes.append(list);
  return {*build_, build_->append(args)};
}

Expr Expr::reshape(Sizes sizes) const {
  if (std::ranges::equal(type().sizes, sizes)) return *this;
  return {*build_, build_->resized(value_, sizes)};
}

Expr Expr::expand(Sizes sizes) const {
  if (std::ranges::equal(type().sizes, sizes)) return *this;
  Args args;
  args.op = Op::Expand;
  args.operands = {value_};
  args.shape.assign(sizes);
  return {*build_, build_->append(args)};
}

Expr Expr::sum(Sizes dims, bool keepdim) const {
  return dims.empty() ? *this : apply(Op::SumDims, {keepdim ? 1 : 0}, dims);
}

Expr Expr::permute(Sizes dims) const { return apply(Op::Permute, {}, dims); }

Expr Expr::filled(double value, Sizes sizes) const {
  Args args;
  args.op = Op::Full;
  args.attributes = {build_->constant(value)};
  args.shape.assign(sizes);
  args.dtype = type().dtype;
  args.device = type().device;
  return {*build_, build_->append(args)};
}

Expr Expr::pow(double exponent) const { return apply(Op::Pow, {build_->constant(exponent)}); }

Expr operator-(Expr a) { return a.apply(Op::Neg); }
Expr operator+(Expr a, Expr b) { return a.apply(Op::Add, b); }
Expr operator-(Expr a, Expr b) { return a.apply(Op::Sub, b); }
Expr operator*(Expr a, Expr b) { return a.apply(Op::Mul, b); }
Expr operator/(Expr a, Expr b) { return a.apply(Op::Div, b); }
Expr operator+(Expr a, double b) { return a.apply(Op::AddScalar, {a.build().constant(b)}); }
Expr operator*(Expr a, double b) { return a.apply(Op::MulScalar, {a.build().constant(b)}); }
Expr operator/(Expr a, double b) { return a.apply(Op::DivScalar, {a.build().constant(b)}); }
Expr operator-(double a, Expr b) { return -b + a; }
Expr matmul(Expr a, Expr b) { return a.apply(Op::Matmul, b); }
Expr transposed(Expr a) { return a.apply(Op::Transpose, {a.rank() - 2, a.rank() - 1}); }

}  // namespace rt
