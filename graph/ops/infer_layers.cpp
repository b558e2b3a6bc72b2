// infer_layers.cpp -- shape rules of attention, normalizations, convolutions, pools over one
// dimension, resampling and layers that rearrange.
#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "graph/error.h"
#include "graph/ops/infer.h"

namespace rt::shape {

namespace {

constexpr int64_t kLargestPadded = INT64_MAX / 4;  // so that a padded size fits an int64_t

/// The sizes of the operands of layers over so many dimensions, as messages write them.
struct Layers {
  std::string_view volumes, weight, transposed_weight;
};
const Layers& layers(size_t dims) {
  static constexpr Layers kAll[] = {
      {"[N,C,L] or [C,L]", "[out,C/groups,K]", "[C,out/groups,K]"},
      {"[N,C,H,W] or [C,H,W]", "[out,C/groups,KH,KW]", "[C,out/groups,KH,KW]"},
      {"[N,C,D,H,W] or [C,D,H,W]", "[out,C/groups,KD,KH,KW]", "[C,out/groups,KD,KH,KW]"}};
  return kAll[dims - 1];
}

/// Checks that operand 0 has `dims` dimensions behind its channels, and returns their place.
size_t need_volumes(const Inference& call, size_t dims) {
  const Sizes sizes = call.operand(0).sizes;
  if (sizes.size() != dims + 1 && sizes.size() != dims + 2)
    fail(call.row.params[0].name, " is ", to_string(sizes), "; it must be ", layers(dims).volumes);
  return sizes.size() - dims;
}

void need_bias(const Inference& call, int64_t out) {
  const TensorType& bias = call.operand(2);
  if (!bias.none && (bias.sizes.size() != 1 || bias.sizes[0] != out))
    fail("bias is ", to_string(bias.sizes), "; it must be [", out,
         "], one for each output channel");
}

void need_some_batch(const Inference& call, size_t at) {
  const Sizes sizes = call.operand(0).sizes;
  for (size_t d = at == 2 ? 1 : 0; d < sizes.size(); ++d)
    if (sizes[d] == 0)
      fail(call.row.params[0].name, " is ", to_string(sizes), "; only its batch may be empty");
}

/// Convolutions over `dims` dimensions.
void convolution(Inference& call, size_t dims) {
  const size_t at = need_volumes(call, dims);
  const Sizes input = call.operand(0).sizes, weight = call.operand(1).sizes;
  const int64_t groups = call.attr().integer(0), channels = input[at - 1];
  if (weight.size() != dims + 2)
    fail("weight is ", to_string(weight), "; it must be ", layers(dims).weight);
  for (uint32_t list = 0; list < 3; ++list)
    expand_list(call, list, dims, list == 1 ? 0 : 1, kLargestPadded);
  if (groups < 1) fail("groups is ", groups, "; it must be at least 1");
  if (Wide{weight[1]} * groups != channels)
    fail("input has ", channels, " channels and weight ", to_string(weight),
         " with groups=", groups, " takes ", weight[1], " for each group; they must agree");
  const int64_t out = weight[0];
  if (out < groups || out % groups != 0)
    fail("weight makes ", out, " channels; they must be a positive multiple of groups, ", groups);
  need_bias(call, out);
  call.shape.assign(input.first(at - 1));
  call.shape.push_back(out);
  bool dilated = false;
  for (size_t d = 0; d < dims; ++d) {
    dilated = dilated || call.attr().list(2)[d] > 1;
    call.shape.push_back(convolved_size(input[at + d], weight[d + 2], call.attr().list(0)[d],
                                        call.attr().list(1)[d], call.attr().list(2)[d]));
  }
  if (dilated && call.operand(0).dtype == DType::I32)
    fail("takes no i32 tensors with a dilation; convert with to_int or to_float32");
  need_some_batch(call, at);
}

/// Transposed convolutions over `dims` dimensions.
void transposed_convolution(Inference& call, size_t dims) {
  const size_t at = need_volumes(call, dims);
  const Sizes input = call.operand(0).sizes, weight = call.operand(1).sizes;
  const int64_t groups = call.attr().integer(0), channels = input[at - 1];
  if (weight.size() != dims + 2)
    fail("weight is ", to_string(weight), "; it must be ", layers(dims).transposed_weight);
  constexpr int64_t kLargest = INT32_MAX;  // so that products of sizes fit an int64_t
  for (uint32_t list = 0; list < 4; ++list)
    expand_list(call, list, dims, list == 1 || list == 2 ? 0 : 1, kLargest);
  if (groups < 1) fail("groups is ", groups, "; it must be at least 1");
  if (weight[0] != channels)
    fail("input has ", channels, " channels and weight ", to_string(weight), " takes ", weight[0],
         "; they must agree");
  if (channels % groups != 0 || channels == 0)
    fail("input has ", channels, " channels; they must be a positive multiple of groups, ", groups);
  if (weight[1] == 0) fail("weight is ", to_string(weight), "; it must make at least one channel");
  need_bias(call, weight[1] * groups);
  call.shape.assign(input.first(at - 1));
  call.shape.push_back(weight[1] * groups);
  for (size_t d = 0; d < dims; ++d) {
    const int64_t stride = call.attr().list(0)[d], padding = call.attr().list(1)[d];
    const int64_t more = call.attr().list(2)[d], dilation = call.attr().list(3)[d];
    const int64_t kernel = weight[d + 2];
    if (kernel < 1)
      fail("weight is ", to_string(weight), "; its window must have at least one element");
    if (more >= std::max(stride, dilation))
      fail("output_padding is ", more, "; it must be below stride, ", stride, ", or dilation, ",
           dilation);
    const Wide size =
        (Wide{input[at + d]} - 1) * stride - 2 * padding + Wide{dilation} * (kernel - 1) + more + 1;
    if (size < 1 || size > kLargestPadded)
      fail("the result would have size ",
           static_cast<int64_t>(std::clamp<Wide>(size, -kLargestPadded, kLargestPadded)),
           "; use a smaller padding, or more input");
    call.shape.push_back(static_cast<int64_t>(size));
  }
  need_some_batch(call, at);
}

/// Checks weight or bias of a normalization over channels.
void need_channel_numbers(const Inference& call, uint32_t operand, int64_t channels) {
  const TensorType& type = call.operand(operand);
  if (!type.none && (type.sizes.size() != 1 || type.sizes[0] != channels))
    fail(call.row.params[operand].name, " is ", to_string(type.sizes), "; it must be [", channels,
         "], one for each channel");
}

}  // namespace

void attention(Inference& call) {
  const Sizes query = call.operand(0).sizes, key = call.operand(1).sizes;
  const Sizes value = call.operand(2).sizes;
  for (uint32_t i = 0; i < 3; ++i)
    if (call.operand(i).sizes.size() < 2)
      fail(call.row.params[i].name, " is ", to_string(call.operand(i).sizes),
           "; it must be [...,L,E], at least 2-D");
  if (query.back() != key.back())
    fail("query is ", to_string(query), " and key ", to_string(key),
         "; their last sizes must be equal");
  if (key[key.size() - 2] != value[value.size() - 2])
    fail("key is ", to_string(key), " and value ", to_string(value),
         "; they must have as many rows");
  TensorType leading[3];
  for (uint32_t i = 0; i < 3; ++i)
    leading[i].sizes = call.operand(i).sizes.first(call.operand(i).sizes.size() - 2);
  Shape scores = broadcast_sizes(std::span<const TensorType>(leading, 2));
  scores.push_back(query[query.size() - 2]);
  scores.push_back(key[key.size() - 2]);
  if (const TensorType& mask = call.operand(3); !mask.none) {
    if (call.attr().integer(0) != 0) fail("is_causal is 1; leave out attn_mask, or give it alone");
    TensorType both[2];
    both[0].sizes = scores;
    both[1].sizes = mask.sizes;
    if (!(broadcast_sizes(both) == scores))
      fail("attn_mask is ", to_string(mask.sizes), "; it must broadcast to the scores, ",
           to_string(scores));
  }
  call.shape = broadcast_sizes(leading);
  call.shape.push_back(query[query.size() - 2]);
  call.shape.push_back(value.back());
  if (!std::isnan(std::bit_cast<double>(call.attributes[0]))) return;
  const double scale = query.back() == 0 ? 1 : 1 / std::sqrt(static_cast<double>(query.back()));
  call.attributes[0] = std::bit_cast<int64_t>(scale);
}

void group_norm(Inference& call) {
  same(call);
  const Sizes input = call.operand(0).sizes;
  const int64_t groups = call.attr().integer(0);
  if (input.size() < 2)
    fail("input is ", to_string(input), "; it must be [N,C] or [N,C,d...], C the channels");
  if (groups < 1 || input[1] % groups != 0)
    fail("num_groups is ", groups, "; it must divide the ", input[1], " channels of input");
  need_channel_numbers(call, 1, input[1]);
  need_channel_numbers(call, 2, input[1]);
}

void instance_norm(Inference& call) {
  same(call);
  const Sizes input = call.operand(0).sizes;
  if (input.size() < 3)
    fail("input is ", to_string(input), "; it must be [N,C,d...], C the channels");
  need_channel_numbers(call, 1, input[1]);
  need_channel_numbers(call, 2, input[1]);
  const bool plain = call.operand(1).none && call.operand(2).none;
  if (!plain && input[0] * input[1] == 0)  // as in PyTorch, which repeats the first weight
    fail("input is ", to_string(input), ", which has no channels; leave out weight and bias");
  if (numel(input.subspan(2)) == 1)
    fail("input is ", to_string(input),
         ", one number for each channel; there must be at least two");
}

void rms_norm(Inference& call) {
  same(call);
  const Sizes input = call.operand(0).sizes;
  const auto shape = call.attr().list(0);
  if (shape.empty()) fail("normalized_shape is empty; it must have at least one dimension");
  if (shape.size() > input.size() || !std::ranges::equal(shape, input.last(shape.size())))
    fail("normalized_shape is ", to_string(shape), "; it must be the last sizes of input ",
         to_string(input));
  if (const TensorType& weight = call.operand(1);
      !weight.none && !std::ranges::equal(weight.sizes, shape))
    fail("weight is ", to_string(weight.sizes), "; it must be normalized_shape, ",
         to_string(shape));
  if (!std::isnan(std::bit_cast<double>(call.attributes[0]))) return;
  const DType dtype = call.operand(0).dtype;
  const double eps = dtype == DType::F64    ? std::numeric_limits<double>::epsilon()
                     : dtype == DType::F16  ? 0x1p-10
                     : dtype == DType::BF16 ? 0x1p-7
                                            : std::numeric_limits<float>::epsilon();
  call.attributes[0] = std::bit_cast<int64_t>(eps);
}

void conv1d(Inference& call) { convolution(call, 1); }
void conv3d(Inference& call) { convolution(call, 3); }
void conv_transpose1d(Inference& call) { transposed_convolution(call, 1); }
void conv_transpose2d(Inference& call) { transposed_convolution(call, 2); }

void pool1d(Inference& call) {
  const size_t at = need_volumes(call, 1);
  constexpr int64_t kLargest = INT32_MAX;
  expand_list(call, 0, 1, 1, kLargest);
  if (call.attr().list(1).empty()) replace_list(call, 1, {call.attr().list(0)[0]});
  expand_list(call, 1, 1, 1, kLargest);
  expand_list(call, 2, 1, 0, kLargest);
  need_some_batch(call, at);
  call.shape.assign(call.operand(0).sizes);
  call.shape.back() = pooled_size(call.shape.back(), call.attr().list(0)[0], call.attr().list(1)[0],
                                  call.attr().list(2)[0]);
}

namespace {
void adaptive_pool(Inference& call, size_t dims) {
  const size_t at = need_volumes(call, dims);
  expand_list(call, 0, dims, 0, INT32_MAX);
  need_some_batch(call, at);
  call.shape.assign(call.operand(0).sizes);
  for (size_t d = 0; d < dims; ++d)
    call.shape[static_cast<uint32_t>(at + d)] = call.attr().list(0)[d];
}
}  // namespace

void adaptive_pool1d(Inference& call) { adaptive_pool(call, 1); }
void adaptive_pool2d(Inference& call) { adaptive_pool(call, 2); }

void upsample2d(Inference& call) {
  const Sizes self = call.operand(0).sizes;
  if (self.size() != 4) fail("self is ", to_string(self), "; it must be [N,C,H,W]");
  if (call.attr().list(0).size() != 2)
    fail("output_size is ", to_string(call.attr().list(0)), "; it must be a height and a width");
  expand_list(call, 0, 2, 1, INT32_MAX);
  for (size_t d = 1; d < 4; ++d)
    if (self[d] == 0) fail("self is ", to_string(self), "; only its batch may be empty");
  call.shape.assign(self);
  for (uint32_t d = 0; d < 2; ++d) call.shape[d + 2] = call.attr().list(0)[d];
}

void pixel_shuffle(Inference& call) {
  same(call);
  const Sizes self = call.operand(0).sizes;
  const int64_t factor = call.attr().integer(0);
  if (self.size() < 3) fail("self is ", to_string(self), "; it must be [...,C,H,W]");
  constexpr int64_t kLargest = INT32_MAX;
  if (factor < 1 || factor > kLargest)
    fail("upscale_factor is ", factor, "; it must be from 1 to ", kLargest);
  if (self[self.size() - 3] % (factor * factor) != 0)
    fail("self has ", self[self.size() - 3],
         " channels; they must be a multiple of upscale_factor squared, ", factor * factor);
  int64_t* const last = &call.shape.back();
  last[-2] /= factor * factor;
  last[-1] *= factor;
  last[0] *= factor;
}

void pixel_unshuffle(Inference& call) {
  same(call);
  const Sizes self = call.operand(0).sizes;
  const int64_t factor = call.attr().integer(0);
  if (self.size() < 3) fail("self is ", to_string(self), "; it must be [...,C,H,W]");
  constexpr int64_t kLargest = INT32_MAX;
  if (factor < 1 || factor > kLargest)
    fail("downscale_factor is ", factor, "; it must be from 1 to ", kLargest);
  int64_t* const last = &call.shape.back();
  if (last[-1] % factor != 0 || last[0] % factor != 0)
    fail("self is ", to_string(self), "; its height and width must be multiples of ",
         "downscale_factor, ", factor);
  if (numel(self) == 0) return;  // as PyTorch, which gives back an input without elements
  last[-2] *= factor * factor;
  last[-1] /= factor;
  last[0] /= factor;
}

void glu(Inference& call) {
  same(call);
  const Sizes self = call.operand(0).sizes;
  if (self.empty()) fail("self is 0-d; it must have a dimension to halve");
  int64_t& dim = call.attr().integer(0);
  dim = wrapped_dim(dim, self.size());
  int64_t& size = call.shape[static_cast<uint32_t>(dim)];
  if (size % 2 != 0) fail("self has size ", size, " at dimension ", dim, "; it must be even");
  size /= 2;
}

namespace {

/// The number of windows in images of these sizes. `first` is the list kernel_size, before
/// dilation, padding and stride.
int64_t window_count(Inference& call, uint32_t first, std::span<const int64_t> sizes) {
  constexpr int64_t kLargestWindow = 1 << 16;  // each of its rows and columns is an op
  expand_list(call, first, 2, 1, kLargestWindow);
  for (uint32_t list = 1; list < 4; ++list)
    expand_list(call, first + list, 2, list == 2 ? 0 : 1, INT32_MAX);
  int64_t count = 1;
  for (size_t d = 0; d < 2; ++d) {
    const auto of = [&](uint32_t list) { return call.attr().list(first + list)[d]; };
    count *= convolved_size(sizes[d], of(0), of(3), of(2), of(1));
  }
  return count;
}

}  // namespace

void unfold(Inference& call) {
  const size_t at = need_volumes(call, 2);
  need_some_batch(call, at);
  const Sizes self = call.operand(0).sizes;
  const int64_t count = window_count(call, 0, self.last(2));
  const auto kernel = call.attr().list(0);
  const int64_t rows = self[at - 1] * kernel[0] * kernel[1];
  call.shape.assign(self.first(at - 1));
  call.shape.push_back(rows);
  call.shape.push_back(count);
}

void fold(Inference& call) {
  const Sizes self = call.operand(0).sizes;
  if (self.size() != 2 && self.size() != 3)
    fail("self is ", to_string(self), "; it must be [N,C*KH*KW,L] or [C*KH*KW,L]");
  for (size_t d = self.size() - 2; d < self.size(); ++d)
    if (self[d] == 0) fail("self is ", to_string(self), "; only its batch may be empty");
  expand_list(call, 0, 2, 1, INT32_MAX);
  const Shape sizes(call.attr().list(0));
  const int64_t count = window_count(call, 1, sizes);
  const auto kernel = call.attr().list(1);
  const int64_t rows = self[self.size() - 2], window = kernel[0] * kernel[1];
  if (rows % window != 0)
    fail("self has ", rows, " rows; they must be a multiple of the ", window,
         " elements of a window");
  if (self.back() != count)
    fail("self has ", self.back(), " columns and images of ", to_string(sizes), " have ", count,
         " windows; they must be equal");
  call.shape.assign(self.first(self.size() - 2));
  for (const int64_t size : {rows / window, sizes[0], sizes[1]}) call.shape.push_back(size);
}

}  // namespace rt::shape

namespace rt::type {

void attention(Inference& call) {
  const TensorType& mask = call.operand(3);
  Inference operands{call.row,   call.operands.first(3), call.attributes, call.shape, call.dtype,
                     call.device};
  equal_floating(operands);
  if (!mask.none && mask.dtype != DType::Bool && mask.dtype != DType::F32 &&
      mask.dtype != call.dtype)
    fail("attn_mask is ", name(mask.dtype), "; it must be bool, f32 or as query, ",
         name(call.dtype));
}

}  // namespace rt::type
