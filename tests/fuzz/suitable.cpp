// suitable.cpp -- a draw for each shape rule whose operands must fit each other.
#include "tests/fuzz/suitable.h"

#include <algorithm>

#include "graph/error.h"
#include "graph/ops/infer.h"

namespace rt::fuzz {
namespace {

Shape join_sizes(Sizes front, std::initializer_list<int64_t> back) {
  Shape sizes(front);
  for (const int64_t size : back) sizes.push_back(size);
  return sizes;
}

/// `first` if its rank is in range, else sizes of a drawn rank.
Shape of_rank(const Shape& first, uint32_t least, uint32_t most, Dice& dice, int64_t largest = 5) {
  if (first.size() >= least && first.size() <= most) return first;
  Shape sizes;
  for (int64_t rank = dice.between(least, most); rank > 0; --rank)
    sizes.push_back(dice.chance(0.02) ? 0 : dice.between(1, largest));
  return sizes;
}
Shape images(const Shape& first, Dice& dice) { return of_rank(first, 3, 4, dice, 7); }

/// Two integers for height and width, or one for both.
std::vector<int64_t> pair(int64_t least, int64_t most, Dice& dice) {
  std::vector<int64_t> numbers = {dice.between(least, most)};
  if (dice.chance(0.7)) numbers.push_back(dice.between(least, most));
  return numbers;
}

Suitable conv2d(const OpInfo&, const Shape& first, Dice& dice) {
  const Shape input = images(first, dice);
  const int64_t channels = input[input.size() - 3];
  int64_t groups = dice.chance(0.6) ? 1 : std::max<int64_t>(channels, 1);
  if (groups > 2 && groups % 2 == 0 && dice.chance(0.5)) groups = 2;
  const int64_t out = groups * dice.between(1, 3);
  return {.sizes = {input, {out, channels / groups, dice.between(1, 3), dice.between(1, 3)}, {out}},
          .integers = {groups},
          .lists = {pair(1, 3, dice), pair(0, 2, dice), pair(1, 2, dice)}};
}

Suitable pool2d(const OpInfo&, const Shape& first, Dice& dice) {
  const std::vector<int64_t> none;
  return {.sizes = {images(first, dice)},
          .lists = {pair(1, 3, dice), dice.chance(0.3) ? none : pair(1, 3, dice),
                    pair(0, dice.chance(0.4), dice)}};
}

/// A row's result for f32 operands; no sizes if the row refuses them.
Shape result_of(Op op, const Suitable& given) {
  Args args;
  args.op = op;
  std::vector<TensorType> types;
  for (const Shape& sizes : given.sizes)
    types.push_back({.dtype = DType::F32, .device = {}, .sizes = sizes});
  for (const int64_t index : given.indices) args.attributes.push_back(index);
  for (const int64_t integer : given.integers) args.attributes.push_back(integer);
  for (const std::vector<int64_t>& list : given.lists) {
    args.attributes.push_back(static_cast<int64_t>(list.size()));
    for (const int64_t item : list) args.attributes.push_back(item);
  }
  try {
    infer(args, types);
  } catch (const Error&) {
    return {};
  }
  return args.shape;
}
Suitable with_gradient(Op of, Suitable call) {
  call.sizes.insert(call.sizes.begin(), result_of(of, call));
  return call;
}
Numbers indices_below(int64_t bound, Dice& dice) {
  return {dice.chance(0.8) ? DType::I64 : DType::I32, std::max<int64_t>(bound, 1)};
}

Suitable conv2d_backward(const OpInfo& row, const Shape& first, Dice& dice) {
  Suitable call = with_gradient(Op::Conv2d, conv2d(row, of_rank(first, 4, 4, dice, 7), dice));
  call.sizes.pop_back();  // drops the bias
  return call;
}
Suitable pool2d_backward(const OpInfo& row, const Shape& first, Dice& dice) {
  return with_gradient(Op::MaxPool2d, pool2d(row, first, dice));
}
Suitable max_pool2d_backward(const OpInfo& row, const Shape& first, Dice& dice) {
  Suitable call = pool2d_backward(row, first, dice);
  const Sizes self = call.sizes[1];
  call.numbers[2] = {DType::I64, std::max<int64_t>(numel(self.last(2)), 1)};
  call.sizes.push_back(call.sizes[0]);
  return call;
}

Suitable equal(const OpInfo& row, const Shape& first, Dice& dice) {
  const Shape sizes = of_rank(first, 0, 4, dice);
  return {.sizes = std::vector<Shape>(row.tensors, sizes)};
}
Suitable where(const OpInfo& row, const Shape& first, Dice& dice) {
  Suitable call = equal(row, first, dice);
  if (dice.chance(0.3)) call.sizes[2] = Shape();
  call.numbers[0] = {DType::Bool, 2};
  return call;
}

Suitable slice_backward(const OpInfo&, const Shape& first, Dice& dice) {
  const Shape input = of_rank(first, 1, 4, dice);
  const int64_t rank = input.size();
  Suitable call{.sizes = {input},
                .integers = {dice.between(-rank, rank - 1), dice.between(1, 3)},
                .indices = {dice.between(-5, 7), dice.between(-5, 7)}};
  call.shape = input;
  call.sizes = {result_of(Op::Slice, call)};
  return call;
}

Suitable scatter_add(const OpInfo&, const Shape& first, Dice& dice) {
  const Shape self = of_rank(first, 0, 3, dice);
  const auto dim = static_cast<uint32_t>(dice.below(self.size()));
  Shape index = self;
  for (int64_t& size : index) size = dice.between(std::min<int64_t>(size, 1), size);
  if (!index.empty()) index[dim] = dice.between(0, 6);
  return {.sizes = {self, index, index},
          .numbers = {{1, indices_below(self.empty() ? 1 : self[dim], dice)}},
          .integers = {dim}};
}
Suitable index_add(const OpInfo&, const Shape& first, Dice& dice) {
  const Shape self = of_rank(first, 1, 3, dice);
  const auto dim = static_cast<uint32_t>(dice.below(self.size()));
  Shape source = self;
  source[dim] = dice.between(0, 6);
  return {.sizes = {self, {source[dim]}, source},
          .numbers = {{1, indices_below(self[dim], dice)}},
          .integers = {dim}};
}
Suitable embedding_backward(const OpInfo&, const Shape& first, Dice& dice) {
  const Shape grad = of_rank(first, 1, 3, dice);
  const int64_t rows = dice.between(1, 6);
  return {.sizes = {grad, Shape(Sizes(grad).first(grad.size() - 1))},
          .numbers = {{1, indices_below(rows, dice)}},
          .integers = {rows}};
}

Suitable loss_backward(const OpInfo&, const Shape& first, Dice& dice) {
  const Shape self = of_rank(first, 0, 4, dice);
  return {.sizes = {dice.chance(0.5) ? Shape() : self, self, self}};
}
Suitable nll_loss_total_weight(const OpInfo&, const Shape& first, Dice& dice) {
  const Shape self = of_rank(first, 2, 2, dice);
  return {.sizes = {self, {self[0]}},
          .numbers = {{1, {DType::I64, std::max<int64_t>(self[1], 1)}}}};
}
Suitable nll_loss_backward(const OpInfo& row, const Shape& first, Dice& dice) {
  const Suitable forward = nll_loss_total_weight(row, first, dice);
  return {.sizes = {{}, forward.sizes[0], forward.sizes[1], {}},
          .numbers = {{2, forward.numbers.at(1)}}};
}

Suitable layer_norm(const OpInfo&, const Shape& first, Dice& dice) {
  const Shape input = of_rank(first, 1, 4, dice);
  const Sizes all = input;
  const Sizes last =
      all.last(static_cast<size_t>(dice.between(1, std::min<int64_t>(2, input.size()))));
  return {.sizes = {input, Shape(last), Shape(last)}, .lists = {{last.begin(), last.end()}}};
}

Suitable layer_norm_backward(const OpInfo& row, const Shape& first, Dice& dice) {
  const Suitable forward = layer_norm(row, first, dice);
  const Shape &input = forward.sizes[0], &last = forward.sizes[1];
  Shape statistics = input;
  for (uint32_t i = 1; i <= last.size(); ++i) statistics[statistics.size() - i] = 1;
  return {.sizes = {input, input, statistics, statistics, last}, .lists = forward.lists};
}
Suitable layer_norm_statistics(const OpInfo& row, const Shape& first, Dice& dice) {
  const Suitable forward = layer_norm(row, first, dice);
  return {.sizes = {forward.sizes[0]}, .lists = forward.lists};
}

Suitable batch_norm(const OpInfo& row, const Shape& first, Dice& dice) {
  const Shape input = of_rank(first, 2, 4, dice);
  std::vector<Shape> sizes(row.tensors, Shape{input[1]});
  sizes[0] = input;
  return {.sizes = std::move(sizes)};
}

Suitable reduce_dims(const OpInfo& row, const Shape& first, Dice& dice) {
  const Shape self = of_rank(first, 1, 4, dice);
  const int64_t rank = self.size();
  std::vector<int64_t> dims, integers(row.integers);
  for (int64_t dim = 0; dim < rank; ++dim)
    if (dice.chance(0.6)) dims.push_back(dice.chance(0.2) ? dim - rank : dim);
  for (int64_t& integer : integers) integer = dice.below(2);
  return {.sizes = {self}, .integers = std::move(integers), .lists = {std::move(dims)}};
}

Suitable matrices(const OpInfo&, const Shape& first, Dice& dice) {
  return {.sizes = {of_rank(first, 2, dice.chance(0.6) ? 2 : 3, dice)}};
}
Shape squares(const Shape& first, uint32_t most, Dice& dice) {
  Shape sizes = of_rank(first, 2, most, dice);
  const uint32_t rank = sizes.size();
  if (sizes[rank - 1] != sizes[rank - 2]) sizes[rank - 1] = sizes[rank - 2] = dice.between(1, 5);
  return sizes;
}
Suitable square(const OpInfo&, const Shape& first, Dice& dice) {
  return {.sizes = {squares(first, dice.chance(0.6) ? 2 : 4, dice)}};
}
Suitable one_square(const OpInfo&, const Shape& first, Dice& dice) {
  return {.sizes = {squares(first, 2, dice)}};
}
Suitable det_backward(const OpInfo&, const Shape& first, Dice& dice) {
  return {.sizes = {Shape(), squares(first, 2, dice)}};
}
Suitable eig_backward(const OpInfo&, const Shape& first, Dice& dice) {
  const Shape self = squares(first, dice.chance(0.6) ? 2 : 4, dice);
  return {.sizes = {Shape(Sizes(self).first(self.size() - 1)), self}};
}
Suitable linalg_solve(const OpInfo&, const Shape& first, Dice& dice) {
  const Shape a = squares(first, dice.chance(0.5) ? 2 : 3, dice);
  const Sizes all = a, batch = all.first(all.size() - (dice.chance(0.3) ? all.size() : 2));
  return {.sizes = {a, dice.chance(0.3)
                           ? join_sizes(all.first(all.size() - 1), {})
                           : join_sizes(batch.size() + 2 > all.size() ? Sizes() : batch,
                                        {a.back(), dice.between(1, 3)})}};
}

// ---- Layers and losses.

std::vector<int64_t> numbers(size_t most, int64_t least, int64_t largest, Dice& dice) {
  std::vector<int64_t> list(dice.chance(0.3) ? 1 : most);
  for (int64_t& number : list) number = dice.between(least, largest);
  return list;
}

/// Convolutions over the dimensions behind the channels of a drawn rank.
Suitable convolution(const Shape& first, uint32_t dims, Dice& dice) {
  const Shape input = of_rank(first, dims + 1, dims + 2, dice, 6);
  const int64_t channels = input[input.size() - dims - 1];
  const int64_t groups = dice.chance(0.6) ? 1 : std::max<int64_t>(channels, 1);
  const int64_t out = groups * dice.between(1, 3);
  Shape weight = {out, channels / groups};
  for (uint32_t d = 0; d < dims; ++d) weight.push_back(dice.between(1, 3));
  return {
      .sizes = {input, weight, {out}},
      .integers = {groups},
      .lists = {numbers(dims, 1, 3, dice), numbers(dims, 0, 2, dice), numbers(dims, 1, 2, dice)}};
}
Suitable conv1d(const OpInfo&, const Shape& first, Dice& dice) {
  return convolution(first, 1, dice);
}
Suitable conv3d(const OpInfo&, const Shape& first, Dice& dice) {
  return convolution(first, 3, dice);
}
Suitable transposed_convolution(const Shape& first, uint32_t dims, Dice& dice) {
  Suitable call = convolution(first, dims, dice);
  const int64_t out = call.sizes[1][1];
  call.sizes[1][1] = dice.between(1, 3);
  call.sizes[1][0] = out * call.integers[0];
  call.sizes[2] = {call.sizes[1][1] * call.integers[0]};
  call.lists.insert(call.lists.begin() + 2, numbers(dims, 0, 1, dice));
  return call;
}
Suitable conv_transpose1d(const OpInfo&, const Shape& first, Dice& dice) {
  return transposed_convolution(first, 1, dice);
}
Suitable conv_transpose2d(const OpInfo&, const Shape& first, Dice& dice) {
  return transposed_convolution(first, 2, dice);
}

Suitable pool1d(const OpInfo&, const Shape& first, Dice& dice) {
  return {.sizes = {of_rank(first, 2, 3, dice, 7)},
          .lists = {numbers(1, 1, 3, dice),
                    dice.chance(0.3) ? std::vector<int64_t>() : numbers(1, 1, 3, dice),
                    numbers(1, 0, dice.chance(0.4), dice)}};
}
Suitable adaptive_pool1d(const OpInfo&, const Shape& first, Dice& dice) {
  return {.sizes = {of_rank(first, 2, 3, dice, 7)}, .lists = {numbers(1, 1, 5, dice)}};
}
Suitable adaptive_pool2d(const OpInfo&, const Shape& first, Dice& dice) {
  return {.sizes = {images(first, dice)}, .lists = {numbers(2, 1, 5, dice)}};
}
Suitable upsample2d(const OpInfo& row, const Shape& first, Dice& dice) {
  return {.sizes = {of_rank(first, 4, 4, dice, 5)},
          .integers = std::vector<int64_t>(row.integers, dice.below(2)),
          .lists = {{dice.between(1, 7), dice.between(1, 7)}}};
}
Suitable pixel_shuffle(const OpInfo&, const Shape& first, Dice& dice) {
  Shape self = of_rank(first, 3, 4, dice, 3);
  const int64_t factor = dice.between(1, 2);
  self[self.size() - 3] *= factor * factor;
  return {.sizes = {self}, .integers = {factor}};
}
Suitable pixel_unshuffle(const OpInfo&, const Shape& first, Dice& dice) {
  Shape self = of_rank(first, 3, 4, dice, 3);
  const int64_t factor = dice.between(1, 2);
  self.back() *= factor;
  self[self.size() - 2] *= factor;
  return {.sizes = {self}, .integers = {factor}};
}
Suitable glu(const OpInfo&, const Shape& first, Dice& dice) {
  Shape self = of_rank(first, 1, 4, dice);
  const int64_t dim = dice.below(self.size());
  self[static_cast<uint32_t>(dim)] *= 2;
  return {.sizes = {self}, .integers = {dim}};
}

Suitable unfold(const OpInfo&, const Shape& first, Dice& dice) {
  return {.sizes = {images(first, dice)},
          .lists = {numbers(2, 1, 3, dice), numbers(2, 1, 2, dice), numbers(2, 0, 2, dice),
                    numbers(2, 1, 3, dice)}};
}
Suitable fold(const OpInfo& row, const Shape& first, Dice& dice) {
  Suitable call = unfold(row, first, dice);
  const Shape columns = result_of(Op::Unfold, call), image = call.sizes[0];
  call.sizes = {columns};
  call.lists.insert(call.lists.begin(), {image[image.size() - 2], image.back()});
  return call;
}

Suitable attention(const OpInfo&, const Shape& first, Dice& dice) {
  const Shape query = of_rank(first, 2, 4, dice);
  const Sizes leading = Sizes(query).first(query.size() - 2);
  const int64_t length = query[query.size() - 2], keys = dice.between(1, 5);
  const bool causal = dice.chance(0.3);
  Suitable call{.sizes = {query,
                          join_sizes(leading, {keys, query.back()}),
                          join_sizes(leading, {keys, dice.between(1, 4)}),
                          {length, keys}},
                .integers = {causal ? 1 : 0}};
  if (dice.chance(0.3)) call.numbers[3] = {DType::Bool, 2};
  return call;
}
Suitable group_norm(const OpInfo&, const Shape& first, Dice& dice) {
  Shape input = of_rank(first, 2, 4, dice);
  const int64_t groups = dice.between(1, 3);
  input[1] *= groups;
  return {.sizes = {input, {input[1]}, {input[1]}}, .integers = {groups}};
}
Suitable instance_norm(const OpInfo&, const Shape& first, Dice& dice) {
  const Shape input = of_rank(first, 3, 4, dice);
  return {.sizes = {input, {input[1]}, {input[1]}}};
}
Suitable rms_norm(const OpInfo& row, const Shape& first, Dice& dice) {
  Suitable call = layer_norm(row, first, dice);
  call.sizes.pop_back();
  return call;
}

Suitable loss(const OpInfo& row, const Shape& first, Dice& dice) {
  const Shape self = of_rank(first, 0, 4, dice);
  std::vector<int64_t> integers;
  for (const Param& param : row.params)
    if (param.kind == Kind::Int || param.kind == Kind::Flag)
      integers.push_back(dice.below(param.kind == Kind::Int ? 3 : 2));
  return {.sizes = std::vector<Shape>(row.tensors, self), .integers = std::move(integers)};
}
Suitable cosine_embedding_loss(const OpInfo&, const Shape& first, Dice& dice) {
  const Shape pairs = of_rank(first, 2, 2, dice);
  return {.sizes = {pairs, pairs, {pairs[0]}}, .integers = {dice.below(3)}};
}
Suitable class_loss(const OpInfo&, const Shape& first, Dice& dice) {
  const Shape self = of_rank(first, 1, 3, dice);
  Shape target = self;
  const uint32_t dim = self.size() > 1 ? 1 : 0;
  const int64_t classes = self[dim];
  target.erase(dim);
  return {.sizes = {self, target, {classes}},
          .numbers = {{1, {DType::I64, std::max<int64_t>(classes, 1)}}},
          .integers = {dice.below(3), dice.chance(0.5) ? -100 : dice.below(4)}};
}

// ---- Products and factors of matrices.

Suitable product(const OpInfo& row, const Shape& first, Dice& dice) {
  const bool batched = row.rules.shape == shape::bmm || row.rules.shape == shape::baddbmm ||
                       row.rules.shape == shape::addbmm;
  const Shape a = of_rank(first, batched ? 3 : 2, batched ? 3 : 2, dice);
  const int64_t depth = a.back(), columns = dice.between(1, 4);
  Shape b = batched ? Shape{a[0], depth, columns} : Shape{depth, columns};
  if (row.rules.shape == shape::mv || row.rules.shape == shape::addmv) b = {depth};
  if (row.tensors == 2) return {.sizes = {a, b}};
  return {.sizes = {dice.chance(0.5) ? Shape() : Shape{1}, a, b}};
}
Suitable vectors(const OpInfo& row, const Shape& first, Dice& dice) {
  const Shape a = of_rank(first, 1, 1, dice), b = {dice.between(1, 5)};
  if (row.tensors == 2) return {.sizes = {a, b}};
  return {.sizes = {Shape(), a, b}};
}
Suitable inner(const OpInfo&, const Shape& first, Dice& dice) {
  const Shape a = of_rank(first, 1, 3, dice);
  return {.sizes = {a, {dice.between(1, 3), a.back()}}};
}
Suitable tensordot(const OpInfo&, const Shape& first, Dice& dice) {
  const Shape a = of_rank(first, 2, 3, dice);
  return {.sizes = {a, {a[1], dice.between(1, 3), a[0]}}, .lists = {{0, 1}, {2, -3}}};
}
Suitable cross(const OpInfo&, const Shape& first, Dice& dice) {
  Shape a = of_rank(first, 1, 3, dice);
  const auto dim = static_cast<uint32_t>(dice.below(a.size()));
  a[dim] = 3;
  return {.sizes = {a, a}, .integers = {dim}};
}
Suitable cdist(const OpInfo&, const Shape& first, Dice& dice) {
  const Shape a = of_rank(first, 2, 3, dice);
  return {.sizes = {a, {dice.between(1, 4), a.back()}}};
}
Suitable solve_triangular(const OpInfo&, const Shape& first, Dice& dice) {
  const Shape a = squares(first, 3, dice);
  const bool left = dice.chance(0.5);
  const int64_t n = a.back(), more = dice.between(1, 3);
  return {.sizes = {a, left ? Shape{n, more} : Shape{more, n}},
          .integers = {dice.below(2), left ? 1 : 0, dice.below(2)}};
}

}  // namespace

std::optional<Suitable> draw_suitable(const OpInfo& row, const Shape& first, Dice& dice) {
  using Draw = Suitable (*)(const OpInfo&, const Shape&, Dice&);
  constexpr std::pair<ShapeRule, Draw> kDraws[] = {
      {shape::conv2d, conv2d},
      {shape::conv2d_backward_input, conv2d_backward},
      {shape::conv2d_backward_weight, conv2d_backward},
      {shape::pool2d, pool2d},
      {shape::pool2d_backward, pool2d_backward},
      {shape::max_pool2d_backward, max_pool2d_backward},
      {shape::equal, equal},
      {shape::equal_along_dim, equal},
      {shape::slice_backward, slice_backward},
      {shape::scatter_add, scatter_add},
      {shape::index_add, index_add},
      {shape::embedding_backward, embedding_backward},
      {shape::loss_backward, loss_backward},
      {shape::nll_loss_total_weight, nll_loss_total_weight},
      {shape::nll_loss_backward, nll_loss_backward},
      {shape::layer_norm, layer_norm},
      {shape::layer_norm_statistics, layer_norm_statistics},
      {shape::layer_norm_backward, layer_norm_backward},
      {shape::layer_norm_backward_weight, layer_norm_backward},
      {shape::batch_norm, batch_norm},
      {shape::batch_norm_training, batch_norm},
      {shape::reduce_dims, reduce_dims},
      {shape::reduce_dims_some, reduce_dims},
      {shape::mm, product},
      {shape::bmm, product},
      {shape::mv, product},
      {shape::addmm, product},
      {shape::addmv, product},
      {shape::baddbmm, product},
      {shape::addbmm, product},
      {shape::outer, vectors},
      {shape::addr, vectors},
      {shape::inner, inner},
      {shape::tensordot, tensordot},
      {shape::cross, cross},
      {shape::trace, matrices},
      {shape::cdist, cdist},
      {shape::qr_r, matrices},
      {shape::singular_values, matrices},
      {shape::matrix_rank, matrices},
      {shape::pinv, matrices},
      {shape::determinants, square},
      {shape::solve_triangular, solve_triangular},
      {shape::norm_dims, reduce_dims},
      {shape::det, one_square},
      {shape::det_backward, det_backward},
      {shape::eig_backward, eig_backward},
      {shape::square, square},
      {shape::eig, square},
      {shape::svd, matrices},
      {shape::linalg_solve, linalg_solve},
      {shape::conv1d, conv1d},
      {shape::conv3d, conv3d},
      {shape::conv_transpose1d, conv_transpose1d},
      {shape::conv_transpose2d, conv_transpose2d},
      {shape::pool1d, pool1d},
      {shape::adaptive_pool1d, adaptive_pool1d},
      {shape::adaptive_pool2d, adaptive_pool2d},
      {shape::upsample2d, upsample2d},
      {shape::pixel_shuffle, pixel_shuffle},
      {shape::pixel_unshuffle, pixel_unshuffle},
      {shape::glu, glu},
      {shape::unfold, unfold},
      {shape::fold, fold},
      {shape::attention, attention},
      {shape::group_norm, group_norm},
      {shape::instance_norm, instance_norm},
      {shape::rms_norm, rms_norm},
      {shape::loss, loss},
      {shape::smooth_l1_loss, loss},
      {shape::huber_loss, loss},
      {shape::weighted_loss, loss},
      {shape::margin_ranking_loss, loss},
      {shape::cosine_embedding_loss, cosine_embedding_loss},
      {shape::nll_loss_nd, class_loss},
      {shape::cross_entropy_loss, class_loss},
      {shape::smoothed_cross_entropy_loss, class_loss}};
  if (row.rules.type == type::where) return where(row, first, dice);
  for (const auto& [rule, draw] : kDraws)
    if (row.rules.shape == rule) return draw(row, first, dice);
  return std::nullopt;
}

bool needs_suitable(Op op) { return op == Op::MaxPool2dBackward; }
bool shares_nothing(Op op) {
  // Equal elements may stand in any order, and a drawn output is not that of a cumprod.
  const Rules& rules = info(op).rules;
  return op == Op::EigBackward || op == Op::CumprodBackward ||
         (rules.ambiguous && rules.kernel == Kernel::Sort);
}

Literal shared_part(Op op, const Literal& result) {
  Literal part{result.dtype, {}, {}, {}};
  part.sizes = {0};
  if (shares_nothing(op)) return part;
  const Sizes sizes = result.sizes;
  const auto columns = static_cast<size_t>(sizes.back());
  const std::vector<double>& from = result.reals;
  if (op == Op::Eig) {
    for (size_t at = 0; at < from.size(); at += columns) {
      part.reals.push_back(0);
      for (size_t i = at; i < at + columns; ++i) part.reals.back() += from[i];
    }
  } else if (!from.empty()) {
    const auto rows = static_cast<size_t>(sizes[sizes.size() - 2]);
    for (size_t at = 0; at < from.size(); at += rows * columns)
      for (size_t a = 0; a < columns; ++a)
        for (size_t b = 0; b <= a; ++b) {
          part.reals.push_back(0);
          for (size_t row = at; row < at + rows * columns; row += columns)
            part.reals.back() += from[row + a] * from[row + b];
        }
  }
  part.sizes = {static_cast<int64_t>(part.reals.size())};
  return part;
}

bool is_decomposing(Op op) {
  const Rules& rules = info(op).rules;
  return rules.kernel == Kernel::Linalg || (rules.fails && rules.family == "matrix");
}
// Libraries may skip the zeros of a convolution's padding, or multiply by them.
bool needs_finite(Op op) {
  const Rules& rules = info(op).rules;
  return is_decomposing(op) || rules.kernel == Kernel::Conv2d ||
         op == Op::ScaledDotProductAttention || op == Op::Cdist;
}

}  // namespace rt::fuzz
