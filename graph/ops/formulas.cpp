// formulas.cpp -- the compositions that several decompositions share.
#include "graph/ops/formulas.h"

namespace rt {

Expr scalar(Expr like, int64_t attribute) {
  Args args;
  args.op = Op::Full;
  args.attributes = {attribute};
  args.dtype = like.type().dtype;
  args.device = like.type().device;
  return {like.build(), like.build().append(args)};
}

Expr zero(Expr like) { return like.filled(0, {}); }

Expr quotient(Expr a, Expr b) {
  const Expr none = zero(b);
  return where(b.apply(Op::Eq, none), none, a / b);
}

Expr where(Expr condition, Expr a, Expr b) { return condition.apply(Op::Where, a, b); }

Expr equals(Expr a, double number) { return a.apply(Op::Eq, a.filled(number, {})); }

Expr equals(Expr a, int64_t number) {
  Args args;
  args.op = Op::FullInt;
  args.attributes = {a.build().constant_index(number)};
  args.dtype = a.type().dtype;
  args.device = a.type().device;
  return a.apply(Op::Eq, {a.build(), a.build().append(args)});
}

Expr reaches(Expr a, Expr bound) { return a.apply(Op::Ge, bound); }

Expr larger(Expr a, Expr b) { return a + (b - a).apply(Op::Relu); }

Expr at_least_zero(Expr a) { return a.apply(Op::ClampMin, {a.build().constant(0)}); }

Expr reduced(Expr terms, int64_t reduction) {
  if (reduction == 0) return terms;
  return terms.apply(reduction == 1 ? Op::Mean : Op::Sum);
}

Expr with_dim(Expr a, int64_t dim) { return a.apply(Op::Unsqueeze, {dim}); }

Expr slice(Expr a, int64_t dim, int64_t start, int64_t end, int64_t step) {
  Builder& build = a.build();
  return a.apply(Op::Slice, {build.constant_index(start), build.constant_index(end), dim, step});
}

Expr joined(Op op, std::span<const Expr> parts, int64_t dim) {
  Args args;
  args.op = op;
  for (const Expr& part : parts) args.operands.push_back(part.value());
  args.attributes = {dim};
  return {parts[0].build(), parts[0].build().append(args)};
}
Expr joined(Op op, std::initializer_list<Expr> parts, int64_t dim) {
  return joined(op, std::span<const Expr>(parts.begin(), parts.size()), dim);
}

Expr mean(Expr a, Sizes dims, bool keepdim) {
  return a.apply(Op::MeanDims, {keepdim ? 1 : 0}, dims);
}

Expr along(Op op, Expr a, int64_t dim, bool keepdim) { return a.apply(op, {dim, keepdim ? 1 : 0}); }

Expr padded(Expr a, int64_t dim, int64_t before, int64_t after) {
  if (before == 0 && after == 0) return a;
  std::vector<Expr> parts;
  const auto add_zeros = [&](int64_t count) {
    if (count == 0) return;
    Shape sizes = a.sizes();
    sizes[static_cast<uint32_t>(dim)] = count;
    parts.push_back(a.filled(0, sizes));
  };
  add_zeros(before);
  parts.push_back(a);
  add_zeros(after);
  return joined(Op::Cat, parts, dim);
}

Expr nothing_of(Expr a, Sizes sizes) {
  return slice(a.reshape(Shape{numel(a.sizes())}), 0, 0, 0).reshape(sizes);
}

void entries_of(Expr all, std::vector<Expr>& entries) {
  const int64_t count = all.sizes()[0];
  if (count == 1) {
    entries.push_back(all.apply(Op::SqueezeDim, {0}));
    return;
  }
  entries_of(slice(all, 0, 0, count / 2), entries);
  entries_of(slice(all, 0, count / 2, count), entries);
}

Expr counted(Expr like, int64_t count, DType dtype) {
  Args args;
  args.op = Op::ArangeInt;
  for (const int64_t number : {int64_t{0}, count, int64_t{1}})
    args.attributes.push_back(like.build().constant_index(number));
  args.dtype = DType::I64;
  args.device = like.type().device;
  return Expr(like.build(), like.build().append(args)).cast(dtype);
}

}  // namespace rt
