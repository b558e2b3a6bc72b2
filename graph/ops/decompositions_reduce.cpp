// decompositions_reduce.cpp -- reductions as compositions.
#include <limits>

#include "graph/ops/decompositions.h"
#include "graph/ops/formulas.h"

namespace rt::decompositions {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

AttributesView reduction_of(const Args& args) {
  return {info(args.op), {args.attributes.data(), args.attributes.size()}};
}

Expr first(Builder& build, const Args& args) { return {build, args.operands[0]}; }

/// All dimensions of a tensor of this rank.
Shape every_dim(int64_t rank) {
  Shape dims;
  for (int64_t dim = 0; dim < rank; ++dim) dims.push_back(dim);
  return dims;
}

/// The extreme over `dims`, along one dimension after the other, in the result's sizes.
Expr extreme_over(Expr self, Op along_dim, Sizes dims, Sizes result) {
  if (dims.empty()) return self.apply(Op::Clone);
  for (const int64_t dim : dims) self = self.apply(along_dim, {dim, 1});
  return self.reshape(result);
}

/// 1 for each element that is not 0, a NaN among them, as a bool.
Expr is_there(Expr a) { return a.cast(DType::Bool); }

/// Any is a sum of flags that is not 0; all, none of their opposites.
template <class Sum>
Expr any_or_all(Expr self, bool all, const Sum& sum) {
  const Expr there = is_there(self);
  const Expr any = is_there(sum(all ? there.apply(Op::LogicalNot) : there));
  return all ? any.apply(Op::LogicalNot) : any;
}

}  // namespace

Value std_dims(Builder& build, const Args& args) {
  const AttributesView attributes = reduction_of(args);
  return first(build, args)
      .apply(Op::VarDims, {attributes.integer(0), attributes.integer(1)}, attributes.list(0))
      .apply(Op::Sqrt)
      .value();
}

Value var_dim(Builder& build, const Args& args) {
  const AttributesView attributes = reduction_of(args);
  const Expr variance = first(build, args)
                            .apply(Op::VarDims, {attributes.integer(1), attributes.integer(2)},
                                   Shape{attributes.integer(0)});
  return (args.op == Op::VarDim ? variance : variance.apply(Op::Sqrt)).value();
}

Value graded_std_dim(Builder& build, const Args& args) {
  const AttributesView attributes = reduction_of(args);
  return first(build, args)
      .apply(Op::StdDims, {attributes.integer(1), attributes.integer(2)},
             Shape{attributes.integer(0)})
      .value();
}

Value extreme(Builder& build, const Args& args) {
  const Op op = args.op == Op::Amax ? Op::MaxDim : Op::MinDim;
  return extreme_over(first(build, args), op, reduction_of(args).list(0), args.shape).value();
}

Value aminmax(Builder& build, const Args& args) {
  const AttributesView attributes = reduction_of(args);
  const Op op = args.op == Op::AminmaxMax ? Op::MaxDim : Op::MinDim;
  return first(build, args).apply(op, {attributes.integer(0), attributes.integer(1)}).value();
}

Value norm_scalar(Builder& build, const Args& args) {
  const Expr self = first(build, args);
  return self.apply(Op::NormDims, {args.attributes[0], 0}, every_dim(self.rank())).value();
}

Value of_all(Builder& build, const Args& args) {
  const Expr self = first(build, args);
  if (args.op == Op::Any || args.op == Op::All)
    return any_or_all(self, args.op == Op::All, [](Expr flags) { return flags.apply(Op::Sum); })
        .value();
  const Op op = args.op == Op::Prod ? Op::ProdDim : Op::MedianDim;
  return self.reshape(Shape{numel(self.sizes())}).apply(op, {0, 0}).value();
}

Value any_dim(Builder& build, const Args& args) {
  const auto sum = [&args](Expr flags) {
    return flags.apply(Op::SumDim, {args.attributes[0], args.attributes[1]});
  };
  return any_or_all(first(build, args), args.op == Op::AllDim, sum).value();
}

// The largest element is taken out of the sum, so that no exp overflows. An infinite one is not,
// because its difference to itself is NaN.
Value logsumexp(Builder& build, const Args& args) {
  const Expr self = first(build, args).cast(args.dtype);
  const Sizes dims = reduction_of(args).list(0);
  const bool keep = reduction_of(args).integer(0) != 0;
  if (numel(self.sizes()) == 0) return self.apply(Op::Exp).sum(dims, keep).apply(Op::Log).value();
  Shape kept = self.sizes();
  for (const int64_t dim : dims) kept[static_cast<uint32_t>(dim)] = 1;
  const Expr most = extreme_over(self, Op::MaxDim, dims, kept);
  const Expr infinite = equals(most.apply(Op::Abs), kInfinity);
  const Expr shift = where(infinite, most.filled(0, {}), most);
  const Expr total = (self - shift).apply(Op::Exp).sum(dims, true);
  return (total.apply(Op::Log) + shift).reshape(args.shape).value();
}

Value count_nonzero(Builder& build, const Args& args) {
  const Expr found = is_there(first(build, args));
  if (args.op == Op::CountNonzero) return found.apply(Op::Sum).value();
  return found.apply(Op::SumDims, {0}, reduction_of(args).list(0)).value();
}

Value nansum(Builder& build, const Args& args) {
  Expr self = first(build, args);
  if (is_float(self.type().dtype)) self = where(self.apply(Op::Eq, self), self, self.filled(0, {}));
  if (args.op == Op::Nansum) return self.apply(Op::Sum).value();
  const AttributesView attributes = reduction_of(args);
  return self.apply(Op::SumDims, {attributes.integer(0)}, attributes.list(0)).value();
}

Value diff(Builder& build, const Args& args) {
  const int64_t n = args.attributes[0], dim = args.attributes[1];
  const auto at = static_cast<uint32_t>(dim);
  Expr all = first(build, args);
  Args joined;
  joined.op = Op::Cat;
  joined.attributes = {dim};
  for (const uint32_t i : {1u, 0u, 2u})
    if (args.operands[i] != kNone) joined.operands.push_back(args.operands[i]);
  if (joined.operands.size() > 1) all = {build, build.append(joined)};
  all = all.cast(args.dtype);
  if (n == 0) {
    // self alone, out of all parts, which have gradients of zeros.
    const int64_t start = args.operands[1] == kNone ? 0 : Expr(build, args.operands[1]).sizes()[at];
    return slice(all, dim, start, start + args.shape[at]).apply(Op::Clone).value();
  }
  const bool flags = args.dtype == DType::Bool;
  if (args.shape[at] == 0) return slice(all, dim, 0, 0).apply(Op::Clone).value();
  for (int64_t i = 0; i < n; ++i) {
    const int64_t size = all.sizes()[at];
    all = slice(all, dim, 1, size).apply(flags ? Op::Ne : Op::Sub, slice(all, dim, 0, size - 1));
  }
  return all.value();
}

}  // namespace rt::decompositions
