// layers.cpp -- layers and losses that are chosen or composed by the numbers that a call has.
#include <cmath>
#include <limits>
#include <numbers>

#include "frontend_abi/calls.h"
#include "frontend_abi/compose.h"
#include "graph/error.h"
#include "graph/ops/decompositions.h"
#include "graph/ops/formulas.h"
#include "graph/printable.h"

namespace rt::call {

using namespace compose;

// ---- Attention.

int64_t rt_torch_nn_scaled_dot_product_attention(CallContext& context, int64_t query, int64_t key,
                                                 int64_t value, int64_t attn_mask, double dropout_p,
                                                 bool is_causal, double scale) {
  check_probability("dropout_p", dropout_p);
  Call call = call_of(context, Op::ScaledDotProductAttention);
  call.handles = {query, key, value, attn_mask};
  call.args.attributes = {std::bit_cast<int64_t>(scale), is_causal ? 1 : 0};
  if (dropout_p == 0) return context.engine.recorder.record(context, call);
  return one(context, call.handles, [&](Builder& build, std::span<const Value> operands) {
    Args args = call.args;
    args.operands.assign(operands);
    infer(args, types_of(build, args));
    return decompositions::attend({.query = {build, operands[0]},
                                   .key = {build, operands[1]},
                                   .value = {build, operands[2]},
                                   .mask = optional(build, operands[3]),
                                   .scale = args.attributes[0],
                                   .causal = is_causal,
                                   .dropout = dropout_p})
        .mixed;
  });
}

namespace {

/// The arguments of a multi-head attention but for its tensors.
struct Heads {
  int64_t count;
  double dropout;
  bool need_weights, causal;
};

/// A mask as numbers to add: a bool one is true where a key must not be seen.
Expr added_mask(Expr mask, DType dtype) {
  if (mask.type().dtype != DType::Bool) return mask.cast(dtype);
  const Expr none = Expr(mask.build(), mask.build().cast(mask.value(), dtype)).filled(0, {});
  return where(mask, none + -std::numeric_limits<double>::infinity(), none);
}

void check_heads(const Shape& query, const Shape& key, const Shape& value, const Shape& weight,
                 int64_t heads) {
  const auto refuse = [&](const auto&... cause) {
    fail("query is ", to_string(query), ", key ", to_string(key), ", value ", to_string(value),
         " and in_proj_weight ", to_string(weight), "; ", cause...);
  };
  if ((query.size() != 2 && query.size() != 3) || key.size() != query.size())
    refuse("query must be [L,N,E] or [L,E], and key and value [S,N,E] or [S,E] alike");
  const int64_t features = query.back();
  if (!(key == value) || key.back() != features || (query.size() == 3 && key[1] != query[1]))
    refuse("key and value must have the same sizes, and the batch and features of query");
  if (weight.size() != 2 || weight[0] != 3 * features || weight[1] != features)
    refuse("in_proj_weight must be [", 3 * features, ",", features, "]");
  if (heads < 1 || features % heads != 0)
    fail("num_heads is ", heads, "; it must divide the ", features, " features of query");
}

std::vector<Value> multi_head_attention(const std::vector<Expr>& in, const Heads& heads) {
  Expr query = in[0], key = in[1], value = in[2];
  const Expr weight = in[3], bias = in[4];
  check_heads(query.sizes(), key.sizes(), value.sizes(), weight.sizes(), heads.count);
  const bool one_sequence = query.rank() == 2;
  if (one_sequence)
    for (Expr* const each : {&query, &key, &value}) *each = with_dim(*each, 1);
  const int64_t length = query.sizes()[0], batch = query.sizes()[1], features = query.sizes()[2];
  const int64_t keys = key.sizes()[0], width = features / heads.count;
  const auto projected = [&](Expr input, int64_t part) {
    const int64_t begin = part * features, end = begin + features;
    return linear(input, slice(weight, 0, begin, end), bias ? slice(bias, 0, begin, end) : bias);
  };
  Expr parts[3];
  if (in[0].value() == in[1].value() && in[1].value() == in[2].value()) {
    const Expr all = linear(query, weight, bias);
    for (int64_t i = 0; i < 3; ++i) parts[i] = slice(all, 2, i * features, (i + 1) * features);
  } else {
    const Expr inputs[] = {query, key, value};
    for (int64_t i = 0; i < 3; ++i) parts[i] = projected(inputs[i], i);
  }
  for (Expr& part : parts)  // [N, heads, L, width]
    part =
        part.reshape(Shape{part.sizes()[0], batch, heads.count, width}).permute(Shape{1, 2, 0, 3});
  const DType dtype = query.type().dtype;
  Expr mask;
  if (in[8]) {
    mask = added_mask(in[8], dtype);
    if (mask.rank() == 3) mask = mask.reshape(Shape{batch, heads.count, length, keys});
  }
  if (in[7]) {
    const Expr padding = added_mask(in[7], dtype).reshape(Shape{batch, 1, 1, keys});
    mask = mask ? mask + padding : padding;
  }
  Args args;
  args.op = Op::ScaledDotProductAttention;
  for (const Expr& part : parts) args.operands.push_back(part.value());
  args.operands.push_back(mask ? mask.value() : kNone);
  args.attributes = {
      std::bit_cast<int64_t>(1 / std::sqrt(static_cast<double>(std::max<int64_t>(width, 1)))),
      heads.causal ? 1 : 0};
  Expr mixed, shares;
  if (heads.need_weights || heads.dropout > 0) {
    const auto attended = decompositions::attend({.query = parts[0],
                                                  .key = parts[1],
                                                  .value = parts[2],
                                                  .mask = mask,
                                                  .scale = args.attributes[0],
                                                  .causal = heads.causal,
                                                  .dropout = heads.dropout});
    mixed = attended.mixed;
    shares = mean(attended.shares, Shape{1}, false);
  } else {
    mixed = {query.build(), query.build().append(args)};
  }
  Expr out = linear(mixed.permute(Shape{2, 0, 1, 3}).reshape(Shape{length, batch, features}), in[5],
                    in[6]);
  if (one_sequence) {
    out = out.apply(Op::SqueezeDim, {1});
    if (shares) shares = shares.apply(Op::SqueezeDim, {0});
  }
  if (heads.need_weights) return {out.value(), shares.value()};
  return {out.value()};
}

}  // namespace

int64_t rt_torch_nn_multi_head_attention(CallContext& context, int64_t query, int64_t key,
                                         int64_t value, int64_t num_heads, int64_t in_proj_weight,
                                         int64_t in_proj_bias, int64_t out_proj_weight,
                                         int64_t out_proj_bias, int64_t key_padding_mask,
                                         int64_t attn_mask, double dropout_p, bool training,
                                         bool need_weights, bool is_causal,
                                         abi::OutputList<int64_t> out) {
  check_probability("dropout_p", dropout_p);
  if (is_causal && attn_mask != 0) fail("is_causal is 1; leave out attn_mask, or give it alone");
  const int64_t handles[] = {query,         key,
                             value,         in_proj_weight,
                             in_proj_bias,  out_proj_weight,
                             out_proj_bias, key_padding_mask,
                             attn_mask};
  need_tensors(context, handles, {0, 1, 2, 3, 5});
  const Heads heads{num_heads, training ? dropout_p : 0, need_weights, is_causal};
  return list(context, handles, out, [&](Builder& build, std::span<const Value> operands) {
    return multi_head_attention(optionals(build, operands), heads);
  });
}

// ---- Losses.

int64_t rt_torch_nn_cross_entropy_loss(CallContext& context, int64_t self, int64_t target,
                                       int64_t weight, int64_t reduction, int64_t ignore_index,
                                       double label_smoothing) {
  const bool smoothed = label_smoothing != 0;
  Call call = call_of(context, smoothed ? Op::SmoothedCrossEntropy : Op::WeightedCrossEntropy);
  call.handles = {self, target, weight};
  if (smoothed) call.args.attributes.push_back(std::bit_cast<int64_t>(label_smoothing));
  call.args.attributes.push_back(reduction);
  call.args.attributes.push_back(ignore_index);
  return context.engine.recorder.record(context, call);
}

namespace {

/// The p-norm of a along dim, which stays with size 1.
Expr length(Expr a, double p, int64_t dim) {
  const Expr sizes = a.apply(Op::Abs);
  if (p == 2) return along(Op::SumDim, a * a, dim, true).apply(Op::Sqrt);
  if (p == 1) return along(Op::SumDim, sizes, dim, true);
  if (p == std::numeric_limits<double>::infinity()) return along(Op::MaxDim, sizes, dim, true);
  return along(Op::SumDim, sizes.pow(p), dim, true).pow(1 / p);
}

void check_norm(double p) {
  if (!(p > 0)) fail("p is ", to_string(p), "; it must be above 0, or infinite");
}

void check_reduction(int64_t reduction) {
  if (reduction < 0 || reduction > 2)
    fail("reduction is ", reduction, "; it must be 0 for none, 1 for the mean or 2 for the sum");
}

}  // namespace

int64_t rt_torch_nn_triplet_margin_loss(CallContext& context, int64_t anchor, int64_t positive,
                                        int64_t negative, double margin, double p, double eps,
                                        bool swap, int64_t reduction) {
  check_norm(p);
  check_reduction(reduction);
  if (!(margin > 0)) fail("margin is ", to_string(margin), "; it must be above 0");
  const int64_t handles[] = {anchor, positive, negative};
  need_tensors(context, handles, {0, 1, 2});
  return one(context, handles, [&](Builder& build, std::span<const Value> operands) {
    const std::vector<Expr> in = optionals(build, operands);
    for (const Expr& each : in)
      if (each.rank() != in[0].rank() || each.rank() == 0)
        fail("anchor is ", to_string(in[0].sizes()), ", positive ", to_string(in[1].sizes()),
             " and negative ", to_string(in[2].sizes()),
             "; they must have as many dimensions, at least 1");
    const auto apart = [&](Expr a, Expr b) {
      const Expr difference = a - b + eps;
      return length(difference, p, difference.rank() - 1).apply(Op::SqueezeDim, {-1});
    };
    Expr far = apart(in[0], in[2]);
    if (swap) {
      const Expr other = apart(in[1], in[2]);
      far = where(reaches(far, other), other, far);
    }
    return reduced(at_least_zero(apart(in[0], in[1]) - far + margin), reduction);
  });
}

int64_t rt_torch_nn_gaussian_nll_loss(CallContext& context, int64_t input, int64_t target,
                                      int64_t var, bool full, double eps, int64_t reduction) {
  check_reduction(reduction);
  if (!(eps > 0)) fail("eps is ", to_string(eps), "; it must be above 0");
  const int64_t handles[] = {input, target, var};
  need_tensors(context, handles, {0, 1, 2});
  return one(context, handles, [&](Builder& build, std::span<const Value> operands) {
    const std::vector<Expr> in = optionals(build, operands);
    Expr variance = in[2];
    const Shape sizes = in[0].sizes(), given = variance.sizes();
    Shape without_last = sizes, single_last = sizes;
    if (!sizes.empty()) {
      without_last.erase(sizes.size() - 1);
      single_last.back() = 1;
    }
    if (given == without_last && !(given == sizes)) variance = variance.reshape(single_last);
    else if (!(given == sizes) && !(given == single_last))
      fail("var is ", to_string(given), " and input ", to_string(sizes),
           "; var must have the sizes of input, or 1 at its last dimension, or not that dimension");
    variance = larger(variance, variance.filled(eps, {}));
    const Expr error = in[0] - in[1];
    Expr terms = (variance.apply(Op::Log) + error * error / variance) * 0.5;
    if (full) terms = terms + 0.5 * std::log(2 * std::numbers::pi);
    return reduced(terms, reduction);
  });
}

int64_t rt_torch_nn_normalize(CallContext& context, int64_t input, double p, int64_t dim,
                              double eps) {
  check_norm(p);
  const int64_t handles[] = {input};
  need_tensors(context, handles, {0});
  return one(context, handles, [&](Builder& build, std::span<const Value> operands) {
    const Expr self(build, operands[0]);
    if (!is_float(self.type().dtype))
      fail("input is ", name(self.type().dtype), "; it must be floating point; convert with ",
           "to_float32");
    const int64_t axis = wrapped_dim(dim, static_cast<size_t>(self.rank()));
    if (p == 2) {
      const Expr least = self.filled(eps, {});
      return self /
             larger(along(Op::SumDim, self * self, axis, true), least * least).apply(Op::Sqrt);
    }
    return self / larger(length(self, p, axis), self.filled(eps, {}));
  });
}

// ---- Dropout of channels, and dropout that keeps mean and variance.

namespace {

/// input with whole channels dropped; of one sample, where it has only `unbatched` dimensions.
int64_t drop_channels(CallContext& context, int64_t input, double p, bool train,
                      int64_t unbatched) {
  check_probability("p", p);
  const int64_t handles[] = {input};
  need_tensors(context, handles, {0});
  return one(context, handles, [&](Builder& build, std::span<const Value> operands) {
    const Expr self(build, operands[0]);
    const Shape from = self.sizes();
    if (from.size() < 2)
      fail("input is ", to_string(from), "; it must be [N,C,...], C the channels");
    if (!train || p == 0 || numel(from) == 0) return self;
    Shape sizes = from;
    const uint32_t first = from.size() == unbatched ? 1 : 2;
    for (uint32_t d = first; d < sizes.size(); ++d) sizes[d] = 1;
    return self * self.filled(1, sizes).apply(Op::DropoutMask, {build.constant(p), 1});
  });
}

}  // namespace

int64_t rt_torch_nn_dropout1d(CallContext& context, int64_t input, double p, bool train) {
  return drop_channels(context, input, p, train, 2);
}
int64_t rt_torch_nn_dropout2d(CallContext& context, int64_t input, double p, bool train) {
  return drop_channels(context, input, p, train, 0);
}
int64_t rt_torch_nn_dropout3d(CallContext& context, int64_t input, double p, bool train) {
  return drop_channels(context, input, p, train, 4);
}

int64_t rt_torch_nn_alpha_dropout(CallContext& context, int64_t input, double p, bool train) {
  check_probability("p", p);
  const int64_t handles[] = {input};
  need_tensors(context, handles, {0});
  return one(context, handles, [&](Builder& build, std::span<const Value> operands) {
    const Expr self(build, operands[0]);
    if (!train || p == 0 || numel(self.sizes()) == 0) return self;
    const Expr mask = self.apply(Op::DropoutMask, {build.constant(p), 1});
    if (p == 1) return self * mask;
    // The value that selu tends to, and what makes mean and variance those of input.
    constexpr double kAlpha = 1.7580993408473766;
    const double scale = 1 / std::sqrt((kAlpha * kAlpha * p + 1) * (1 - p));
    const Expr kept = mask * (1 - p);
    return self * (kept * scale) + ((kept + -1.0) * (kAlpha * scale) + kAlpha * scale * p);
  });
}

// ---- Bags of embeddings.

namespace {

void check_bags(Expr weight, Expr indices, Expr offsets, Expr factors, int64_t mode) {
  if (mode < 0 || mode > 2)
    fail("mode is ", mode, "; it must be 0 for the sum, 1 for the mean or 2 for the largest");
  if (weight.rank() != 2)
    fail("weight is ", to_string(weight.sizes()), "; it must be [num_embeddings,embedding_dim]");
  if (offsets ? indices.rank() != 1 || offsets.rank() != 1 : indices.rank() != 2)
    fail("indices is ", to_string(indices.sizes()), "; it must be [B,n], or [n] with offsets [B]");
  if (offsets && mode == 2)
    fail("mode is 2 with offsets; give indices as [B,n] for the largest of each row");
  if (!factors) return;
  if (mode != 0) fail("mode is ", mode, "; with per_sample_weights it must be 0, the sum");
  if (!(factors.sizes() == indices.sizes()) || factors.type().dtype != weight.type().dtype)
    fail("per_sample_weights is ", to_string(factors.type().dtype, factors.sizes()),
         "; it must be ", to_string(weight.type().dtype, indices.sizes()));
}

/// For each of `count` indices the number of its bag: how many offsets are at most its place, less
/// one.
Expr bags_of(Expr offsets, int64_t count) {
  Builder& build = offsets.build();
  const Expr places = counted(offsets, count + 1, DType::F64) * 0.0;
  const Expr ones = places.filled(1, offsets.sizes());
  const Expr begun = places.apply(Op::ScatterAdd, offsets.cast(DType::I64), ones, {0});
  const Expr bags = begun.apply(Op::Cumsum, {0}) + -1.0;
  return slice(Expr(build, build.cast(bags.value(), DType::I64)), 0, 0, count);
}

}  // namespace

int64_t rt_torch_nn_embedding_bag(CallContext& context, int64_t weight, int64_t indices,
                                  int64_t offsets, int64_t mode, int64_t per_sample_weights,
                                  bool include_last_offset) {
  const int64_t handles[] = {weight, indices, offsets, per_sample_weights};
  need_tensors(context, handles, {0, 1});
  return one(context, handles, [&](Builder& build, std::span<const Value> operands) {
    const std::vector<Expr> in = optionals(build, operands);
    const Expr table = in[0], factors = in[3];
    Expr begins = in[2];
    check_bags(table, in[1], begins, factors, mode);
    Expr rows = in[1].apply(Op::Embedding, table);
    if (factors) rows = rows * with_dim(factors, factors.rank());
    if (!begins) {
      const int64_t width = in[1].sizes()[1];
      if (width == 0) return rows.sum(Shape{1}, false);
      return mode == 0   ? rows.sum(Shape{1}, false)
             : mode == 1 ? mean(rows, Shape{1}, false)
                         : rows.apply(Op::MaxDim, {1, 0});
    }
    if (include_last_offset) {
      if (begins.sizes()[0] == 0) fail("offsets is empty; include_last_offset is 1, so it has one");
      begins = slice(begins, 0, 0, begins.sizes()[0] - 1);
    }
    const int64_t bags = begins.sizes()[0], count = in[1].sizes()[0];
    const Expr bag = bags_of(begins, count);
    const Expr sums = rows.apply(Op::EmbeddingBackward, bag, {bags});
    if (mode == 0) return sums;
    const Expr counts = rows.filled(1, Shape{count, 1}).apply(Op::EmbeddingBackward, bag, {bags});
    return sums / larger(counts, counts.filled(1, {}));
  });
}

// ---- Resampling.

int64_t rt_torch_nn_interpolate(CallContext& context, int64_t input, std::span<const int64_t> size,
                                std::span<const double> scale_factor, std::string_view mode,
                                bool align_corners) {
  const bool near = mode == "nearest", linear = mode == "linear" || mode == "bilinear";
  if (!near && !linear)
    fail("mode is \"", printable(mode), "\"; it must be nearest, linear or bilinear");
  if (near && align_corners) fail("align_corners is 1; it needs the mode linear or bilinear");
  if (size.empty() == scale_factor.empty())
    fail("give one of size and scale_factor, and leave the other empty");
  const int64_t handles[] = {input};
  need_tensors(context, handles, {0});
  return one(context, handles, [&](Builder& build, std::span<const Value> operands) {
    Expr out(build, operands[0]);
    const Shape from = out.sizes();
    const size_t given = size.size() + scale_factor.size();
    const size_t dims = from.size() < 3 ? 0 : from.size() - 2;
    const size_t wanted = mode == "linear" ? 1 : mode == "bilinear" ? 2 : std::min<size_t>(dims, 3);
    if (dims == 0 || dims != wanted)
      fail("input is ", to_string(from), "; for mode ", mode, " it must be ",
           mode == "linear"     ? "[N,C,L]"
           : mode == "bilinear" ? "[N,C,H,W]"
                                : "[N,C,d...]");
    if (given != 1 && given != dims)
      fail(size.empty() ? "scale_factor" : "size", " has ", given, " numbers; give one, or ", dims,
           ", one for each dimension behind the channels");
    if (!is_float(out.type().dtype))
      fail("input is ", name(out.type().dtype), "; convert with to_float32 first");
    Shape to = from;
    double scales[3] = {};
    bool exact = true;
    for (uint32_t d = 0; d < dims; ++d) {
      const int64_t here = from[d + 2];
      int64_t& result = to[d + 2];
      const size_t at = given == 1 ? 0 : d;
      if (here == 0) fail("input is ", to_string(from), "; only its batch may be empty");
      if (!size.empty()) {
        result = size[at];
      } else {
        const double wide = static_cast<double>(here) * scale_factor[at];
        if (!(scale_factor[at] > 0) || wide > INT32_MAX)
          fail("scale_factor is ", to_string(scale_factor[at]), "; it must be positive, and the ",
               "result at most ", INT32_MAX);
        result = static_cast<int64_t>(std::floor(wide));
      }
      if (result < 1 || result > INT32_MAX)
        fail("the result would have size ", result, "; each size must be from 1 to ", INT32_MAX);
      scales[d] = decompositions::linear_scale(here, result, align_corners);
      if (size.empty() && !align_corners) {
        const double from_factor = 1 / scale_factor[at];
        exact = exact && from_factor == scales[d];
        scales[d] = from_factor;
      }
    }
    if (exact && dims == 2) {
      Args args;
      args.op = near ? Op::UpsampleNearest2d : Op::UpsampleBilinear2d;
      args.operands = {out.value()};
      if (!near) args.attributes.push_back(align_corners ? 1 : 0);
      for (const int64_t number : {int64_t{2}, to[2], to[3]}) args.attributes.push_back(number);
      return Expr(build, build.append(args));
    }
    if (numel(to) == 0) return nothing_of(out, to);
    for (uint32_t d = 0; d < dims; ++d)
      out = near ? decompositions::nearest(out, d + 2, to[d + 2], scales[d])
                 : decompositions::linear_between(out, d + 2, to[d + 2], scales[d], align_corners);
    return out;
  });
}

}  // namespace rt::call
