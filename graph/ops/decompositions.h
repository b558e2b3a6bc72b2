// decompositions.h -- composite ops as builder calls, for backends without kernels for them.
#pragma once
#include "graph/ops/expr.h"

namespace rt::decompositions {

Value linear(Builder& build, const Args& args);
Value mse_loss(Builder& build, const Args& args);
Value mse_loss_backward(Builder& build, const Args& args);
Value cross_entropy(Builder& build, const Args& args);
Value batch_norm_training(Builder& build, const Args& args);
Value binary_cross_entropy(Builder& build, const Args& args);
/// Dropout as a product with a mask, which a gradient needs. The result has the bits of dropout's.
Value masked_dropout(Builder& build, const Args& args);

// decompositions_math.cpp: elementwise ops. Their gradients are PyTorch's where they are recorded
// as these compositions.
Value clamp(Builder& build, const Args& args);
Value square(Builder& build, const Args& args);
Value frac(Builder& build, const Args& args);
Value by_scalar(Builder& build, const Args& args);  ///< remainder, fmod, floor_divide by a scalar
Value isclose(Builder& build, const Args& args);
Value allclose(Builder& build, const Args& args);
Value all_equal(Builder& build, const Args& args);
Value masked_fill(Builder& build, const Args& args);
Value elu(Builder& build, const Args& args);
Value selu(Builder& build, const Args& args);
Value mish(Builder& build, const Args& args);
Value relu6(Builder& build, const Args& args);
Value hardsigmoid(Builder& build, const Args& args);
Value hardswish(Builder& build, const Args& args);
Value prelu(Builder& build, const Args& args);
Value gelu_tanh(Builder& build, const Args& args);
Value log_sigmoid(Builder& build, const Args& args);

/// The running statistics of batch_norm after a batch has trained it. `args` are those of its row
/// BatchNorm, with the statistics before as operands 3 and 4.
struct Statistics {
  Value mean, variance;
};
Statistics running_statistics(Builder& build, const Args& args, double momentum);

// decompositions_loss.cpp: losses with a reduction.
Value mse_loss_reduction(Builder& build, const Args& args);
Value l1_loss(Builder& build, const Args& args);
Value huber_loss(Builder& build, const Args& args);
Value smooth_l1_loss(Builder& build, const Args& args);
Value kl_div(Builder& build, const Args& args);
Value binary_cross_entropy_with_logits(Builder& build, const Args& args);
Value binary_cross_entropy_reduction(Builder& build, const Args& args);
Value nll_loss_nd(Builder& build, const Args& args);
Value cross_entropy_loss(Builder& build, const Args& args);
Value smoothed_cross_entropy_loss(Builder& build, const Args& args);
Value hinge_embedding_loss(Builder& build, const Args& args);
Value margin_ranking_loss(Builder& build, const Args& args);
Value cosine_similarity(Builder& build, const Args& args);
Value cosine_embedding_loss(Builder& build, const Args& args);
Value poisson_nll_loss(Builder& build, const Args& args);

// decompositions_nn.cpp: layers.
/// Attention in the form that fallback_cpu/attention.cpp finds in a batch.
struct Attention {
  Expr query, key, value;
  Expr mask;          ///< bool, or added to the scores; empty: none
  int64_t scale = 0;  ///< an attribute
  bool causal = false;
  double dropout = 0;  ///< the probability; above 0 only on tapes
};
struct Attended {
  Expr mixed;   ///< the result
  Expr shares;  ///< [...,L,S]: how much each query takes of each value
};
Attended attend(const Attention& call);
Value scaled_dot_product_attention(Builder& build, const Args& args);
Value group_norm(Builder& build, const Args& args);
Value instance_norm(Builder& build, const Args& args);
Value rms_norm(Builder& build, const Args& args);
Value conv1d(Builder& build, const Args& args);
Value conv3d(Builder& build, const Args& args);
Value max_pool1d(Builder& build, const Args& args);
Value avg_pool1d(Builder& build, const Args& args);
Value adaptive_avg_pool(Builder& build, const Args& args);  ///< over one dimension or two
Value adaptive_max_pool(Builder& build, const Args& args);  ///< over one dimension or two
/// `count` elements of dim, each the one at its own place times `scale`, rounded down.
Expr nearest(Expr self, int64_t dim, int64_t count, double scale);
/// `count` elements of dim, each between the two that are next to its place.
Expr linear_between(Expr self, int64_t dim, int64_t count, double scale, bool align_corners);
/// The scale of resampling from one size to another.
double linear_scale(int64_t from, int64_t to, bool align_corners);
Value upsample_nearest2d(Builder& build, const Args& args);
Value upsample_bilinear2d(Builder& build, const Args& args);
Value pixel_shuffle(Builder& build, const Args& args);
Value pixel_unshuffle(Builder& build, const Args& args);
Value glu(Builder& build, const Args& args);
Value unfold(Builder& build, const Args& args);
Value fold(Builder& build, const Args& args);
Value conv_transpose1d(Builder& build, const Args& args);
Value graded_conv_transpose1d(Builder& build, const Args& args);  ///< by conv_transpose2d
Value conv_transpose2d(Builder& build, const Args& args);

// decompositions_reduce.cpp: reductions.
Value std_dims(Builder& build, const Args& args);
Value var_dim(Builder& build, const Args& args);  ///< and std_dim
Value graded_std_dim(Builder& build, const Args& args);
Value extreme(Builder& build, const Args& args);  ///< amax, amin
Value aminmax(Builder& build, const Args& args);
Value norm_scalar(Builder& build, const Args& args);
Value of_all(Builder& build, const Args& args);   ///< prod, any, all, median: along one dimension
Value any_dim(Builder& build, const Args& args);  ///< and all_dim
Value logsumexp(Builder& build, const Args& args);
Value count_nonzero(Builder& build, const Args& args);
Value nansum(Builder& build, const Args& args);
Value diff(Builder& build, const Args& args);

// decompositions_products.cpp: products of vectors and matrices, and distances.
Value plain_product(Builder& build, const Args& args);   ///< mm, bmm, mv
Value scaled_product(Builder& build, const Args& args);  ///< addmm and its relatives
Value outer(Builder& build, const Args& args);
Value inner(Builder& build, const Args& args);
Value tensordot(Builder& build, const Args& args);
Value kron(Builder& build, const Args& args);
Value cross(Builder& build, const Args& args);
Value trace(Builder& build, const Args& args);
Value matrix_power(Builder& build, const Args& args);
Value cdist(Builder& build, const Args& args);
Value pairwise_distance(Builder& build, const Args& args);

// decompositions_linalg.cpp: compositions of factors of matrices.
Value logdet(Builder& build, const Args& args);
Value solve_triangular(Builder& build, const Args& args);
Value pinv(Builder& build, const Args& args);
Value matrix_rank(Builder& build, const Args& args);

}  // namespace rt::decompositions
