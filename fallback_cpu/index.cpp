// index.cpp -- picking and joining: IndexSelect, Gather, Embedding, Cat and Stack, NllLoss.
#include <algorithm>
#include <cstring>
#include <limits>

#include "elementwise/dtypes.h"
#include "fallback_cpu/indices.h"
#include "fallback_cpu/kernels.h"
#include "fallback_cpu/parallel.h"

namespace rt::cpu {
namespace {

constexpr int64_t kIgnored = -100;

/// Copies the slabs of `source` that the indices name: for every outer item, one slab per index.
BufferRef pick_slabs(const KernelCall& call, const BufferRef& tensor, int64_t dim,
                     const BufferRef& index) {
  const BufferRef source = call.contiguous(tensor);
  const Extent extent(source->sizes(), dim);
  const Indices indices(call, index);
  indices.check(dim, extent.count);
  BufferRef result = call.result();
  const int64_t slab = extent.inner * item_size(call.dtype);
  if (slab == 0 || indices.count() == 0) return result;
  for_ranges(extent.outer * indices.count(), extent.inner, call.machine.team,
             [&](int64_t begin, int64_t end) {
               for (int64_t i = begin; i < end; ++i) {
                 const int64_t outer = i / indices.count(), at = indices[i % indices.count()];
                 std::memcpy(result->data() + i * slab,
                             source->data() + (outer * extent.count + at) * slab,
                             static_cast<size_t>(slab));
               }
             });
  return result;
}

/// Calls take(sample, target) for the targets that are not kIgnored, and returns their count.
/// Throws Error for a target that is no class.
template <class Take>
int64_t for_classes(const Indices& targets, int64_t classes, const Take& take) {
  int64_t count = 0;
  for (int64_t i = 0; i < targets.count(); ++i) {
    const int64_t target = targets[i];
    if (target == kIgnored) continue;
    if (target < 0 || target >= classes)
      fail("target ", target, " is out of range for ", classes, " classes");
    take(i, target);
    ++count;
  }
  return count;
}

/// The mean of -self at the targets; NaN where all are ignored. `self` is [outer, classes, inner].
template <class T>
T mean_loss(const T* self, const Extent& extent, const Indices& targets) {
  double sum = 0;
  const int64_t count = for_classes(targets, extent.count, [&](int64_t i, int64_t target) {
    const int64_t outer = i / extent.inner, inner = i % extent.inner;
    sum -= static_cast<double>(self[(outer * extent.count + target) * extent.inner + inner]);
  });
  if (count == 0) return std::numeric_limits<T>::quiet_NaN();
  return static_cast<T>(sum / static_cast<double>(count));
}

/// The gradient of mean_loss with respect to self, [samples, classes].
BufferRef mean_loss_backward(const KernelCall& call) {
  const Indices targets(call, call.operand(2));
  BufferRef result = call.result();
  visit_float(call.row.name, call.dtype, [&]<class T>(Type<T>) {
    const auto number = [&](uint32_t i) {
      return *reinterpret_cast<const T*>(call.operand(i)->data());
    };
    T* const out = reinterpret_cast<T*>(result->data());
    std::fill_n(out, result->numel(), T{0});
    const T slope = -number(0) / number(3);
    const int64_t classes = call.sizes[1];
    for_classes(targets, classes,
                [&](int64_t i, int64_t target) { out[i * classes + target] = slope; });
  });
  return result;
}

}  // namespace

Indices::Indices(const KernelCall& call, const BufferRef& tensor) {
  if (tensor->dtype() != DType::I64 && tensor->dtype() != DType::I32)
    fail("an index must be i64 or i32, not ", name(tensor->dtype()));
  const Buffer& from = *tensor;
  wide_ = from.dtype() == DType::I64 && from.contiguous()
              ? tensor
              : allocate(DType::I64, from.sizes(), call.machine.memory);
  if (wide_.get() != tensor.get())
    copy_elements(wide_->data(), DType::I64, wide_->strides(), source_of(from), from.sizes(),
                  call.machine.team);
  count_ = wide_->numel();
}

void Indices::check(int64_t dim, int64_t size) const {
  for (int64_t i = 0; i < count_; ++i) {
    const int64_t index = (*this)[i];
    if (index < 0 || index >= size)
      fail("index ", index, " is out of range for dimension ", dim, " of size ", size);
  }
}

BufferRef index_select(const KernelCall& call) {
  return pick_slabs(call, call.operand(0), call.attributes.integer(0), call.operand(1));
}

BufferRef embedding(const KernelCall& call) {
  return pick_slabs(call, call.operand(1), 0, call.operand(0));
}

BufferRef gather(const KernelCall& call) {
  const BufferRef& self = call.operand(0);
  const int64_t dim = call.attributes.integer(0);
  const Indices indices(call, call.operand(1));
  const Lines lines(call.sizes, self->layout(), dim);
  indices.check(dim, lines.size);
  BufferRef result = call.result();
  visit_width(call.dtype, [&]<class T>(Type<T>) {
    const T* const in = reinterpret_cast<const T*>(self->data());
    T* const out = reinterpret_cast<T*>(result->data());
    for_ranges(indices.count(), 1, call.machine.team, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) out[i] = in[lines.start(i) + indices[i] * lines.step];
    });
  });
  return result;
}

BufferRef concat(const KernelCall& call) {
  BufferRef result = call.result();
  if (result->numel() == 0) return result;
  const auto dim = static_cast<uint32_t>(call.attributes.integer(0));
  const bool stack = call.row.op == Op::Stack;
  const Strides strides(result->strides());
  int64_t at = 0;
  for (uint32_t i = 0; i < call.operands.size(); ++i) {
    const Buffer& part = *call.operand(i);
    // PyTorch lets a 1-D empty tensor join anything.
    if (part.numel() == 0) continue;
    Strides own = strides;
    if (stack) own.erase(dim);
    copy_elements(result->data() + at * strides[dim] * item_size(call.dtype), call.dtype, own,
                  source_of(part), part.sizes(), call.machine.team);
    at += stack ? 1 : part.sizes()[dim];
  }
  return result;
}

BufferRef nll_loss(const KernelCall& call) {
  if (call.row.op == Op::NllLossBackward) return mean_loss_backward(call);
  const BufferRef self = call.contiguous(call.operand(0));
  const Indices targets(call, call.operand(1));
  const Extent extent(self->sizes(), self->sizes().size() > 1 ? 1 : 0);
  BufferRef result = call.result();
  visit_float(call.row.name, call.dtype, [&]<class T>(Type<T>) {
    T& out = *reinterpret_cast<T*>(result->data());
    if (call.row.op == Op::NllLossTotalWeight)
      out = static_cast<T>(for_classes(targets, extent.count, [](int64_t, int64_t) {}));
    else out = mean_loss(reinterpret_cast<const T*>(self->data()), extent, targets);
  });
  return result;
}

}  // namespace rt::cpu
