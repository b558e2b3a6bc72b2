// decompositions_loss.cpp -- losses with a reduction, as compositions.
#include <algorithm>
#include <numbers>

#include "graph/ops/decompositions.h"
#include "graph/ops/formulas.h"
#include "graph/ops/infer.h"

namespace rt::decompositions {
namespace {

/// The operand in the result's dtype.
Expr promoted(Builder& build, const Args& args, uint32_t i) {
  return operand(build, args, i).cast(args.dtype);
}

/// |self - target|.
Expr distance(Builder& build, const Args& args) {
  return (promoted(build, args, 0) - promoted(build, args, 1)).apply(Op::Abs);
}

/// Class numbers as indices, and where they are the class that counts for nothing.
struct Classes {
  Expr numbers, ignored;
  Classes(Expr target, int64_t ignore_index) : ignored(equals(target, ignore_index)) {
    numbers = where(ignored, target.filled(0, {}), target);
  }
  /// `values`, 0 in place of those of the ignored class.
  Expr kept(Expr values) const { return where(ignored, values.filled(0, {}), values); }
};

/// The weight of each target's class, 1 without weights; 0 for the ignored class.
Expr weights_of(const Classes& classes, Expr weight, Expr like) {
  const Shape sizes = classes.numbers.sizes();
  if (!weight) return classes.kept(like.filled(1, {}));
  const Expr flat = classes.numbers.reshape(Shape{numel(sizes)});
  return classes.kept(weight.apply(Op::IndexSelect, flat, {0}).reshape(sizes));
}

Expr optional(Builder& build, Value value) { return value == kNone ? Expr() : Expr(build, value); }

/// nll_loss of logarithms [C], [N,C] or [N,C,d...].
Expr negative_log_likelihood(Expr logs, Expr target, Expr weight, int64_t reduction,
                             int64_t ignore_index) {
  constexpr int64_t kIgnored = -100;  // of the row NllLoss
  if (!weight && reduction == 1 && ignore_index == kIgnored) return logs.apply(Op::NllLoss, target);
  const bool one_sample = logs.rank() == 1;
  if (one_sample) {
    logs = with_dim(logs, 0);
    target = target.reshape(Shape{1});
  }
  const Classes classes(target, ignore_index);
  const Expr picked = logs.apply(Op::Gather, with_dim(classes.numbers, 1), {1});
  const Expr weights = weights_of(classes, weight, logs);
  const Expr terms = classes.kept(-(picked.reshape(target.sizes()) * weights));
  if (reduction == 1) return terms.apply(Op::Sum) / weights.apply(Op::Sum);
  const Expr result = reduced(terms, reduction);
  return one_sample ? result.reshape(Shape{}) : result;
}

/// The dimension of the classes.
int64_t class_dim(Expr self) { return self.rank() > 1 ? 1 : 0; }
int64_t class_count(Expr self) { return self.sizes()[static_cast<uint32_t>(class_dim(self))]; }

/// Weights [C] in the sizes in which they broadcast to self.
Expr broadcast_weight(Expr weight, Expr self) {
  Shape sizes;
  sizes.resize(static_cast<uint32_t>(self.rank()), 1);
  sizes[static_cast<uint32_t>(class_dim(self))] = class_count(self);
  return weight.reshape(sizes);
}

/// The cross entropy against probabilities.
Expr against_probabilities(Expr logs, Expr target, Expr weight, int64_t reduction) {
  Expr terms = logs * target;
  if (weight) terms = terms * broadcast_weight(weight, logs);
  if (reduction == 0) return -terms.sum(Shape{class_dim(logs)}, false);
  const Expr total = -terms.apply(Op::Sum);
  if (reduction == 2) return total;
  const int64_t classes = class_count(logs);
  const double samples = classes == 0 ? 0.0 : static_cast<double>(numel(logs.sizes()) / classes);
  return total / samples;
}

/// The loss that label smoothing mixes in: that of equal shares for all classes, times their
/// number.
Expr of_equal_shares(Expr logs, Expr target, Expr weight, int64_t reduction, int64_t ignore_index) {
  Expr terms = weight ? logs * broadcast_weight(weight, logs) : logs;
  terms = -terms.sum(Shape{class_dim(logs)}, false);
  const Classes classes(target, ignore_index);
  const Expr kept = classes.kept(terms);
  if (reduction != 1) return reduced(kept, reduction);
  return kept.apply(Op::Sum) / weights_of(classes, weight, logs).apply(Op::Sum);
}

bool holds_probabilities(Expr self, Expr target) {
  return is_float(target.type().dtype) && std::ranges::equal(self.sizes(), target.sizes());
}

/// The logarithms of sigmoid(x), times -1.
Expr minus_log_sigmoid(Expr x) { return (-x).apply(Op::Softplus); }

/// The square of the length along dim.
Expr squares(Expr a, int64_t dim) { return along(Op::SumDim, a * a, dim, true); }

}  // namespace

Value mse_loss_reduction(Builder& build, const Args& args) {
  const Expr difference = promoted(build, args, 0) - promoted(build, args, 1);
  return reduced(difference * difference, args.attributes[0]).value();
}

Value l1_loss(Builder& build, const Args& args) {
  return reduced(distance(build, args), args.attributes[0]).value();
}

// With c the distance d, but at most delta: d * d / 2, or delta * (d - delta / 2).
Value huber_loss(Builder& build, const Args& args) {
  const Expr d = distance(build, args), delta = scalar(d, args.attributes[0]);
  const Expr c = where(reaches(d, delta), delta, d);
  return reduced(c * (d - c * 0.5), args.attributes[1]).value();
}

Value smooth_l1_loss(Builder& build, const Args& args) {
  const Expr d = distance(build, args), beta = scalar(d, args.attributes[0]);
  const Expr far = reaches(d, beta);
  const Expr share = where(far, d.filled(1, {}), d / beta);
  return reduced(share * (d - where(far, beta, d) * 0.5), args.attributes[1]).value();
}

Value kl_div(Builder& build, const Args& args) {
  const Expr self = promoted(build, args, 0), target = promoted(build, args, 1);
  const bool log_target = args.attributes[1] != 0;
  if (log_target)
    return reduced(target.apply(Op::Exp) * (target - self), args.attributes[0]).value();
  const Expr zero = equals(target, 0.0), none = target.filled(0, {});
  const Expr logs = where(zero, none, target.apply(Op::Log));
  return reduced(target * logs - target * self, args.attributes[0]).value();
}

Value binary_cross_entropy_with_logits(Builder& build, const Args& args) {
  const Expr self = operand(build, args, 0), target = operand(build, args, 1);
  const Expr weight = optional(build, args.operands[2]);
  const Expr pos_weight = optional(build, args.operands[3]);
  Expr certain = minus_log_sigmoid(self);
  if (pos_weight) certain = ((pos_weight + -1.0) * target + 1.0) * certain;
  Expr terms = (1.0 - target) * self + certain;
  if (weight) terms = terms * weight;
  return reduced(terms, args.attributes[0]).value();
}

Value binary_cross_entropy_reduction(Builder& build, const Args& args) {
  Expr terms = operand(build, args, 0).apply(Op::BinaryCrossEntropyTerms, operand(build, args, 1));
  if (const Expr weight = optional(build, args.operands[2]); weight) terms = terms * weight;
  return reduced(terms, args.attributes[0]).value();
}

Value nll_loss_nd(Builder& build, const Args& args) {
  return negative_log_likelihood(operand(build, args, 0), operand(build, args, 1),
                                 optional(build, args.operands[2]), args.attributes[0],
                                 args.attributes[1])
      .value();
}

Value cross_entropy_loss(Builder& build, const Args& args) {
  const Expr self = operand(build, args, 0), target = operand(build, args, 1);
  const Expr weight = optional(build, args.operands[2]);
  const Expr logs = self.apply(Op::LogSoftmax, {class_dim(self)});
  if (!holds_probabilities(self, target))
    return negative_log_likelihood(logs, target, weight, args.attributes[0], args.attributes[1])
        .value();
  return against_probabilities(logs.cast(args.dtype), target.cast(args.dtype),
                               weight ? weight.cast(args.dtype) : weight, args.attributes[0])
      .value();
}

Value smoothed_cross_entropy_loss(Builder& build, const Args& args) {
  const Expr self = operand(build, args, 0), target = operand(build, args, 1);
  const Expr weight = optional(build, args.operands[2]);
  const int64_t reduction = args.attributes[1], ignore_index = args.attributes[2];
  const Expr logs = self.apply(Op::LogSoftmax, {class_dim(self)}).cast(args.dtype);
  const Expr smoothing = scalar(logs, args.attributes[0]), rest = 1.0 - smoothing;
  const Expr share = smoothing / static_cast<double>(class_count(self));
  if (holds_probabilities(self, target))
    return against_probabilities(logs, target.cast(args.dtype) * rest + share,
                                 weight ? weight.cast(args.dtype) : weight, reduction)
        .value();
  const Expr exact = negative_log_likelihood(logs, target, weight, reduction, ignore_index);
  const Expr even = of_equal_shares(logs, target, weight, reduction, ignore_index);
  return (exact * rest + even * share).value();
}

Value hinge_embedding_loss(Builder& build, const Args& args) {
  const Expr self = operand(build, args, 0), target = operand(build, args, 1);
  const Expr none = self.filled(0, {});
  const Expr apart = at_least_zero((-self).apply(Op::AddScalar, {args.attributes[0]}));
  return reduced(where(equals(target, 1.0), none, apart) + where(equals(target, -1.0), none, self),
                 args.attributes[1])
      .value();
}

Value margin_ranking_loss(Builder& build, const Args& args) {
  const Expr difference = promoted(build, args, 0) - promoted(build, args, 1);
  const Expr wrong = (-promoted(build, args, 2)) * difference;
  return reduced(at_least_zero(wrong.apply(Op::AddScalar, {args.attributes[0]})),
                 args.attributes[1])
      .value();
}

Value cosine_similarity(Builder& build, const Args& args) {
  const int64_t dim = args.attributes[1];
  const TensorType types[] = {build.type(args.operands[0]), build.type(args.operands[1])};
  const Shape sizes = broadcast_sizes(types);
  const Expr x1 = promoted(build, args, 0).expand(sizes);
  const Expr x2 = promoted(build, args, 1).expand(sizes);
  const Expr eps = scalar(x1, args.attributes[0]), least = eps * eps;
  const auto unit = [&](Expr x) { return x / larger(squares(x, dim), least).apply(Op::Sqrt); };
  return along(Op::SumDim, unit(x1) * unit(x2), dim, false).value();
}

Value cosine_embedding_loss(Builder& build, const Args& args) {
  constexpr double kEpsilon = 1e-12;  // PyTorch's
  const Expr x1 = promoted(build, args, 0), x2 = promoted(build, args, 1);
  const Expr target = operand(build, args, 2);
  const int64_t dim = target.rank();
  const auto sum = [dim](Expr a) { return a.sum(Shape{dim}, false); };
  const Expr lengths = (sum(x1 * x1) + kEpsilon) * (sum(x2 * x2) + kEpsilon);
  const Expr cosine = sum(x1 * x2) / lengths.apply(Op::Sqrt);
  const Expr none = cosine.filled(0, {});
  const Expr apart = at_least_zero(cosine.apply(Op::SubScalar, {args.attributes[0]}));
  return reduced(where(equals(target, 1.0), 1.0 - cosine, none) +
                     where(equals(target, -1.0), apart, none),
                 args.attributes[1])
      .value();
}

Value poisson_nll_loss(Builder& build, const Args& args) {
  const Expr input = promoted(build, args, 0), target = promoted(build, args, 1);
  const bool log_input = args.attributes[1] != 0, full = args.attributes[2] != 0;
  const Expr eps = scalar(input, args.attributes[0]);
  Expr terms = log_input ? input.apply(Op::Exp) - target * input
                         : input - target * (input + eps).apply(Op::Log);
  if (full) {  // Stirling's formula for the logarithm of the factorial
    const Expr logs = target.apply(Op::Log);
    const Expr stirling =
        target * logs - target + (target * (2 * std::numbers::pi)).apply(Op::Log) * 0.5;
    terms = terms + where(reaches(target.filled(1, {}), target), target.filled(0, {}), stirling);
  }
  return reduced(terms, args.attributes[3]).value();
}

}  // namespace rt::decompositions
