// kernels.h -- the arguments of a kernel, and the kernels of all families.
#pragma once
#include "fallback_cpu/buffer.h"
#include "fallback_cpu/copy.h"
#include "fallback_cpu/random.h"
#include "graph/batch/backend.h"

namespace rt::cpu {

class FusedGroup;

/// State that all calls of one backend share.
struct Machine {
  MemoryCount& memory;
  Team team;
  Generator& random;
  Optimizations use;
};

/// One step to be computed.
struct KernelCall {
  const Machine& machine;
  const OpInfo& row;
  std::span<const BufferRef> values;
  std::span<const uint32_t> operands;
  AttributesView attributes;  ///< with the scalars' bits in place of their indices
  DType dtype;                ///< of the result
  Sizes sizes;

  const BufferRef& operand(uint32_t i) const { return values[operands[i]]; }
  double number(uint32_t i) const { return std::bit_cast<double>(attributes.scalar(i)); }
  BufferRef result() const { return allocate(dtype, sizes, machine.memory); }
  BufferRef contiguous(const BufferRef& buffer) const {
    return cpu::contiguous(buffer, machine.memory, machine.team);
  }
  /// `buffer` itself where it has the result's dtype, else a row-major copy in that dtype.
  BufferRef converted(const BufferRef& buffer) const;
  /// A row-major copy of `buffer` in the result's dtype.
  BufferRef copied(const Buffer& buffer) const;
};

// Each computes the result of a call of its family. Throws Error with the cause.
#define RT_KERNEL(Id, function, ...) BufferRef function(const KernelCall& call);
#include "graph/ops/kernels.def"
/// By the kernel of the call's family. Throws Error where its row is a composite.
BufferRef compute(const KernelCall& call);

/// Replaces each row of `count` floats by its softmax, as the row Softmax does. Allocates nothing.
void softmax_rows(DType dtype, int64_t rows, int64_t count, void* data);

/// Computes a group and writes its results to `values`, from index `result` on. `operands` and
/// `dying` are indices of values. Results may take the memory of values in `dying`, which are not
/// needed afterwards. `scalars` are the bits of the group's scalars.
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
