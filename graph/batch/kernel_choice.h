// kernel_choice.h -- the steps that the libtorch backend lets kernels of the reference backend
// compute on the CPU. Types, sizes and the processor decide, so that results are the same under
// each policy.
#pragma once
#include "graph/batch/batch.h"

namespace rt {

/// True for a step that a kernel of the reference backend computes faster than aten, in f32 or f64:
/// softmax, layer norm and moments of rows that are not short, products where MKL is not faster,
/// nll_loss and scattered sums, and reductions where all is so small that a call of aten takes
/// longer than the work.
bool prefers_kernel(const Batch& batch, const Batch::Step& step);

/// True for a step that the reference backend computes: it is fusible, prefers a kernel, or is a
/// composite of such steps and of moves.
bool prefers_reference(const Batch& batch, uint32_t step);

/// True for a batch that the reference backend runs as a whole: each step prefers that or moves
/// elements.
bool prefers_reference(const Batch& batch);

}  // namespace rt
