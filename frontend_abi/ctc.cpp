// ctc.cpp -- connectionist temporal classification as a composition: one step of the forward
// algorithm for each step of the input, over all samples and states at once.
#include <limits>

#include "frontend_abi/calls.h"
#include "frontend_abi/compose.h"
#include "graph/error.h"

namespace rt::call {

using namespace compose;

namespace {

/// The logarithm that stands for that of 0, so that no difference of infinities is a NaN. Sums of
/// as many as a tensor has steps are still finite.
constexpr double kNever = -1e30;

/// log(exp(a) + exp(b) + ...).
Expr log_of_sum(std::initializer_list<Expr> terms) {
  Expr most = *terms.begin();
  for (const Expr& term : terms) most = larger(most, term);
  Expr sum;
  for (const Expr& term : terms) {
    const Expr share = (term - most).apply(Op::Exp);
    sum = sum ? sum + share : share;
  }
  return most + sum.apply(Op::Log);
}

struct Ctc {
  Expr log_probs;       ///< [T,N,C]
  Expr targets;         ///< [N,S], int64
  Expr input_lengths;   ///< [N], int64
  Expr target_lengths;  ///< [N], int64
  int64_t blank;

  int64_t steps() const { return log_probs.sizes()[0]; }
  int64_t samples() const { return log_probs.sizes()[1]; }
  int64_t length() const { return targets.sizes()[1]; }

  /// `[N,S]` and `[N,S+1]` of `between` as [N,2S+1], first and last of `between`.
  Expr interleaved(Expr values, Expr between) const {
    const int64_t n = samples(), s = length();
    if (s == 0) return between;
    const Expr first = slice(between, 1, 0, s);
    const Expr pairs = joined(Op::Stack, {first, values}, 2).reshape(Shape{n, 2 * s});
    return joined(Op::Cat, {pairs, slice(between, 1, s, s + 1)}, 1);
  }
  /// Numbers to add to states that are reached past a blank: kNever where that is not allowed.
  Expr skips(Expr labels) const {
    const int64_t n = samples(), s = length();
    const Expr never = log_probs.filled(kNever, Shape{n, s + 1});
    if (s == 0) return never;
    const Expr first = slice(never, 1, 0, 1);
    if (s == 1) return interleaved(first, never);
    const Expr repeated = slice(labels, 1, 1, s).apply(Op::Eq, slice(labels, 1, 0, s - 1));
    const Expr none = log_probs.filled(0, {});
    return interleaved(
        joined(Op::Cat, {first, where(repeated, log_probs.filled(kNever, {}), none)}, 1), never);
  }
  /// `states` moved on by one, kNever in front.
  Expr moved(Expr states) const {
    const int64_t count = states.sizes()[1];
    const Expr front = states.filled(kNever, Shape{samples(), 1});
    return count == 1 ? front : joined(Op::Cat, {front, slice(states, 1, 0, count - 1)}, 1);
  }

  /// The loss of each sample, [N].
  Expr losses() const {
    const int64_t n = samples(), states = 2 * length() + 1;
    const Expr places = counted(targets, length(), DType::I64);
    // Labels behind a target's length may be anything.
    const Expr lengths = with_dim(target_lengths, 1);
    const Expr labels = where(reaches(lengths, places + targets.filled(1, {})), targets,
                              targets.filled(static_cast<double>(blank), {}));
    const Expr extended =
        interleaved(labels, targets.filled(static_cast<double>(blank), Shape{n, length() + 1}));
    const Expr possible = where(equals(log_probs, -std::numeric_limits<double>::infinity()),
                                log_probs.filled(kNever, {}), log_probs);
    std::vector<Expr> emitted;
    entries_of(
        possible.apply(Op::Gather, with_dim(extended, 0).expand(Shape{steps(), n, states}), {2}),
        emitted);
    const Expr skip = skips(labels);
    Expr begin = log_probs.filled(0, Shape{std::min<int64_t>(states, 2)});
    if (states > 2)
      begin = joined(Op::Cat, {begin, log_probs.filled(kNever, Shape{states - 2})}, 0);
    Expr alpha = emitted[0] + begin;
    const Expr inputs = with_dim(input_lengths, 1);
    for (int64_t t = 1; t < steps(); ++t) {
      const Expr once = moved(alpha);
      const Expr next =
          log_of_sum({alpha, once, moved(once) + skip}) + emitted[static_cast<size_t>(t)];
      alpha = where(reaches(inputs, inputs.filled(static_cast<double>(t + 1), {})), next, alpha);
    }
    const auto last = [&](Expr state) { return alpha.apply(Op::Gather, state, {1}); };
    const Expr end = lengths + lengths, one = lengths.filled(1, {});
    const Expr before = (end - one).apply(Op::Relu);
    const Expr of_label =
        where(equals(lengths, int64_t{0}), alpha.filled(kNever, {}), last(before));
    return -log_of_sum({last(end), of_label}).apply(Op::SqueezeDim, {1});
  }
};

void check_sizes(Expr log_probs, Expr targets, Expr input_lengths, Expr target_lengths,
                 int64_t blank) {
  const auto refuse = [&](const auto&... cause) {
    fail("log_probs is ", to_string(log_probs.sizes()), ", targets ", to_string(targets.sizes()),
         ", input_lengths ", to_string(input_lengths.sizes()), " and target_lengths ",
         to_string(target_lengths.sizes()), "; ", cause...);
  };
  if (!is_float(log_probs.type().dtype)) refuse("log_probs must be floating point");
  for (const Expr& each : {targets, input_lengths, target_lengths})
    if (each.type().dtype != DType::I64 && each.type().dtype != DType::I32)
      refuse("all but log_probs must be i64 or i32");
  if (log_probs.rank() != 3 || targets.rank() != 2 || input_lengths.rank() != 1 ||
      target_lengths.rank() != 1)
    refuse("they must be [T,N,C], [N,S], [N] and [N]");
  const int64_t samples = log_probs.sizes()[1];
  if (targets.sizes()[0] != samples || input_lengths.sizes()[0] != samples ||
      target_lengths.sizes()[0] != samples)
    refuse("all must be of one batch, N");
  if (log_probs.sizes()[0] == 0) refuse("there must be at least one step, T");
  if (blank < 0 || blank >= log_probs.sizes()[2])
    fail("blank is ", blank, "; it must be one of the ", log_probs.sizes()[2], " classes");
}

}  // namespace

int64_t rt_torch_nn_ctc_loss(CallContext& context, int64_t log_probs, int64_t targets,
                             int64_t input_lengths, int64_t target_lengths, int64_t blank,
                             int64_t reduction, bool zero_infinity) {
  if (reduction < 0 || reduction > 2)
    fail("reduction is ", reduction, "; it must be 0 for none, 1 for the mean or 2 for the sum");
  const int64_t handles[] = {log_probs, targets, input_lengths, target_lengths};
  need_tensors(context, handles, {0, 1, 2, 3});
  return one(context, handles, [&](Builder& build, std::span<const Value> operands) {
    const std::vector<Expr> in = optionals(build, operands);
    check_sizes(in[0], in[1], in[2], in[3], blank);
    const Ctc ctc{in[0], in[1].cast(DType::I64), in[2].cast(DType::I64), in[3].cast(DType::I64),
                  blank};
    const Expr losses = ctc.losses();
    const double infinity = std::numeric_limits<double>::infinity();
    const Expr endless = losses.filled(zero_infinity ? 0 : infinity, {});
    const Expr terms = where(reaches(losses, losses.filled(-kNever / 2, {})), endless, losses);
    if (reduction != 1) return reduced(terms, reduction);
    const Expr one = ctc.target_lengths.filled(1, {});
    return reduced(terms / larger(ctc.target_lengths, one).cast(losses.type().dtype), 1);
  });
}

}  // namespace rt::call
