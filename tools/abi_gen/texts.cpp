// texts.cpp -- the words for sizes, dtypes, parameters and results, by rule, name and kind.
#include "tools/abi_gen/texts.h"

#include <algorithm>

#include "graph/error.h"
#include "graph/ops/infer.h"

namespace rt::abi_gen {
namespace {

/// The sizes that a shape rule wants of the tensors, in their order, the last text for all further
/// ones, and the sizes that it gives. A text may end with "; " and dtypes, which count instead of
/// those of the type rule. $0 to $4 stand for the names of the tensors.
struct ShapeText {
  ShapeRule rule;
  std::vector<std::string_view> operands;
  std::string_view result;
};
const std::vector<ShapeText>& shape_texts() {
  constexpr std::string_view kReduced =
      "those of $0 without the dimensions of dim, or with 1 in their place";
  constexpr std::string_view kAny = "any sizes", kImages = "[N,C,H,W] or [C,H,W]",
                             kRows = "[N,C,L] or [C,L]";
  static const std::vector<ShapeText> all = {
      {shape::same, {kAny}, "those of $0"},
      {shape::broadcast, {"sizes that broadcast"}, "broadcast"},
      {shape::sizes, {}, "as given"},
      {shape::arange, {}, "[ceil((end - start) / step)]"},
      {shape::arange_int, {}, "[ceil((end - start) / step)]"},
      {shape::linspace, {}, "[steps]"},
      {shape::eye, {}, "[n,n]"},
      {shape::along_dim, {kAny}, "those of $0"},
      {shape::matmul,
       {"[k], [m,k] or [...,m,k]", "[k], [k,n] or [...,k,n]"},
       "the leading ones broadcast, then m and n where they are there"},
      {shape::dot, {"[n]"}, "0-d"},
      {shape::transpose, {kAny}, "those of $0, dim0 and dim1 exchanged"},
      {shape::t, {"at most 2 dimensions"}, "those of $0, reversed"},
      {shape::isclose, {"sizes that broadcast"}, "broadcast"},
      {shape::prelu, {kAny, "0-d or [1], or [C] where dimension 1 of $0 is C"}, "those of $0"},
      {shape::scalar, {kAny}, "0-d"},
      {shape::scalar_of_some, {"at least one element"}, "0-d"},
      {shape::reduce, {kAny}, "those of $0 without dim, or with 1 in its place"},
      {shape::reduce_some, {"dim is not empty"}, "those of $0 without dim, or with 1 in its place"},
      {shape::arg_reduce, {"dim is not empty"}, "those of $0 without dim, or with 1 in its place"},
      {shape::reshape, {kAny}, "as given"},
      {shape::permute, {kAny}, "those of $0, reordered"},
      {shape::squeeze, {kAny}, "those of $0 that are not 1"},
      {shape::squeeze_dim, {kAny}, "those of $0, without dim when it is 1"},
      {shape::unsqueeze, {kAny}, "those of $0 and a 1 at dim"},
      {shape::flatten, {kAny}, "[numel of $0]"},
      {shape::slice, {"at least 1 dimension"}, "those of $0, at dim the number of indices"},
      {shape::index_select,
       {kAny, "at most 1 dimension; int64 or int32"},
       "those of $0, at dim the length of $1"},
      {shape::gather,
       {kAny, "as many dimensions as $0, and no larger sizes but at dim; int64 or int32"},
       "those of $1"},
      {shape::cat,
       {"at least one tensor, of equal sizes but for dim; 1-D ones without elements are skipped"},
       "those of one tensor, at dim the sum"},
      {shape::stack,
       {"at least one tensor, all of equal sizes"},
       "those of one tensor, and at dim "
       "their number"},
      {shape::linear,
       {"[...,in_features]", "[out_features,in_features] or [in_features]",
        "broadcasts to the result; 0 for none"},
       "[...,out_features] or [...]"},
      {shape::embedding,
       {"any sizes; int64 or int32", "[num_embeddings,embedding_dim]"},
       "those of $0, then embedding_dim"},
      {shape::mse_loss, {"sizes that broadcast"}, "0-d"},
      {shape::cross_entropy,
       {"[C], [N,C] or [N,C,d...]",
        "class indices, of the sizes of $0 without the C, int64; or probabilities, of the sizes of "
        "$0, floating point"},
       "0-d"},
      {shape::nll_loss,
       {"[C], [N,C] or [N,C,d...]", "the sizes of $0 without the C; int64"},
       "0-d"},
      {shape::binary_cross_entropy, {kAny, "the sizes of $0"}, "0-d"},
      {shape::conv2d,
       {kImages, "[out,C/groups,KH,KW]", "[out], 0 for none"},
       "[N,out,H',W'] or [out,H',W']"},
      {shape::pool2d, {kImages}, "[N,C,H',W'] or [C,H',W']"},
      {shape::layer_norm,
       {"normalized_shape at its end", "normalized_shape, 0 for none"},
       "those of $0"},
      {shape::dropout, {kAny}, "those of $0"},
      {shape::det, {"[n,n]"}, "0-d"},
      {shape::square, {"[...,n,n]"}, "those of $0"},
      {shape::svd, {"[...,m,n]"}, "[...,m,min(m,n)]"},
      {shape::eig, {"[...,n,n]"}, "[...,n]"},
      {shape::linalg_solve,
       {"[...,n,n]", "[...,n,k], or [n] or [...,n], a vector for each matrix"},
       "those of $1, the leading ones broadcast"},
      {shape::loss, {"sizes that broadcast"}, "broadcast; with a reduction 0-d"},
      {shape::smooth_l1_loss, {"sizes that broadcast"}, "broadcast; with a reduction 0-d"},
      {shape::huber_loss, {"sizes that broadcast"}, "broadcast; with a reduction 0-d"},
      {shape::weighted_loss,
       {kAny, "the sizes of $0", "broadcasts to $0; 0 for none"},
       "those of $0; with a reduction 0-d"},
      {shape::margin_ranking_loss,
       {"sizes that broadcast, all of as many dimensions"},
       "broadcast; with a reduction 0-d"},
      {shape::cosine_similarity, {"sizes that broadcast"}, "broadcast, without dim"},
      {shape::cosine_embedding_loss,
       {"[N,d], or [d] for a 0-d target", "[N,d], or [d] for a 0-d target", "[N], or 0-d"},
       "[N] or 0-d; with a reduction 0-d"},
      {shape::nll_loss_nd,
       {"[C], [N,C] or [N,C,d...]", "the sizes of $0 without the C; int64", "[C], 0 for none"},
       "those of $0 without the C; with a reduction 0-d"},
      {shape::group_norm, {"[N,C] or [N,C,d...]", "[C], 0 for none"}, "those of $0"},
      {shape::instance_norm, {"[N,C,d...]", "[C], 0 for none"}, "those of $0"},
      {shape::rms_norm,
       {"normalized_shape at its end", "normalized_shape, 0 for none"},
       "those of $0"},
      {shape::conv1d, {kRows, "[out,C/groups,K]", "[out], 0 for none"}, "[N,out,L'] or [out,L']"},
      {shape::conv3d,
       {"[N,C,D,H,W] or [C,D,H,W]", "[out,C/groups,KD,KH,KW]", "[out], 0 for none"},
       "[N,out,D',H',W'] or [out,D',H',W']"},
      {shape::conv_transpose1d,
       {kRows, "[C,out/groups,K]", "[out], 0 for none"},
       "[N,out,L'] or [out,L']"},
      {shape::conv_transpose2d,
       {kImages, "[C,out/groups,KH,KW]", "[out], 0 for none"},
       "[N,out,H',W'] or [out,H',W']"},
      {shape::pool1d, {kRows}, "[N,C,L'] or [C,L']"},
      {shape::adaptive_pool1d, {kRows}, "[N,C,output_size] or [C,output_size]"},
      {shape::adaptive_pool2d, {kImages}, "those of $0, height and width as output_size"},
      {shape::upsample2d, {"[N,C,H,W]"}, "[N,C,output_size]"},
      {shape::pixel_shuffle, {"[...,C*r*r,H,W]"}, "[...,C,H*r,W*r]"},
      {shape::pixel_unshuffle, {"[...,C,H*r,W*r]"}, "[...,C*r*r,H,W]"},
      {shape::unfold, {kImages}, "[N,C*KH*KW,L] or [C*KH*KW,L]"},
      {shape::fold, {"[N,C*KH*KW,L] or [C*KH*KW,L]"}, "[N,C,output_size] or [C,output_size]"},
      {shape::glu, {"an even size at dim"}, "those of $0, half as much at dim"},
      {shape::reduce_dims, {kAny}, kReduced},
      {shape::mm, {"[m,k]", "[k,n]"}, "[m,n]"},
      {shape::bmm, {"[b,m,k]", "[b,k,n]"}, "[b,m,n]"},
      {shape::mv, {"[m,k]", "[k]"}, "[m]"},
      {shape::addmm, {"broadcasts to the result", "[m,k]", "[k,n]"}, "[m,n]"},
      {shape::addmv, {"broadcasts to the result", "[m,k]", "[k]"}, "[m]"},
      {shape::baddbmm, {"broadcasts to the result", "[b,m,k]", "[b,k,n]"}, "[b,m,n]"},
      {shape::addbmm, {"broadcasts to the result", "[b,m,k]", "[b,k,n]"}, "[m,n]"},
      {shape::addr, {"broadcasts to the result", "[m]", "[n]"}, "[m,n]"},
      {shape::outer, {"[m]", "[n]"}, "[m,n]"},
      {shape::inner, {"[...,k], or 0-d"}, "those of $0 and $1 without their last ones"},
      {shape::tensordot, {kAny}, "those of $0 and $1 that are not summed over"},
      {shape::kron, {kAny}, "the products of those of $0 and $1, from the last on"},
      {shape::cross, {"as many dimensions, 3 at dim; the others broadcast"}, "broadcast"},
      {shape::trace, {"[m,n]"}, "0-d"},
      {shape::cdist, {"[...,m,k]", "[...,n,k]"}, "the leading ones broadcast, then m and n"},
      {shape::pairwise_distance,
       {"sizes that broadcast"},
       "broadcast, without the last one or with 1 in its place"},
      {shape::qr_r, {"[...,m,n]"}, "[...,min(m,n),n]"},
      {shape::singular_values, {"[...,m,n]"}, "[...,min(m,n)]"},
      {shape::determinants, {"[...,n,n]"}, "[...]"},
      {shape::matrix_rank, {"[...,m,n]"}, "[...]"},
      {shape::pinv, {"[...,m,n]"}, "[...,n,m]"},
      {shape::solve_triangular,
       {"[...,n,n]", "[...,n,k], or [...,k,n] where not left"},
       "those of $1, the leading ones broadcast"},
      {shape::reduce_dims_some, {"the dimensions of dim are not empty"}, kReduced},
      {shape::reduce_spread, {kAny}, "those of $0 without dim, or with 1 in its place"},
      {shape::norm_dims, {kAny}, kReduced},
      {shape::norm_scalar, {kAny}, "0-d"},
      {shape::sorted, {kAny}, "those of $0"},
      {shape::topk, {kAny}, "those of $0, at dim k"},
      {shape::kthvalue,
       {"at least k elements along dim"},
       "those of $0 without dim, or with 1 in its place"},
      {shape::quantile, {"dim is not empty"}, "those of $0 without dim, or with 1 in its place"},
      {shape::diff,
       {"at least 1 dimension", "sizes of $0 but for dim; 0 for none"},
       "those of $0, at dim those of all three together less n"},
  };
  return all;
}

/// The dtypes that a type rule takes, and the one that it gives. $dtype is the dtype parameter.
struct TypeText {
  TypeRule rule;
  std::string_view operands, result;
};
constexpr std::string_view kFloats = "floating point", kAnyType = "any dtype",
                           kNotBool = "any dtype but bool";
const TypeText kTypeTexts[] = {
    {type::keep, kAnyType, "that of $0"},
    {type::keep_second, kAnyType, "that of $1"},
    {type::numeric, kNotBool, "that of $0"},
    {type::floating, kFloats, "that of $0"},
    {type::to_float, kAnyType, "that of $0 if floating point, else float32"},
    {type::numeric_to_float, kNotBool, "that of $0 if floating point, else float32"},
    {type::averaged, "floating point or int64", "that of $0"},
    {type::promote, kAnyType, "promoted"},
    {type::promote_numeric, kNotBool, "promoted"},
    {type::promote_to_number, "any dtype, not bool for all", "promoted"},
    {type::promote_floating, "any dtype, one of them floating point", "promoted"},
    {type::promote_float, kAnyType, "promoted, float32 in place of integers and bool"},
    {type::promote_expanded, "any dtype, one of the two floating point", "promoted"},
    {type::equal, "one dtype for all, not bool", "that of $0"},
    {type::equal_floating, "one floating point dtype for all", "that of $0"},
    {type::normalized, "floating point, one dtype for all", "that of $0"},
    {type::cross_entropy, kFloats, "that of $0, promoted with probabilities"},
    {type::counted, kAnyType, "that of $0, int64 in place of bool"},
    {type::boolean, kAnyType, "bool"},
    {type::position, kAnyType, "int64"},
    {type::rank, kFloats, "int64"},
    {type::isclose, "one dtype for all", "bool"},
    {type::masked_fill, kAnyType, "that of $0"},
    {type::where, kAnyType, "$1 and $2 promoted"},
    {type::sum, kAnyType, "that of $0 if floating point, else int64"},
    {type::index, kNotBool, "int64"},
    {type::given, kAnyType, "$dtype"},
    {type::filled, kAnyType, "$dtype"},
    {type::filled_float, kAnyType, "$dtype"},
    {type::given_float, kAnyType, "$dtype"},
    {type::given_number, kAnyType, "$dtype"},
    {type::cast, kAnyType, "$dtype"},
    {type::embedded_pair, "any dtype, one of the inputs floating point",
     "promoted from the inputs"},
};

constexpr std::string_view kNewDim =
    "the new dimension, from -rank - 1 to rank; negative ones count from the end";
constexpr std::string_view kLoaderDevice = "0 for the CPU, N for CUDA device N - 1";

/// Parameters by name: those of ops but for their tensors, and those of calls. A line holds where
/// `where` is "", the section, the call, the kind, or a part of the op's name. The first that holds
/// counts.
struct ParamText {
  std::string_view name, where, text;
};
constexpr ParamText kParamTexts[] = {
    {"size", "rt_torch_torchtensor_expand", "the sizes; -1 where self's size stays"},
    {"source", "rt_torch_torchtensor_movedim", "dimensions of self"},
    {"destination", "rt_torch_torchtensor_movedim", "the place of each of them in the result"},
    {"dims", "rt_torch_torchtensor_flip", "dimensions of self, each once"},
    {"dims", "rt_torch_torchtensor_roll", "a dimension for each shift, or none"},
    {"dims", "rt_torch_torchtensor_tile", "how often self stands along each dimension"},
    {"shifts", "", "how far elements move along each of dims"},
    {"repeats", "rt_torch_torchtensor_repeat_interleave", "how often each entry comes"},
    {"repeats", "", "how often self stands along each dimension"},
    {"diagonal", "", "0 for the main diagonal, positive above it, negative below it"},
    {"offset", "", "0 for the main diagonal, positive above it, negative below it"},
    {"dim1", "rt_torch_torchtensor_diagonal", "a dimension; negative ones count from the end"},
    {"dim2", "rt_torch_torchtensor_diagonal", "another one"},
    {"length", "rt_torch_torchtensor_narrow", "the number of entries"},
    {"start", "rt_torch_torchtensor_narrow", "the first entry; negative ones count from the end"},
    {"index", "rt_torch_torchtensor_select", "the entry; negative ones count from the end"},
    {"split_size", "", "the entries of a piece, at least 1"},
    {"split_sizes", "", "the entries of each piece; their sum is the size of dim"},
    {"indices", "rt_torch_torchtensor_take_along_dim",
     "as many dimensions as self, of sizes that broadcast but for dim; int64 or int32"},
    {"sorted_sequence", "", "a 1-D tensor in ascending order"},
    {"right", "", "1 to count elements that are equal, too"},
    {"tensors", "rt_torch_tensor_meshgrid", "0-d or 1-D tensors, at least one"},
    {"indexing", "", "ij, or xy for the first two dimensions exchanged"},
    {"num_classes", "rt_torch_nn_one_hot", "the number of classes, at least 1"},
    {"pad", "", "two numbers for each of the last dimensions, the last dimension first"},
    {"mode", "rt_torch_nn_pad",
     "constant (elements are value; negative numbers take elements off), reflect, replicate or "
     "circular"},
    {"value", "rt_torch_nn_pad", "what mode constant adds"},
    {"fill_value", "rt_torch_torchtensor_full_like", "any number that the dtype can hold"},
    {"num_samples", "", "how many are drawn, at least 1"},
    {"replacement", "", "1 where a class may be drawn again"},
    {"low", "", "the least number"},
    {"high", "", "the end of the range, which is not reached"},
    {"mean", "rt_torch_tensor_normal", "the mean"},
    {"std", "rt_torch_tensor_normal", "the standard deviation, at least 0"},
    {"n", "rt_torch_tensor_randperm", "how many, not negative"},
    {"gain", "", "a factor of all numbers"},
    {"a", "rt_torch_init_kaiming_uniform", "the negative slope of leaky_relu"},
    {"a", "rt_torch_init_kaiming_normal", "the negative slope of leaky_relu"},
    {"mode", "rt_torch_init_kaiming_uniform", "fan_in or fan_out"},
    {"mode", "rt_torch_init_kaiming_normal", "fan_in or fan_out"},
    {"nonlinearity", "", "linear, sigmoid, tanh, relu, leaky_relu or selu"},
    {"size", "rt_torch_nn_interpolate",
     "the result's sizes behind the channels, or one for all; empty: see scale_factor"},
    {"size", "", "the sizes; at most 64, none negative"},
    {"dims", "Sizes", "the sizes; at most 64, none negative"},
    {"shape", "Sizes", "the sizes; one may be -1 and is computed from the others"},
    {"shape", "Int64s", "the sizes; none negative"},
    {"shape_len", "", "the number of sizes, at most 64"},
    {"data", "", "the elements, row-major; copied before the call returns"},
    {"data_len", "", "the number of elements, the product of shape"},
    {"bits", "", "bit patterns of doubles, row-major; copied before the call returns"},
    {"len", "", "the number of elements"},
    {"rows", "", "the number of rows"},
    {"cols", "", "the number of columns; bits has rows * cols elements"},
    {"fill_value", "", "the value of all elements"},
    {"start", "slice", "the first index; negative ones count from the end; clamped"},
    {"end", "slice", "the index after the last; negative ones count from the end; clamped"},
    {"step", "slice", "the distance of the indices, at least 1"},
    {"start", "", "the first number"},
    {"end", "linspace", "the last number"},
    {"end", "", "the bound, which is not reached"},
    {"step", "", "the distance of two numbers; not 0, its sign leads from start to end"},
    {"steps", "", "the number of elements, not negative"},
    {"n", "matrix_power", "the exponent"},
    {"n", "diff", "how often differences are taken, not negative"},
    {"n", "", "the number of rows and of columns, not negative"},
    {"dtype", "", "a code of rt_torch_dtype"},
    {"device", "loader", kLoaderDevice},
    {"device_id", "device", "the index of a CUDA device"},
    {"device_id", "", "a device code"},
    {"dim", "argsort", "a dimension, from -rank to rank - 1; negative ones count from the end"},
    {"dim", "IntList",
     "dimensions, from -rank to rank - 1, each once; negative ones count from the end; empty: all"},
    {"beta", "add", "the factor of self"},
    {"alpha", "", "the factor of the product"},
    {"dims_self", "",
     "the dimensions of self to sum over, each once; negative ones count from the end"},
    {"dims_other", "", "the dimensions of other that go with them, in their order"},
    {"p", "dist", "the order of the norm"},
    {"eps", "dist", "added to each difference"},
    {"upper", "cholesky", "1: the upper triangle; 0: the lower"},
    {"upper", "", "1: self is an upper triangle; 0: a lower one"},
    {"left", "", "1: self stands on the left of X; 0: on its right"},
    {"unitriangular", "", "1: the diagonal counts as ones; 0: as it is"},
    {"equation", "", "the letters of the dimensions, as \"bij,bjk->bik\""},
    {"tensors", "rt_torch_torchtensor_einsum",
     "a tensor for each term, of one dtype other than bool"},
    {"correction", "", "what the number of elements is lessened by, not negative"},
    {"unbiased", "", "1: squares over their number less 1; 0: over their number"},
    {"p", "norm", "the order of the norm; may be infinite or negative"},
    {"ord", "", "the order of the norm; may be infinite or negative"},
    {"stable", "", "1: equal elements keep their order; 0: it is free"},
    {"descending", "", "1: the largest element first; 0: the smallest"},
    {"k", "topk", "the number of elements, from 0 to the size of dim"},
    {"k", "", "which element, from 1 to the size of dim"},
    {"largest", "", "1: the largest elements; 0: the smallest"},
    {"sorted", "", "1: in order; 0: in any order"},
    {"q", "", "the share, from 0 to 1"},
    {"dim", "arg", "a dimension, from 0; negative: all elements, in row-major order"},
    {"dim", "unsqueeze", kNewDim},
    {"dim", "stack", kNewDim},
    {"dim", "", "a dimension, from -rank to rank - 1; negative ones count from the end"},
    {"dim0", "", "a dimension, from -rank to rank - 1; negative ones count from the end"},
    {"dim1", "", "a dimension, from -rank to rank - 1; negative ones count from the end"},
    {"dims", "IntList", "every dimension once, in the new order"},
    {"dim_idx", "", "the dimension, from 0"},
    {"keepdim", "", "1: dim stays with size 1; 0: it goes"},
    {"chunks", "", "the number of pieces, at least 1"},
    {"exponent", "", "the exponent"},
    {"other", "", "the number"},
    {"negative_slope", "", "the factor of negative elements"},
    {"p", "rt_torch_nn_normalize", "the order of the norm, above 0; infinite: the largest"},
    {"p", "rt_torch_nn_triplet_margin_loss",
     "the order of the norm, above 0; infinite: the largest"},
    {"p", "", "the probability that an element is set to 0, from 0 to 1"},
    {"train", "", "1 in training; with 0 nothing is dropped"},
    {"normalized_shape", "", "the last sizes of input; at least one"},
    {"eps", "optimizer", "added to the denominator"},
    {"eps", "rms_norm", "added to the mean of the squares; NaN: the epsilon of the dtype"},
    {"eps", "cosine_similarity", "the least length, at least 0"},
    {"eps", "rt_torch_nn_normalize", "the least norm"},
    {"eps", "poisson", "added to input before its logarithm"},
    {"eps", "rt_torch_nn_triplet_margin_loss", "added to each difference"},
    {"eps", "rt_torch_nn_gaussian_nll_loss", "the least variance, above 0"},
    {"eps", "", "added to the variance; positive"},
    {"stride", "pool1d", "the window's step, at least 1; empty: kernel_size"},
    {"padding", "pool1d", "padding on both sides, at most kernel_size / 2"},
    {"kernel_size", "pool1d", "the window's length, at least 1"},
    {"stride", "1d", "the window's step, at least 1"},
    {"padding", "1d", "zeros on both sides, not negative"},
    {"dilation", "1d", "the distance of the kernel's elements, at least 1"},
    {"stride", "3d", "the window's step in depth, height and width, at least 1"},
    {"padding", "3d", "zeros on both sides in depth, height and width, not negative"},
    {"dilation", "3d", "the distance of the kernel's elements in all dimensions, at least 1"},
    {"stride", "transpose2d", "the distance in height and width at which kernels are added"},
    {"padding", "transpose2d", "what is cut off on both sides in height and width, not negative"},
    {"stride", "pool2d", "the window's step in height and width, at least 1; empty: kernel_size"},
    {"stride", "", "the window's step in height and width, at least 1"},
    {"padding", "pool2d", "padding on both sides in height and width, at most kernel_size / 2"},
    {"padding", "", "zeros on both sides in height and width, not negative"},
    {"dilation", "", "the distance of the kernel's elements in height and width, at least 1"},
    {"groups", "", "the number of groups of channels, at least 1; divides C and out"},
    {"kernel_size", "", "the window's height and width, at least 1"},
    {"input", "rt_torch_nn_batch_norm", "[N,C] or [N,C,d...]; floating point"},
    {"running_mean", "", "[C]; 0 for none, then running_var is 0, too; required without training"},
    {"running_var", "", "[C]; 0 for none"},
    {"indices", "rt_torch_nn_embedding_bag",
     "[B,n], a bag in each row, or [n], cut into bags by offsets; int64 or int32"},
    {"offsets", "", "where each bag begins, the first 0, [B]; int64 or int32; 0 for rows as bags"},
    {"per_sample_weights", "", "a factor for each index; only for sums; 0 for none"},
    {"include_last_offset", "", "1: offsets ends with the number of indices"},
    {"mode", "rt_torch_nn_embedding_bag", "0 the sum of each bag, 1 the mean, 2 the largest"},
    {"weight", "rt_torch_nn_embedding_bag", "[num_embeddings,embedding_dim]; floating point"},
    {"weight", "rt_torch_nn_batch_norm", "C numbers; 0 for none"},
    {"bias", "rt_torch_nn_batch_norm", "C numbers; 0 for none"},
    {"training", "", "1: normalize by the batch's own statistics and update the running ones"},
    {"momentum", "rt_torch_nn_batch_norm", "the share of the new statistics in the running ones"},
    {"a", "", "a tensor; sizes that broadcast with those of b"},
    {"b", "", "a tensor; sizes that broadcast with those of a"},
    {"op", "", "0 add, 1 sub, 2 mul, 3 div"},
    {"handle", "rt_torch_autograd_backward", "a tensor of one element; floating point"},
    {"handle", "rt_torch_autograd_grad", "a leaf"},
    {"handle", "rt_torch_autograd_zero_grad", "a leaf"},
    {"handle", "rt_torch_torchtensor_item", "a tensor of one element; any dtype"},
    {"handle", "Tensor", "a tensor of any sizes and dtype"},
    {"handle", "stream", "a stream"},
    {"handle", "file", "an open safetensors file"},
    {"stream", "", "a stream of that device, or 0 for its default stream"},
    {"optimizer", "", "an optimizer"},
    {"parameters", "autograd", "leaves; the same one twice counts once"},
    {"max_norm", "", "the largest norm"},
    {"norm_type", "", "the order of the norm, above 0; infinite: the largest element"},
    {"clip_value", "", "the largest absolute value, at least 0"},
    {"parameters", "", "leaves of floating point dtype, each once"},
    {"learning_rate", "", "the learning rate"},
    {"momentum", "", "the factor of v from step to step; 0 for none"},
    {"weight_decay", "", "the factor of the parameters in the decay; 0 for none"},
    {"learning_rate_decay", "",
     "how fast the learning rate falls: it is divided by 1 + steps * this"},
    {"initial_accumulator_value", "", "what the sums of squares begin with"},
    {"alpha", "rt_torch_rmsprop_new", "the part of the mean square that a step keeps"},
    {"group", "", "the index of a group of parameters; -1, where a value is set, for all"},
    {"option", "",
     "learning_rate, weight_decay or maximize; momentum (SGD, RMSprop); dampening, nesterov (SGD); "
     "beta1, beta2 (Adam, AdamW, Adamax, Lion); amsgrad (Adam, AdamW); alpha, centered (RMSprop); "
     "eps (all but SGD and Lion); learning_rate_decay, initial_accumulator_value (Adagrad)"},
    {"value", "rt_torch_optimizer_set_option", "the number; 1 or 0 for a flag"},
    {"step_size", "", "steps of the schedule from one drop to the next, at least 1"},
    {"gamma", "", "the factor of a drop, at least 0"},
    {"warmup_steps", "",
     "steps before the schedule, over which the rate rises to its value in equal parts; 0 for "
     "none"},
    {"total_steps", "", "the steps of the schedule, at least 1"},
    {"eta_min", "", "the last learning rate, at least 0"},
    {"start_factor", "", "the first factor, at least 0"},
    {"end_factor", "", "the last factor, at least 0"},
    {"max_lr", "", "the highest learning rate, at least 0"},
    {"pct_start", "", "the part of the steps in which the rate rises, from 0 to 1"},
    {"div_factor", "", "max_lr divided by the first learning rate, above 0"},
    {"final_div_factor", "", "the first learning rate divided by the last, above 0"},
    {"beta1", "", "the decay of the mean of the gradients"},
    {"beta2", "", "the decay of the mean of their squares"},
    {"requires_grad", "", "1 or 0"},
    {"path", "", "the file's path"},
    {"path_ptr", "", "the file's path"},
    {"name", "file", "the tensor's name"},
    {"name", "rt_torch_set_backend", "auto, libtorch or reference"},
    {"name", "rt_torch_set_policy", "observe, data or eager; see Force points above"},
    {"name", "rt_torch_stat", "a name of those in rt_torch_stats_json"},
    {"seed", "", "any integer"},
    {"format", "",
     "text, json, dot, html (a page to explore the graph in a browser) or torchscript (text in a "
     ".txt file, a module for torch.jit.load in a .pt file)"},
    {"label", "", "the name"},
    {"file", "", "the source file; \"\" clears the location"},
    {"line", "", "the line in it"},
    {"buffer", "", "where the elements go"},
    {"capacity", "", "how many elements fit there"},
    {"dims_out", "", "where the sizes go"},
    {"max_dims", "", "how many sizes fit there"},
    {"reduction", "", "0 none, 1 the mean, 2 the sum"},
    {"beta", "", "the distance from which the loss is linear, at least 0"},
    {"delta", "", "the distance from which the loss is linear, above 0"},
    {"log_target", "", "1: target holds logarithms"},
    {"ignore_index", "", "the class that counts for nothing; -100 in PyTorch"},
    {"label_smoothing", "", "the share of each target that all classes get evenly, from 0 to 1"},
    {"margin", "", "the margin"},
    {"log_input", "", "1: input holds logarithms"},
    {"full", "", "1: with the term that does not depend on input"},
    {"swap", "", "1: with the distance of positive and negative"},
    {"num_groups", "", "the number of groups of channels; divides C"},
    {"output_padding", "", "sizes added to the result's end, below stride or dilation"},
    {"output_size", "", "the result's sizes behind the channels"},
    {"align_corners", "", "1: the outer elements stay at the corners"},
    {"upscale_factor", "", "the factor of height and width, at least 1"},
    {"downscale_factor", "", "the divisor of height and width, at least 1"},
    {"dropout_p", "", "the probability that an element of the softmax is set to 0, from 0 to 1"},
    {"is_causal", "", "1: a query may look at no later key"},
    {"scale", "", "the factor of query * key^T; NaN: 1 over the root of E"},
    {"query", "rt_torch_nn_multi_head_attention", "[L,N,E] or [L,E]; floating point"},
    {"key", "rt_torch_nn_multi_head_attention", "[S,N,E] or [S,E]; as query"},
    {"value", "rt_torch_nn_multi_head_attention", "as key"},
    {"query", "", "[...,L,E]; floating point"},
    {"key", "", "[...,S,E]; as query"},
    {"value", "rt_torch_nn_scaled_dot_product_attention", "[...,S,Ev]; as query"},
    {"attn_mask", "rt_torch_nn_multi_head_attention",
     "[L,S] or [N * num_heads,L,S], added to the scores, or bool, true where a query must not "
     "look; 0 for none"},
    {"attn_mask", "",
     "broadcasts to [...,L,S], added to the scores, or bool, true where a query may look; 0 for "
     "none"},
    {"num_heads", "", "the number of heads; divides E"},
    {"in_proj_weight", "", "[3 * E,E]: of query, key and value"},
    {"in_proj_bias", "", "[3 * E], 0 for none"},
    {"out_proj_weight", "", "[E,E]"},
    {"out_proj_bias", "", "[E], 0 for none"},
    {"key_padding_mask", "",
     "[N,S], added to the scores, or bool, true at keys that count for nothing; 0 for none"},
    {"need_weights", "", "1: the result has the weights, too"},
    {"hx", "TensorList", "the hidden state and the memory"},
    {"hx", "", "the hidden state"},
    {"params", "", "w_ih, w_hh and with has_biases b_ih, b_hh, for each layer and direction"},
    {"has_biases", "", "1: params has biases"},
    {"num_layers", "", "the number of layers, at least 1"},
    {"dropout", "", "the probability that an element between two layers is set to 0 in training"},
    {"bidirectional", "", "1: each layer runs in both directions"},
    {"batch_first", "", "1: input and output are [N,T,features]"},
    {"w_ih", "", "[gates * H,features]"},
    {"w_hh", "", "[gates * H,H]"},
    {"b_ih", "", "[gates * H], 0 for none"},
    {"b_hh", "", "[gates * H], 0 for none"},
    {"var", "", "the sizes of input, or 1 at its last dimension, or not that dimension"},
    {"mode", "", "nearest, linear or bilinear"},
    {"log_probs", "", "the logarithms of probabilities, [T,N,C]; floating point"},
    {"targets", "", "[N,S]; int64 or int32"},
    {"input_lengths", "", "how many of the T steps count for each sample, [N]; int64 or int32"},
    {"target_lengths", "", "how many of the S targets count for each sample, [N]; int64 or int32"},
    {"blank", "", "the class of blanks"},
    {"zero_infinity", "", "1: 0 in place of an infinite loss"},
    {"scale_factor", "", "the factor of each size, or one for all; empty: see size"},
};

std::string filled_in(std::string_view pattern, const Symbol& symbol) {
  std::vector<std::string> names;
  for (const Param& param : symbol.op->params)
    if (param.kind == Kind::Tensor || param.kind == Kind::OptTensor) {
      std::string name(param.name);
      for (const Use& use : symbol.uses)
        if (use.name == param.name) name = use.param;
      names.push_back(name);
    }
  std::string out;
  for (size_t at = 0; at < pattern.size(); ++at) {
    if (pattern[at] != '$') {
      out += pattern[at];
    } else if (pattern.substr(at + 1).starts_with("dtype")) {
      at += 5;
      std::string given = "that of dtype";
      for (const Constant& constant : symbol.constants)
        if (constant.name == "dtype") given = constant.json.substr(1, constant.json.size() - 2);
      out += given;
    } else {
      const auto tensor = static_cast<size_t>(pattern[++at] - '0');
      // A row of tensors in a list has no names for them.
      out += tensor < names.size() ? names[tensor] : "the first";
    }
  }
  return out;
}

const ShapeText& shape_of(const OpInfo& op) {
  const auto& all = shape_texts();
  const auto found = std::ranges::find(all, op.rules.shape, &ShapeText::rule);
  if (found == all.end())
    fail(op.name, " has a shape rule without a text; give it one in tools/abi_gen/texts.cpp");
  return *found;
}
const TypeText& type_of(const OpInfo& op) {
  const auto* const found = std::ranges::find(kTypeTexts, op.rules.type, &TypeText::rule);
  if (found == std::end(kTypeTexts))
    fail(op.name, " has a type rule without a text; give it one in tools/abi_gen/texts.cpp");
  return *found;
}

bool is_tensor(Kind kind) {
  return kind == Kind::Tensor || kind == Kind::OptTensor || kind == Kind::TensorList;
}

/// The text of the tensor parameter `name` of the symbol's op.
std::string operand_text(const Symbol& symbol, std::string_view name) {
  const ShapeText& shape = shape_of(*symbol.op);
  size_t tensor = 0;
  for (const Param& param : symbol.op->params) {
    if (param.name == name) break;
    if (is_tensor(param.kind)) ++tensor;
  }
  const std::string_view sizes = shape.operands[std::min(tensor, shape.operands.size() - 1)];
  const bool has_dtype = sizes.find("int64") != std::string_view::npos;
  return filled_in(has_dtype ? sizes : join(sizes, "; ", type_of(*symbol.op).operands), symbol);
}

/// Describes a parameter of this kind, where kParamTexts has no text of its own.
std::string_view default_text(Kind kind) {
  switch (kind) {
    case Kind::Float:
    case Kind::Bits: return "a number";
    case Kind::Flag: return "1 or 0";
    case Kind::IntList: return "integers";
    case Kind::Text:
    case Kind::TextBits: return "a text";
    case Kind::Handle: return "a handle";
    default: return "an integer";
  }
}

std::string_view known_text(const Symbol& symbol, std::string_view name, Kind kind) {
  for (const ParamText& row : kParamTexts) {
    if (row.name != name) continue;
    const std::string_view where = row.where;
    if (where.empty() || where == symbol.original.section || where == symbol.original.name ||
        where == text(kind).name ||
        (symbol.op && symbol.op->name.find(where) != std::string_view::npos))
      return row.text;
  }
  return default_text(kind);
}

/// A parameter that is given by a code, or by a pointer and a length; "" for others.
std::string_view coded_text(std::string_view as) {
  if (as == "elements") return "the sizes; none negative";
  if (as == "length") return "the number of sizes, at most 64";
  if (as == "any_device") return "a device code";
  if (as == "cuda_device") return "the index of a CUDA device that exists";
  if (as == "loader_device") return kLoaderDevice;
  if (as == "loader_dtype") return "a code of rt_torch_dtype";
  return "";
}

std::string plain_text(const Symbol& symbol, const Param& param) {
  const Use* use = symbol.use(param.name);
  if (use)
    if (const auto coded = coded_text(use->as); !coded.empty()) return std::string(coded);
  if (!symbol.op) {
    const auto at = static_cast<size_t>(&param - symbol.params.data());
    const std::string_view name =
        symbol.original.params.empty() ? param.name : symbol.original.params[at];
    return std::string(known_text(symbol, name, param.kind));
  }
  const auto known = std::ranges::find(symbol.op->params, use->name, &Param::name);
  const std::string all = is_tensor(known->kind)
                              ? operand_text(symbol, known->name)
                              : std::string(known_text(symbol, known->name, known->kind));
  if (use->element < 0) return all;
  if (known->kind == Kind::Sizes && known->name == "size")
    return join("the size of dimension ", use->element);
  return join(known->name, "[", use->element, "]: ", all);
}

}  // namespace

std::string param_text(const Symbol& symbol, const Param& param) {
  std::string text = plain_text(symbol, param);
  if (param.kind == Kind::Bits) text += "; the bits of a double";
  if (param.kind == Kind::TextBits) text += "; a pointer to the text";
  if (param.kind == Kind::OptTensor && text.find("0 for none") == std::string::npos)
    text += "; 0 for none";
  return text;
}

std::string result_text(const Symbol& symbol) {
  if (!symbol.op || symbol.result != Kind::Tensor) return "";
  return filled_in(
      join("Sizes: ", shape_of(*symbol.op).result, ". Dtype: ", type_of(*symbol.op).result, "."),
      symbol);
}

std::vector<std::string> notes(const Symbol& symbol) {
  std::vector<std::string> all;
  constexpr std::string_view kForces[] = {"",        "asks for sizes",    "frees a tensor",
                                          "submits", "submits and waits", "reads data"};
  if (symbol.forces != Forces::Nothing)
    all.push_back(join("Force point: ", kForces[static_cast<size_t>(symbol.forces)], "."));
  if (const OpInfo* op = symbol.op) {
    const Rules& rules = op->rules;
    const bool takes_tensors = op->tensors > 0 || op->variadic;
    if (rules.view) all.emplace_back("A view where strides allow it.");
    if (rules.effect == Effect::Random) all.emplace_back("Draws random numbers.");
    if (rules.fails)
      all.emplace_back("Can also fail when the batch runs, by what the elements are.");
    if (takes_tensors && !rules.vjp && !rules.graded)
      all.emplace_back("No gradient goes through it.");
  }
  if (!symbol.overloads.empty()) {
    std::string names;
    for (const std::string& overload : symbol.overloads)
      names += join(names.empty() ? "" : ", ", overload);
    all.push_back(join("Follows ", names, "."));
  }
  return all;
}

std::string failure_text(const KindText& result) {
  const std::string_view failure = result.failure;
  if (failure.starts_with("__builtin_nan")) return "NaN";
  if (failure.starts_with("reinterpret_cast")) return "a pointer to \"\"";
  if (failure.starts_with("0x7ff8")) return "the bits of a NaN";
  if (failure == "nullptr") return "NULL";
  return std::string(failure == "0.0" ? "0" : failure);
}

}  // namespace rt::abi_gen
