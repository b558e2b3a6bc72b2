// decompositions_nn.cpp -- attention, normalizations, resampling and other layers as compositions.
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "graph/ops/decompositions.h"
#include "graph/ops/formulas.h"
#include "graph/ops/infer.h"

namespace rt::decompositions {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

Expr optional(Builder& build, const Args& args, uint32_t i) {
  return args.operands[i] == kNone ? Expr() : Expr(build, args.operands[i]);
}
AttributesView attributes_of(const Args& args) {
  return {info(args.op), {args.attributes.data(), args.attributes.size()}};
}

/// Numbers to add to scores [L,S]: -infinity for keys behind their query.
Expr causal_mask(Expr scores) {
  const Shape sizes = scores.sizes();
  const auto positions = [&](uint32_t back) {
    return counted(scores, sizes[sizes.size() - back], scores.type().dtype);
  };
  const Expr behind = positions(1) - with_dim(positions(2), 1);
  return where(equals(behind.apply(Op::Relu), 0.0), scores.filled(0, {}),
               scores.filled(-kInfinity, {}));
}

/// Channels in the sizes in which they broadcast to an input of this rank.
Expr by_channel(Expr numbers, int64_t rank) {
  Shape sizes;
  sizes.resize(static_cast<uint32_t>(rank), 1);
  sizes[1] = numel(numbers.sizes());
  return numbers.reshape(sizes);
}

/// Each row of `groups` [rows, n] with mean 0 and variance 1.
Expr normal_rows(Expr groups, int64_t eps) {
  const int64_t width = groups.sizes().back();
  Args args;
  args.op = Op::LayerNorm;
  args.operands = {groups.value(), kNone, kNone};
  args.attributes = {eps, 1, width};
  return {groups.build(), groups.build().append(args)};
}

/// input [N,C,...], `rows` parts of it each normalized, then times weight plus bias.
Value normal_parts(Builder& build, const Args& args, int64_t rows) {
  const Expr input = operand(build, args, 0);
  const int64_t count = numel(input.sizes());
  Expr out = input;
  if (count > 0)
    out = normal_rows(input.reshape(Shape{rows, count / rows}), args.attributes[0])
              .reshape(input.sizes());
  if (const Expr weight = optional(build, args, 1); weight)
    out = out * by_channel(weight, input.rank());
  if (const Expr bias = optional(build, args, 2); bias) out = out + by_channel(bias, input.rank());
  return out.value();
}

}  // namespace

Attended attend(const Attention& call) {
  Expr scores = matmul(call.query, transposed(call.key)).apply(Op::MulScalar, {call.scale});
  Expr dead;  // true for queries that may look at no key
  const int64_t keys = scores.sizes().back();
  if (call.mask) {
    Expr mask = call.mask;
    if (mask.type().dtype == DType::Bool)
      mask = where(mask, scores.filled(0, {}), scores.filled(-kInfinity, {}));
    mask = mask.cast(scores.type().dtype);
    if (keys > 0) {
      dead = equals(mask.apply(Op::MaxDim, {-1, 1}), -kInfinity);
      mask = where(dead, mask.filled(0, {}), mask);
    }
    scores = scores + mask;
  }
  if (call.causal) scores = scores + causal_mask(scores);
  Expr shares = scores.apply(Op::Softmax, {scores.rank() - 1});
  if (call.dropout > 0) {
    Builder& build = shares.build();
    const Expr mask = shares.apply(Op::DropoutMask, {build.constant(call.dropout), 1});
    shares = shares * mask;
  }
  const Expr mixed = matmul(shares, call.value);
  if (!dead) return {mixed, shares};
  const Expr none = mixed.filled(0, {});
  return {where(dead, none, mixed), where(dead, none, shares)};
}

Value scaled_dot_product_attention(Builder& build, const Args& args) {
  return attend({.query = operand(build, args, 0),
                 .key = operand(build, args, 1),
                 .value = operand(build, args, 2),
                 .mask = optional(build, args, 3),
                 .scale = args.attributes[0],
                 .causal = args.attributes[1] != 0})
      .mixed.value();
}

// ---- Normalizations.

Value group_norm(Builder& build, const Args& args) {
  return normal_parts(build, args, build.type(args.operands[0]).sizes[0] * args.attributes[1]);
}

Value instance_norm(Builder& build, const Args& args) {
  const TensorType input = build.type(args.operands[0]);
  return normal_parts(build, args, input.sizes[0] * input.sizes[1]);
}

Value rms_norm(Builder& build, const Args& args) {
  const Expr input = operand(build, args, 0);
  const Expr wide = is_half(input.type().dtype) ? input.cast(DType::F32) : input;
  Shape dims;
  const auto count = static_cast<int64_t>(attributes_of(args).list(0).size());
  for (int64_t back = count; back > 0; --back) dims.push_back(input.rank() - back);
  const Expr power = mean(wide * wide, dims, true).apply(Op::AddScalar, {args.attributes[0]});
  Expr out = (wide * power.pow(-0.5)).cast(input.type().dtype);
  if (const Expr weight = optional(build, args, 1); weight) out = out * weight;
  return out.value();
}

// ---- Convolutions.

namespace {

Expr convolved(Expr input, Expr weight, Expr bias, std::initializer_list<Shape> lists,
               int64_t groups) {
  Args args;
  args.op = Op::Conv2d;
  args.operands = {input.value(), weight.value(), bias ? bias.value() : kNone};
  args.attributes = {groups};
  for (const Shape& list : lists) {
    args.attributes.push_back(list.size());
    args.attributes.append(list);
  }
  return {input.build(), input.build().append(args)};
}

Shape list_of(const Args& args, uint32_t list) {
  return Shape(Sizes(attributes_of(args).list(list)));
}

}  // namespace

Value conv1d(Builder& build, const Args& args) {
  const Expr input = operand(build, args, 0);
  const Expr out = convolved(
      with_dim(input, -2), with_dim(operand(build, args, 1), -2), optional(build, args, 2),
      {{1, list_of(args, 0)[0]}, {0, list_of(args, 1)[0]}, {1, list_of(args, 2)[0]}},
      args.attributes[0]);
  return out.apply(Op::SqueezeDim, {-2}).value();
}

// The depth becomes channels: each result's planes within the kernel's depth are channels of one
// image, and the kernel's planes are channels of its weight.
Value conv3d(Builder& build, const Args& args) {
  Expr input = operand(build, args, 0);
  const Expr weight = operand(build, args, 1);
  const bool one_volume = input.rank() == 4;
  if (one_volume) input = with_dim(input, 0);
  const Shape stride = list_of(args, 0), padding = list_of(args, 1), dilation = list_of(args, 2);
  const Shape kernel = weight.sizes();
  input = padded(input, 2, padding[0], padding[0]);
  const Shape sizes = input.sizes();
  const int64_t depth = (sizes[2] - dilation[0] * (kernel[2] - 1) - 1) / stride[0] + 1;
  std::vector<Expr> planes;
  for (int64_t k = 0; k < kernel[2]; ++k) {
    const int64_t first = k * dilation[0];
    planes.push_back(slice(input, 2, first, first + (depth - 1) * stride[0] + 1, stride[0]));
  }
  const Expr images =
      joined(Op::Stack, planes, 2)  // [N, C, KD, OD, H, W]
          .permute(Shape{0, 3, 1, 2, 4, 5})
          .reshape(Shape{sizes[0] * depth, sizes[1] * kernel[2], sizes[3], sizes[4]});
  const Expr flat = weight.reshape(Shape{kernel[0], kernel[1] * kernel[2], kernel[3], kernel[4]});
  const Expr out =
      convolved(images, flat, optional(build, args, 2),
                {{stride[1], stride[2]}, {padding[1], padding[2]}, {dilation[1], dilation[2]}},
                args.attributes[0]);
  const Shape made = out.sizes();
  const Expr volumes =
      out.reshape(Shape{sizes[0], depth, made[1], made[2], made[3]}).permute(Shape{0, 2, 1, 3, 4});
  return (one_volume ? volumes.apply(Op::SqueezeDim, {0}) : volumes).value();
}

// ---- Transposed convolutions.

// The gradient of a convolution's input. Rows of zeros behind the input stand for the part of
// output_padding that reaches over whole steps of stride.
Value conv_transpose2d(Builder& build, const Args& args) {
  Expr input = operand(build, args, 0);
  if (numel(args.shape) == 0) return nothing_of(input, args.shape).value();
  const Shape stride = list_of(args, 0), more = list_of(args, 2);
  Shape sizes = args.shape;
  const bool one_image = input.rank() == 3;
  if (one_image) {
    input = with_dim(input, 0);
    sizes.insert(0, 1);
  }
  for (const uint32_t d : {0u, 1u}) input = padded(input, d + 2, 0, more[d] / stride[d]);
  Args convolution;
  convolution.op = Op::Conv2dBackwardInput;
  convolution.operands = {input.value(), input.filled(0, {}).expand(sizes).value(),
                          args.operands[1]};
  convolution.attributes = {args.attributes[0]};
  for (const Shape& list : {stride, list_of(args, 1), list_of(args, 3)}) {
    convolution.attributes.push_back(list.size());
    convolution.attributes.append(list);
  }
  Expr out(build, build.append(convolution));
  if (const Expr bias = optional(build, args, 2); bias) out = out + by_channel(bias, 4);
  return out.reshape(args.shape).value();
}

namespace {

/// A call of conv_transpose1d as one of conv_transpose2d over images of one row.
Args as_images(Builder& build, const Args& args) {
  Args wide;
  wide.op = Op::ConvTranspose2d;
  wide.operands = {with_dim(operand(build, args, 0), -2).value(),
                   with_dim(operand(build, args, 1), -2).value(), args.operands[2]};
  wide.attributes = {args.attributes[0]};
  const int64_t otherwise[] = {1, 0, 0, 1};  // of stride, padding, output_padding and dilation
  for (uint32_t list = 0; list < 4; ++list)
    for (const int64_t number : {int64_t{2}, otherwise[list], list_of(args, list)[0]})
      wide.attributes.push_back(number);
  wide.shape = args.shape;
  wide.shape.insert(wide.shape.size() - 1, 1);
  return wide;
}

}  // namespace

Value conv_transpose1d(Builder& build, const Args& args) {
  const Value images = conv_transpose2d(build, as_images(build, args));
  return build.op(Op::SqueezeDim, {images}, {-2});
}

Value graded_conv_transpose1d(Builder& build, const Args& args) {
  Args images = as_images(build, args);
  return build.op(Op::SqueezeDim, {build.append(images)}, {-2});
}

// ---- Pools.

namespace {

/// A row of pool2d over [...,1,L] in place of [...,L].
Value pooled_rows(Builder& build, const Args& args, Op op) {
  Args pool;
  pool.op = op;
  pool.operands = {with_dim(operand(build, args, 0), -2).value()};
  const int64_t otherwise[] = {1, 1, 0};  // of kernel_size, stride and padding
  for (uint32_t list = 0; list < 3; ++list) {
    pool.attributes.push_back(2);
    pool.attributes.push_back(otherwise[list]);
    pool.attributes.push_back(list_of(args, list)[0]);
  }
  return Expr(build, build.append(pool)).apply(Op::SqueezeDim, {-2}).value();
}

/// The windows that cover `size` elements evenly: from i * size / count, rounded down, to
/// (i + 1) * size / count, rounded up. They may overlap.
struct EvenWindows {
  int64_t size, count;
  int64_t begin(int64_t i) const { return static_cast<int64_t>(shape::Wide{i} * size / count); }
  int64_t end(int64_t i) const {
    return static_cast<int64_t>((shape::Wide{i} * size + size + count - 1) / count);
  }
  int64_t longest() const { return size / count + 2; }  ///< at least as long as each

  /// begin() of all windows, and end() of all, as tensors on the device.
  Expr begins(Expr like) const {
    return whole(counted(like, count, DType::F64) * static_cast<double>(size));
  }
  Expr ends(Expr like) const {
    const auto last = static_cast<double>(size + count - 1);
    return whole(counted(like, count, DType::F64) * static_cast<double>(size) + last);
  }

 private:
  Expr whole(Expr numbers) const {
    return (numbers / static_cast<double>(count)).cast(DType::I64).cast(DType::F64);
  }
};

/// Reduces dim to `windows`, one after the other.
Expr few_windows(Expr self, int64_t dim, const EvenWindows& windows, bool largest) {
  std::vector<Expr> parts;
  for (int64_t i = 0; i < windows.count; ++i) {
    const Expr part = slice(self, dim, windows.begin(i), windows.end(i));
    parts.push_back(largest ? along(Op::MaxDim, part, dim, true) : mean(part, Shape{dim}, true));
  }
  return parts.size() == 1 ? parts[0] : joined(Op::Cat, parts, dim);
}

/// Reduces dim to `windows`, one element of all windows after the other. The last one of a window
/// stands for those that only longer windows have.
Expr short_windows(Expr self, int64_t dim, const EvenWindows& windows, bool largest) {
  Shape sizes;
  sizes.resize(static_cast<uint32_t>(self.rank()), 1);
  sizes[static_cast<uint32_t>(dim)] = windows.count;
  const Expr begins = windows.begins(self), ends = windows.ends(self);
  std::vector<Expr> picked;
  Expr sum;
  for (int64_t i = 0; i < windows.longest(); ++i) {
    const Expr place = begins + static_cast<double>(i), behind = place - ends;
    const Expr index = place - (behind + 1.0).apply(Op::Relu);
    const Expr element = self.apply(Op::IndexSelect, index.cast(DType::I64), {dim});
    if (largest) {
      picked.push_back(element);
      continue;
    }
    const Expr inside = equals((behind + 1.0).apply(Op::Relu), 0.0).reshape(sizes);
    const Expr term = where(inside, element, element.filled(0, {}));
    sum = sum ? sum + term : term;
  }
  if (largest) return along(Op::MaxDim, joined(Op::Stack, picked, dim + 1), dim + 1, false);
  return sum / (ends - begins).cast(self.type().dtype).reshape(sizes);
}

Expr windows(Expr self, int64_t dim, int64_t count, bool largest) {
  const EvenWindows windows{self.sizes()[static_cast<uint32_t>(dim)], count};
  if (windows.size == count) return self;
  return count <= windows.longest() ? few_windows(self, dim, windows, largest)
                                    : short_windows(self, dim, windows, largest);
}

/// A pool whose windows cover the last dimensions evenly. Windows of one size are a common pool.
Value adaptive_pool(Builder& build, const Args& args, bool largest) {
  const Expr self = operand(build, args, 0);
  const Shape from = self.sizes();
  const uint32_t dims = attributes_of(args).list(0).size() == 1 ? 1 : 2;
  const uint32_t first = from.size() - dims;
  if (numel(args.shape) == 0) return nothing_of(self, args.shape).value();
  bool even = true;
  for (uint32_t d = first; d < from.size(); ++d) even = even && from[d] % args.shape[d] == 0;
  if (!even) {
    // The last dimension comes first, so that of equal elements the first row by row counts.
    Expr out = self;
    for (uint32_t d = from.size(); d-- > first;) out = windows(out, d, args.shape[d], largest);
    return out.value();
  }
  Args pool;
  pool.op = largest ? Op::MaxPool2d : Op::AvgPool2d;
  pool.operands = {(dims == 1 ? with_dim(self, -2) : self).value()};
  for (int list = 0; list < 2; ++list) {  // the stride is the kernel_size
    pool.attributes.push_back(2);
    if (dims == 1) pool.attributes.push_back(1);
    for (uint32_t d = first; d < from.size(); ++d)
      pool.attributes.push_back(from[d] / args.shape[d]);
  }
  for (const int64_t number : {2, 0, 0}) pool.attributes.push_back(number);
  const Expr out(build, build.append(pool));
  return (dims == 1 ? out.apply(Op::SqueezeDim, {-2}) : out).value();
}

}  // namespace

Value max_pool1d(Builder& build, const Args& args) {
  return pooled_rows(build, args, Op::MaxPool2d);
}
Value avg_pool1d(Builder& build, const Args& args) {
  return pooled_rows(build, args, Op::AvgPool2d);
}
Value adaptive_avg_pool(Builder& build, const Args& args) {
  return adaptive_pool(build, args, false);
}
Value adaptive_max_pool(Builder& build, const Args& args) {
  return adaptive_pool(build, args, true);
}

// ---- Resampling.

Expr nearest(Expr self, int64_t dim, int64_t count, double scale) {
  const auto at = static_cast<uint32_t>(dim);
  const Shape from = self.sizes();
  const int64_t size = from[at];
  if (size == count && scale == 1) return self;
  if (count % size == 0 && scale * static_cast<double>(count) == static_cast<double>(size)) {
    // Each element is repeated.
    Shape wide = from, result = from;
    wide.insert(at + 1, count / size);
    result[at] = count;
    return with_dim(self, dim + 1).expand(wide).reshape(result);
  }
  const Expr places = counted(self, count, self.type().dtype) * scale;
  const Expr beyond = (places + -static_cast<double>(size - 1)).apply(Op::Relu);
  return self.apply(Op::IndexSelect, (places - beyond).cast(DType::I64), {dim});
}

Expr linear_between(Expr self, int64_t dim, int64_t count, double scale, bool align_corners) {
  const int64_t size = self.sizes()[static_cast<uint32_t>(dim)];
  if (size == count && scale == 1) return self;
  Expr places = counted(self, count, self.type().dtype);
  places = align_corners ? places * scale : ((places + 0.5) * scale + -0.5).apply(Op::Relu);
  const auto bounded = [&](Expr index) {
    return index - (index + -static_cast<double>(size - 1)).apply(Op::Relu);
  };
  const Expr low = places.cast(DType::I64).cast(places.type().dtype);
  const Expr first = bounded(low), second = bounded(low + 1.0);
  Expr share = places - first;
  share = share - (share + -1.0).apply(Op::Relu);
  Shape sizes;
  sizes.resize(static_cast<uint32_t>(self.rank()), 1);
  sizes[static_cast<uint32_t>(dim)] = count;
  share = share.reshape(sizes);
  const auto picked = [&](Expr index) {
    return self.apply(Op::IndexSelect, index.cast(DType::I64), {dim});
  };
  return picked(first) * (1.0 - share) + picked(second) * share;
}

double linear_scale(int64_t from, int64_t to, bool align_corners) {
  if (!align_corners) return static_cast<double>(from) / static_cast<double>(to);
  return to > 1 ? static_cast<double>(from - 1) / static_cast<double>(to - 1) : 0;
}

Value upsample_nearest2d(Builder& build, const Args& args) {
  Expr out = operand(build, args, 0);
  if (numel(args.shape) == 0) return nothing_of(out, args.shape).value();
  for (const uint32_t dim : {2u, 3u})
    out =
        nearest(out, dim, args.shape[dim], linear_scale(out.sizes()[dim], args.shape[dim], false));
  return out.value();
}

Value upsample_bilinear2d(Builder& build, const Args& args) {
  Expr out = operand(build, args, 0);
  if (numel(args.shape) == 0) return nothing_of(out, args.shape).value();
  const bool align_corners = args.attributes[0] != 0;
  for (const uint32_t dim : {2u, 3u})
    out = linear_between(out, dim, args.shape[dim],
                         linear_scale(out.sizes()[dim], args.shape[dim], align_corners),
                         align_corners);
  return out.value();
}

// ---- Elements moved between channels and pixels.

Value pixel_shuffle(Builder& build, const Args& args) {
  const Expr self = operand(build, args, 0);
  const Shape from = self.sizes();
  const int64_t factor = args.attributes[0], channels = from[from.size() - 3];
  const int64_t images = numel(Sizes(from).first(from.size() - 3));
  return self
      .reshape(Shape{images, channels / (factor * factor), factor, factor, from[from.size() - 2],
                     from.back()})
      .permute(Shape{0, 1, 4, 2, 5, 3})
      .reshape(args.shape)
      .value();
}

Value pixel_unshuffle(Builder& build, const Args& args) {
  const Expr self = operand(build, args, 0);
  if (numel(args.shape) == 0) return nothing_of(self, args.shape).value();
  const Shape from = self.sizes();
  const int64_t factor = args.attributes[0], channels = from[from.size() - 3];
  const int64_t images = numel(Sizes(from).first(from.size() - 3));
  return self
      .reshape(Shape{images, channels, from[from.size() - 2] / factor, factor, from.back() / factor,
                     factor})
      .permute(Shape{0, 1, 3, 5, 2, 4})
      .reshape(args.shape)
      .value();
}

Value glu(Builder& build, const Args& args) {
  const Expr self = operand(build, args, 0);
  const int64_t dim = args.attributes[0], half = args.shape[static_cast<uint32_t>(dim)];
  return (slice(self, dim, 0, half) * slice(self, dim, half, 2 * half).apply(Op::Sigmoid)).value();
}

// ---- Windows.

namespace {

/// The windows over one dimension of images: each of the `kernel` elements of a window picks
/// elements at a distance of `stride`.
struct Windows {
  int64_t kernel, dilation, padding, stride, size, count;

  Windows(const Args& args, uint32_t first, uint32_t d, int64_t size) : size(size) {
    const auto of = [&](uint32_t list) { return list_of(args, first + list)[d]; };
    kernel = of(0);
    dilation = of(1);
    padding = of(2);
    stride = of(3);
    count = (size + 2 * padding - dilation * (kernel - 1) - 1) / stride + 1;
  }
  int64_t begin(int64_t element) const { return element * dilation; }
  int64_t end(int64_t element) const { return begin(element) + (count - 1) * stride + 1; }
  int64_t padded_size() const { return size + 2 * padding; }
};

/// Zeros of size windows.padded_size() at dim, with `a` where element `element` of each window is.
Expr placed(Expr a, int64_t dim, const Windows& windows, int64_t element) {
  Builder& build = a.build();
  Args args;
  args.op = Op::SliceBackward;
  args.operands = {a.value()};
  args.attributes = {build.constant_index(windows.begin(element)),
                     build.constant_index(windows.end(element)), dim, windows.stride};
  args.shape = a.sizes();
  args.shape[static_cast<uint32_t>(dim)] = windows.padded_size();
  return {build, build.append(args)};
}

}  // namespace

Value unfold(Builder& build, const Args& args) {
  Expr self = operand(build, args, 0);
  if (numel(args.shape) == 0) return nothing_of(self, args.shape).value();
  if (self.rank() == 3) self = with_dim(self, 0);
  const Shape from = self.sizes();
  const Windows rows(args, 0, 0, from[2]), columns(args, 0, 1, from[3]);
  self = padded(padded(self, 2, rows.padding, rows.padding), 3, columns.padding, columns.padding);
  std::vector<Expr> parts;
  for (int64_t i = 0; i < rows.kernel; ++i)
    parts.push_back(slice(self, 2, rows.begin(i), rows.end(i), rows.stride));
  const Expr stripes = joined(Op::Stack, parts, 2);  // [N, C, KH, OH, W]
  parts.clear();
  for (int64_t k = 0; k < columns.kernel; ++k)
    parts.push_back(slice(stripes, 4, columns.begin(k), columns.end(k), columns.stride));
  return joined(Op::Stack, parts, 3).reshape(args.shape).value();
}

Value fold(Builder& build, const Args& args) {
  const Expr self = operand(build, args, 0);
  if (numel(args.shape) == 0) return nothing_of(self, args.shape).value();
  const Shape to = list_of(args, 0);
  const Windows rows(args, 1, 0, to[0]), columns(args, 1, 1, to[1]);
  const int64_t channels = args.shape[args.shape.size() - 3];
  const Expr windows = self.reshape(Shape{numel(args.shape) / (channels * to[0] * to[1]), channels,
                                          rows.kernel, columns.kernel, rows.count, columns.count});
  /// The sum of the entries of dim, each at its places of dimension `to`, counted without dim.
  const auto gathered = [](Expr all, int64_t dim, int64_t to, const Windows& places) {
    Expr sum;
    for (int64_t i = 0; i < places.kernel; ++i) {
      const Expr one = slice(all, dim, i, i + 1).apply(Op::SqueezeDim, {dim});
      const Expr there = placed(one, to, places, i);
      sum = sum ? sum + there : there;
    }
    return slice(sum, to, places.padding, places.padding + places.size);
  };
  const Expr stripes = gathered(windows, 3, 4, columns);  // [N, C, KH, OH, W]
  return gathered(stripes, 2, 2, rows).reshape(args.shape).value();
}

}  // namespace rt::decompositions
