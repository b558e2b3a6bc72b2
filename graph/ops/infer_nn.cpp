// infer_nn.cpp -- shape rules of convolution, pooling, normalization and dropout.
#include <algorithm>
#include <bit>

#include "graph/error.h"
#include "graph/ops/infer.h"

namespace rt::shape {

namespace {

/// The name of the row's IntList `list`.
std::string_view list_name(const OpInfo& row, uint32_t list) {
  for (const Param& param : row.params)
    if (param.kind == Kind::IntList && list-- == 0) return param.name;
  return "";
}

}  // namespace

void replace_list(Inference& call, uint32_t list, std::initializer_list<int64_t> items) {
  const std::span<int64_t> old = call.attr().list(list);
  const auto at = static_cast<uint32_t>(old.data() - call.attributes.data());
  for (size_t i = old.size(); i > 0; --i) call.attributes.erase(at);
  call.attributes[at - 1] = static_cast<int64_t>(items.size());
  uint32_t to = at;
  for (const int64_t item : items) call.attributes.insert(to++, item);
}

void expand_list(Inference& call, uint32_t list, size_t count, int64_t least, int64_t most) {
  constexpr std::string_view kWanted[] = {"one", "one, or one for height and one for width",
                                          "one, or one for depth, height and width"};
  const std::string_view name = list_name(call.row, list);
  const std::span<int64_t> items = call.attr().list(list);
  if (items.size() != 1 && items.size() != count)
    fail(name, " has ", items.size(), " numbers; give ", kWanted[count - 1]);
  for (const int64_t item : items)
    if (item < least || item > most)
      fail(name, " is ", to_string(items), "; each number must be from ", least, " to ", most);
  const int64_t item = items[0];
  if (items.size() == 1 && count == 2) replace_list(call, list, {item, item});
  if (items.size() == 1 && count == 3) replace_list(call, list, {item, item, item});
}

int64_t convolved_size(int64_t size, int64_t kernel, int64_t stride, int64_t padding,
                       int64_t dilation) {
  const Wide padded = Wide{size} + 2 * Wide{padding}, reach = Wide{dilation} * (kernel - 1) + 1;
  if (kernel < 1)
    fail("weight has a window of size ", kernel, "; its last two sizes must be at least 1");
  if (padded < reach)
    fail("the window reaches over ", reach > INT64_MAX ? INT64_MAX : static_cast<int64_t>(reach),
         " elements and the padded input has ", static_cast<int64_t>(padded),
         "; use a smaller kernel or dilation, or more padding");
  return static_cast<int64_t>((padded - reach) / stride + 1);
}

int64_t pooled_size(int64_t size, int64_t kernel, int64_t stride, int64_t padding) {
  if (padding > kernel / 2)
    fail("padding is ", padding, "; it must be at most half of kernel_size, which is ", kernel);
  if (size + 2 * padding < kernel)
    fail("the window of ", kernel, " is larger than the padded input of ", size + 2 * padding,
         "; use a smaller kernel_size");
  return (size + 2 * padding - kernel) / stride + 1;
}

namespace {

struct Pair {
  int64_t height, width;
};

/// List `list` as numbers for height and width, both within [least, most].
Pair pair_of(Inference& call, uint32_t list, int64_t least, int64_t most) {
  expand_list(call, list, 2, least, most);
  const std::span<const int64_t> items = call.attr().list(list);
  return {items[0], items[1]};
}

/// Throws unless the sizes are [N,C,H,W], or [C,H,W] for one image.
void need_images(const TensorType& type, std::string_view name) {
  if (type.sizes.size() != 3 && type.sizes.size() != 4)
    fail(name, " is ", to_string(type.sizes), "; it must be [N,C,H,W] or [C,H,W]");
}

/// Checks weight or bias of a normalization over channels: one number each, in any shape.
void need_channels(const TensorType& type, std::string_view name, int64_t channels) {
  if (!type.none && numel(type.sizes) != channels)
    fail(name, " is ", to_string(type.sizes), "; it must have one number for each of the ",
         channels, " channels");
}

/// Checks eps, the last Float parameter of all normalizations.
void need_positive_eps(const Inference& call) {
  const double eps = std::bit_cast<double>(call.attributes[call.row.scalars - 1u]);
  if (eps <= 0) fail("eps is ", to_string(eps), "; it must be positive");
}

/// Checks the operands of all forms of batch_norm.
void check_batch_norm(const Inference& call) {
  const Sizes input = call.operand(0).sizes;
  if (input.size() < 2)
    fail("input is ", to_string(input), "; it must be [N,C] or [N,C,d...], C the channels");
  const int64_t channels = input[1];
  need_channels(call.operand(1), "weight", channels);
  need_channels(call.operand(2), "bias", channels);
  need_positive_eps(call);
  if (call.operands.size() < 5) return;
  for (uint32_t i = 3; i < 5; ++i) {
    const Sizes sizes = call.operand(i).sizes;
    if (call.operand(i).none && numel(input) == 0) continue;
    if (call.operand(i).none)
      fail("running_mean and running_var are not given; without training both must be");
    if (sizes.size() != 1 || sizes[0] != channels)
      fail(i == 3 ? "running_mean" : "running_var", " is ", to_string(sizes), "; it must be [",
           channels, "], the channels of input ", to_string(input));
  }
}

}  // namespace

void conv2d(Inference& call) {
  const TensorType &input = call.operand(0), &weight = call.operand(1), &bias = call.operand(2);
  const int64_t groups = call.attr().integer(0);
  need_images(input, "input");
  if (weight.sizes.size() != 4)
    fail("weight is ", to_string(weight.sizes), "; it must be [out,C/groups,KH,KW]");
  constexpr int64_t kMost = INT64_MAX / 4;  // so that a padded size fits an int64_t
  const Pair stride = pair_of(call, 0, 1, kMost), padding = pair_of(call, 1, 0, kMost),
             dilation = pair_of(call, 2, 1, kMost);
  const bool dilated = dilation.height > 1 || dilation.width > 1;
  if (dilated && input.dtype == DType::I32)
    fail("takes no i32 tensors with a dilation; convert with to_int or to_float32");
  if (groups < 1) fail("groups is ", groups, "; it must be at least 1");
  const size_t at = input.sizes.size() - 3;
  const int64_t channels = input.sizes[at], out = weight.sizes[0];
  if (Wide{weight.sizes[1]} * groups != channels)
    fail("input has ", channels, " channels and weight ", to_string(weight.sizes),
         " with groups=", groups, " takes ", weight.sizes[1], " for each group; they must agree");
  if (out < groups || out % groups != 0)
    fail("weight makes ", out, " channels; they must be a positive multiple of groups, ", groups);
  if (!bias.none && (bias.sizes.size() != 1 || bias.sizes[0] != out))
    fail("bias is ", to_string(bias.sizes), "; it must be [", out,
         "], one for each output channel");
  const int64_t height = convolved_size(input.sizes[at + 1], weight.sizes[2], stride.height,
                                        padding.height, dilation.height);
  const int64_t width = convolved_size(input.sizes[at + 2], weight.sizes[3], stride.width,
                                       padding.width, dilation.width);
  if (numel(input.sizes) == 0 && channels > 0 && (at == 0 || input.sizes[0] > 0))
    fail("input is ", to_string(input.sizes), "; only its batch or its channels may be empty");
  // As in PyTorch, no input channels make no output channels.
  call.shape.assign(input.sizes.first(at));
  for (const int64_t size : {channels == 0 ? 0 : out, height, width}) call.shape.push_back(size);
}

namespace {
/// The gradient of conv2d or a pool has the sizes of `of`. Throws unless grad_output has the sizes
/// that `rule` gives for `operands`.
void backward_of(Inference& call, ShapeRule rule, std::span<const TensorType> operands,
                 const TensorType& of) {
  Inference forward{call.row, operands, call.attributes, call.shape, call.dtype, call.device};
  rule(forward);
  if (!std::ranges::equal(Sizes(call.shape), call.operand(0).sizes))
    fail("grad_output is ", to_string(call.operand(0).sizes), "; it must be ",
         to_string(call.shape), ", the result's sizes");
  call.shape.assign(of.sizes);
}

void conv2d_backward(Inference& call, uint32_t of) {
  if (call.operand(1).sizes.size() != 4)
    fail("input is ", to_string(call.operand(1).sizes), "; it must be [N,C,H,W]");
  const TensorType operands[] = {
      call.operand(1), call.operand(2), {.device = {}, .none = true, .sizes = {}}};
  backward_of(call, conv2d, operands, call.operand(of));
}
}  // namespace

void conv2d_backward_input(Inference& call) { conv2d_backward(call, 1); }
void conv2d_backward_weight(Inference& call) { conv2d_backward(call, 2); }

void pool2d(Inference& call) {
  const TensorType& self = call.operand(0);
  constexpr int64_t kMost = INT32_MAX;
  need_images(self, "self");
  const Pair kernel = pair_of(call, 0, 1, kMost);
  if (call.attr().list(1).empty()) replace_list(call, 1, {kernel.height, kernel.width});
  const Pair stride = pair_of(call, 1, 1, kMost), padding = pair_of(call, 2, 0, kMost);
  const size_t at = self.sizes.size() - 3;
  for (size_t d = at; d < self.sizes.size(); ++d)
    if (self.sizes[d] == 0)
      fail("self is ", to_string(self.sizes), "; only its batch may be empty");
  call.shape.assign(self.sizes);
  int64_t& height = call.shape[static_cast<uint32_t>(at + 1)];
  int64_t& width = call.shape[static_cast<uint32_t>(at + 2)];
  height = pooled_size(height, kernel.height, stride.height, padding.height);
  width = pooled_size(width, kernel.width, stride.width, padding.width);
}

void pool2d_backward(Inference& call) {
  backward_of(call, pool2d, {&call.operand(1), 1}, call.operand(1));
}

void max_pool2d_backward(Inference& call) {
  pool2d_backward(call);
  const TensorType &grad = call.operand(0), &self = call.operand(1), &indices = call.operand(2);
  if (self.dtype != grad.dtype || !is_float(grad.dtype))
    fail("grad_output is ", name(grad.dtype), " and self ", name(self.dtype),
         "; both must be of one floating point dtype");
  if (indices.dtype != DType::I64 || !std::ranges::equal(indices.sizes, grad.sizes))
    fail("indices are ", to_string(indices.dtype, indices.sizes), "; they must be ",
         to_string(DType::I64, grad.sizes), ", one for each element of grad_output");
}

/// Checks normalized_shape, which must be the last sizes of `input`.
static void check_normalized(const Inference& call, Sizes input) {
  const Sizes shape = call.attr().list(0);
  if (shape.empty()) fail("normalized_shape is empty; it must have at least one dimension");
  if (shape.size() > input.size() || !std::ranges::equal(shape, input.last(shape.size())))
    fail("normalized_shape is ", to_string(shape), "; it must be the last sizes of input ",
         to_string(input));
}

/// `input` with 1 in each dimension that is normalized.
static Shape statistics_sizes(const Inference& call, Sizes input) {
  Shape sizes(input);
  const auto normalized = static_cast<uint32_t>(call.attr().list(0).size());
  for (uint32_t i = 1; i <= normalized; ++i) sizes[sizes.size() - i] = 1;
  return sizes;
}

void layer_norm_statistics(Inference& call) {
  same(call);
  check_normalized(call, call.operand(0).sizes);
  if (numel(call.attr().list(0)) == 0)
    fail("normalized_shape is ", to_string(call.attr().list(0)),
         ", which has no elements; there must be at least one to normalize");
  call.shape = statistics_sizes(call, call.operand(0).sizes);
}

void layer_norm_backward(Inference& call) {
  const TensorType &grad = call.operand(0), &input = call.operand(1);
  check_normalized(call, input.sizes);
  if (!std::ranges::equal(grad.sizes, input.sizes))
    fail("grad_out is ", to_string(grad.sizes), "; it must be as input, ", to_string(input.sizes));
  const Sizes shape = call.attr().list(0);
  const Shape statistics = statistics_sizes(call, input.sizes);
  for (const uint32_t i : {2u, 3u})
    if (!std::ranges::equal(call.operand(i).sizes, Sizes(statistics)))
      fail(i == 2 ? "mean" : "rstd", " is ", to_string(call.operand(i).sizes), "; it must be ",
           to_string(statistics));
  if (const TensorType& weight = call.operand(4);
      !weight.none && !std::ranges::equal(weight.sizes, shape))
    fail("weight is ", to_string(weight.sizes), "; it must be normalized_shape, ",
         to_string(shape));
  call.shape.assign(input.sizes);
}

void layer_norm_backward_weight(Inference& call) {
  layer_norm_backward(call);
  call.shape.assign(call.attr().list(0));
}

void layer_norm(Inference& call) {
  same(call);
  const Sizes input = call.operand(0).sizes;
  const auto shape = call.attr().list(0);
  check_normalized(call, input);
  for (uint32_t i = 1; i < 3; ++i)
    if (const TensorType& type = call.operand(i);
        !type.none && !std::ranges::equal(type.sizes, shape))
      fail(i == 1 ? "weight" : "bias", " is ", to_string(type.sizes),
           "; it must be normalized_shape, ", to_string(shape));
}

void dropout(Inference& call) {
  same(call);
  const double p = std::bit_cast<double>(call.attributes[0]);
  if (!(p >= 0 && p <= 1)) fail("p is ", to_string(p), "; it must be from 0 to 1");
  const TensorType& input = call.operand(0);
  const bool draws = call.attr().integer(0) != 0 && p > 0 && p < 1 && numel(input.sizes) > 0;
  if (draws && !is_float(input.dtype))
    fail("takes floating point tensors, not ", name(input.dtype), "; convert with to_float32");
}

void batch_norm(Inference& call) {
  same(call);
  check_batch_norm(call);
  // As in PyTorch, which multiplies an input without elements by the first weight.
  if (call.operand(0).sizes[1] == 0 && !(call.operand(1).none && call.operand(2).none))
    fail("input is ", to_string(call.operand(0).sizes),
         ", which has no channels; leave out weight and bias");
}

void batch_norm_training(Inference& call) {
  batch_norm(call);
  const Sizes input = call.operand(0).sizes;
  if (numel(input) == 0)
    fail("input is ", to_string(input), ", which has no elements; training needs at least one");
  const auto is_one = [](int64_t size) { return size == 1; };
  if (input[0] == 1 && std::ranges::all_of(input.subspan(2), is_one))
    fail("input is ", to_string(input),
         ", one value for each channel; training needs at least two");
}

}  // namespace rt::shape
