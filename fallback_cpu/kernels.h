// kernels.h -- what a kernel is given, and the kernels of each family.
#pragma once
#include "fallback_cpu/buffer.h"
#include "fallback_cpu/copy.h"
#include "fallback_cpu/random.h"
#include "graph/batch/backend.h"

namespace rt::cpu {

class FusedGroup;

/// What all calls of one backend share.
struct Machine {
  MemoryCount& memory;
  int threads;
  Generator& random;
  Optimizations use;
};

/// One step to be run now.
struct KernelCall {
  const Machine& machine;
  const OpInfo& row;
  std::span<const BufferRef> values;
  std::span<const uint32_t> operands;
  AttributesView attributes;  ///< the scalars' bits in their places
  DType dtype;                ///< of the result
  Sizes sizes;

  const BufferRef& operand(uint32_t i) const { return values[operands[i]]; }
  double number(uint32_t i) const { return std::bit_cast<double>(attributes.scalar(i)); }
  BufferRef result() const { return allocate(dtype, sizes, machine.memory); }
  BufferRef contiguous(const BufferRef& buffer) const {
    return cpu::contiguous(buffer, machine.memory, machine.threads);
  }
  /// `buffer` in the result's dtype.
  BufferRef converted(const BufferRef& buffer) const;
  /// That, in row-major order and in memory of its own.
  BufferRef copied(const Buffer& buffer) const;
};

// Each computes the result of a call of its family. Throws Error with the cause.
BufferRef elementwise(const KernelCall& call);
BufferRef view(const KernelCall& call);
BufferRef clone(const KernelCall& call);
BufferRef full(const KernelCall& call);
BufferRef range(const KernelCall& call);
BufferRef linspace(const KernelCall& call);
BufferRef eye(const KernelCall& call);
BufferRef random(const KernelCall& call);
BufferRef reduce(const KernelCall& call);
BufferRef arg_reduce(const KernelCall& call);
BufferRef softmax(const KernelCall& call);
BufferRef matmul(const KernelCall& call);
BufferRef index_select(const KernelCall& call);
BufferRef gather(const KernelCall& call);
BufferRef scatter_add(const KernelCall& call);
BufferRef concat(const KernelCall& call);
BufferRef embedding(const KernelCall& call);
BufferRef nll_loss(const KernelCall& call);
BufferRef conv2d(const KernelCall& call);
BufferRef pool(const KernelCall& call);
BufferRef batch_norm(const KernelCall& call);
BufferRef layer_norm(const KernelCall& call);
BufferRef reduce_dims(const KernelCall& call);
BufferRef linalg(const KernelCall& call);
BufferRef dropout(const KernelCall& call);

/// Computes a group: the values from number `result` on. `operands` are numbers of values, too, and
/// so are those that nobody needs after it; `scalars` the bits of those that the group takes.
void fused(const Machine& machine, const FusedGroup& group, std::span<const uint32_t> operands,
           std::span<const uint32_t> dying, std::span<const int64_t> scalars,
           std::span<BufferRef> values, uint32_t result);

/// Sizes seen as [outer, count, inner], count being dimension `dim`, or all of them when dim < 0.
/// A 0-d tensor has one element along dimension 0.
struct Extent {
  int64_t outer = 1, count = 1, inner = 1;
  Extent(Sizes sizes, int64_t dim) {
    const auto rank = static_cast<int64_t>(sizes.size());
    for (int64_t d = 0; d < rank; ++d) {
      const int64_t size = sizes[static_cast<size_t>(d)];
      (dim < 0 || d == dim ? count : d < dim ? outer : inner) *= size;
    }
  }
};

}  // namespace rt::cpu
