// infer.h -- shape and dtype rules by family. They throw Error where PyTorch would.
#pragma once
#include "graph/ops/op.h"

namespace rt {

namespace shape {
void same(Inference&);             ///< the first operand's sizes
void same_second(Inference&);      ///< the second operand's sizes
void broadcast(Inference&);        ///< of all operands
void equal(Inference&);            ///< same; the second operand has these sizes, too
void equal_along_dim(Inference&);  ///< equal; integer 0 is a dim
void sizes(Inference&);            ///< as the Sizes parameter says
void arange(Inference&);           ///< from float start, end, step
void arange_int(Inference&);       ///< from integer start, end, step
void linspace(Inference&);
void eye(Inference&);
void along_dim(Inference&);  ///< same; integer 0 is a dim
void matmul(Inference&);
void dot(Inference&);
void transpose(Inference&);
void t(Inference&);
void scalar(Inference&);          ///< 0-d
void scalar_of_some(Inference&);  ///< 0-d, of at least one element
void isclose(Inference&);         ///< broadcast; the scalars are tolerances
void allclose(Inference&);        ///< isclose, and a result that is 0-d
void all_equal(Inference&);       ///< 0-d, of two operands of the same sizes
void prelu(Inference&);           ///< same; the second operand has a number for each channel
void reduce(Inference&);          ///< integers: dim, keepdim
void reduce_some(Inference&);     ///< reduce, along a dim that is not empty
void arg_reduce(Inference&);      ///< reduce_some; dim < 0 is all dimensions
void reshape(Inference&);
void permute(Inference&);
void squeeze(Inference&);
void squeeze_dim(Inference&);
void unsqueeze(Inference&);
void flatten(Inference&);
void slice(Inference&);
void slice_backward(Inference&);
void expand(Inference&);
void as_strided(Inference&);
void as_strided_scatter(Inference&);
void index_select(Inference&);
void gather(Inference&);
void scatter_add(Inference&);
void index_add(Inference&);
void cat(Inference&);
void stack(Inference&);
void linear(Inference&);
void embedding(Inference&);
void embedding_backward(Inference&);
void mse_loss(Inference&);
void cross_entropy(Inference&);
void binary_cross_entropy(Inference&);
void binary_cross_entropy_terms(Inference&);
void nll_loss(Inference&);
void nll_loss_total_weight(Inference&);
void nll_loss_backward(Inference&);
void loss_backward(Inference&);  ///< same_second; a target like it, a gradient like it or 0-d
void conv2d(Inference&);
void conv2d_backward_input(Inference&);
void conv2d_backward_weight(Inference&);
void pool2d(Inference&);
void pool2d_backward(Inference&);
void max_pool2d_backward(Inference&);
void layer_norm(Inference&);
void layer_norm_statistics(Inference&);       ///< 1 in each dimension that is normalized
void layer_norm_backward(Inference&);         ///< same_second
void layer_norm_backward_weight(Inference&);  ///< normalized_shape
void dropout(Inference&);
void batch_norm(Inference&);
void batch_norm_training(Inference&);  ///< batch_norm, of more than one value per channel
void det(Inference&);
void det_backward(Inference&);
void square(Inference&);  ///< same, of square matrices
void svd(Inference&);
void eig(Inference&);
void eig_backward(Inference&);
void linalg_solve(Inference&);
// infer_losses.cpp
void loss(Inference&);  ///< the operands broadcast; 0-d where integer `reduction` says so
void smooth_l1_loss(Inference&);
void huber_loss(Inference&);
void weighted_loss(Inference&);  ///< loss of equal sizes, with weights that broadcast to them
void margin_ranking_loss(Inference&);
void cosine_similarity(Inference&);
void cosine_embedding_loss(Inference&);
void nll_loss_nd(Inference&);
void cross_entropy_loss(Inference&);
void smoothed_cross_entropy_loss(Inference&);
// infer_layers.cpp
void attention(Inference&);
void group_norm(Inference&);
void instance_norm(Inference&);
void rms_norm(Inference&);
void conv1d(Inference&);
void conv3d(Inference&);
void conv_transpose1d(Inference&);
void conv_transpose2d(Inference&);
void pool1d(Inference&);
void adaptive_pool1d(Inference&);
void adaptive_pool2d(Inference&);
void upsample2d(Inference&);
void pixel_shuffle(Inference&);
void pixel_unshuffle(Inference&);
void glu(Inference&);
void unfold(Inference&);
void fold(Inference&);

// For rules of several files.
__extension__ using Wide = __int128;  ///< sums and products of int64_t
/// Replaces the elements of list `list`.
void replace_list(Inference&, uint32_t list, std::initializer_list<int64_t> items);
/// Makes list `list` have `count` numbers within [least, most]; a single one counts for all.
void expand_list(Inference&, uint32_t list, size_t count, int64_t least, int64_t most);
int64_t convolved_size(int64_t size, int64_t kernel, int64_t stride, int64_t padding,
                       int64_t dilation);
int64_t pooled_size(int64_t size, int64_t kernel, int64_t stride, int64_t padding);
// infer_reduce.cpp
void reduce_dims(Inference&);       ///< list 0: dims, all where empty; the last integer: keepdim
void reduce_dims_some(Inference&);  ///< reduce_dims, over dimensions that are not empty
void reduce_spread(Inference&);     ///< reduce; integers: dim, unbiased, keepdim
void norm_dims(Inference&);         ///< reduce_dims; scalar 0: the norm's order
void norm_scalar(Inference&);       ///< 0-d; scalar 0: the norm's order
void sorted(Inference&);            ///< same; integer 1 is a dim
void topk(Inference&);              ///< integers: k, dim
void kthvalue(Inference&);          ///< reduce_some; integers: k, dim, keepdim
void quantile(Inference&);          ///< reduce_some; scalar 0: a share
void diff(Inference&);
// infer_products.cpp
void mm(Inference&);
void bmm(Inference&);
void mv(Inference&);
void addmm(Inference&);
void addmv(Inference&);
void baddbmm(Inference&);
void addbmm(Inference&);
void addr(Inference&);
void outer(Inference&);
void inner(Inference&);
void tensordot(Inference&);
void kron(Inference&);
void cross(Inference&);
void trace(Inference&);
void cdist(Inference&);
void pairwise_distance(Inference&);
// infer_factors.cpp
void qr_r(Inference&);             ///< [...,min(m,n),n]
void singular_values(Inference&);  ///< [...,min(m,n)]
void determinants(Inference&);     ///< one for each square matrix
void matrix_rank(Inference&);      ///< one for each matrix
void pinv(Inference&);             ///< [...,n,m]
void solve_triangular(Inference&);
}  // namespace shape

namespace type {
void keep(Inference&);  ///< the first operand's
void keep_second(Inference&);
void numeric(Inference&);            ///< keep; bool is refused
void floating(Inference&);           ///< keep; only floats are taken
void to_float(Inference&);           ///< keep for floats, else f32
void numeric_to_float(Inference&);   ///< to_float; bool is refused
void averaged(Inference&);           ///< keep; floats, and i64 with whole division
void promote(Inference&);            ///< of all operands, by torch.result_type
void promote_numeric(Inference&);    ///< promote; two bools are refused
void promote_to_number(Inference&);  ///< promote; the result must not be bool
void promote_floating(Inference&);   ///< promote; the result must be a float
void promote_float(Inference&);      ///< promote, then to_float
void promote_expanded(Inference&);   ///< promote as if none were 0-d; must be a float
void equal(Inference&);              ///< all operands must have one dtype
void equal_stored(Inference&);       ///< equal, of any dtype
void equal_floating(Inference&);     ///< equal, and a float
void normalized(Inference&);         ///< equal_floating, or halves with parameters of f32
void cross_entropy(Inference&);      ///< floating; promoted with a float target
void sum(Inference&);                ///< keep for floats, else i64
void counted(Inference&);            ///< keep; i64 for bool
void masked_fill(Inference&);        ///< keep; operand 1 must be bool, the scalar must fit
void index(Inference&);              ///< i64; bool operands are refused
void boolean(Inference&);            ///< bool, of any operands
void isclose(Inference&);            ///< bool, of operands of one dtype
void where(Inference&);              ///< promote, of all but the first operand, which must be bool
void given(Inference&);              ///< as the DType parameter says
void filled(Inference&);             ///< given; the scalars must fit it
void filled_float(Inference&);       ///< filled; must be a float
void given_float(Inference&);        ///< given; must be a float
void given_number(Inference&);       ///< given; bool is refused
void cast(Inference&);               ///< given
void position(Inference&);           ///< i64, of any operands
void rank(Inference&);               ///< i64, of a float operand
void embedded_pair(Inference&);      ///< promote_floating of the first two operands
void attention(Inference&);          ///< equal_floating, and a mask of bool, f32 or that dtype
}  // namespace type

/// torch.result_type of tensors: those with dimensions decide within the highest category present,
/// 0-d ones only add their category.
DType result_type(std::span<const TensorType> operands);

/// The dtype in which an elementwise row computes, from the types of its operands and the result's
/// dtype. A row that gives bools compares in its operands' common dtype, which a scalar makes a
/// float.
DType computed_in(const OpInfo& row, std::span<const TensorType> operands, DType result);

/// The sizes that two or more tensors have after broadcasting; throws Error when they do not fit.
Shape broadcast_sizes(std::span<const TensorType> operands);

/// Makes a dim that counts from the end non-negative; throws Error when it is out of range. A 0-d
/// tensor takes -1 and 0.
int64_t wrapped_dim(int64_t dim, size_t rank);

}  // namespace rt
