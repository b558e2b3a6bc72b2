// kernel_choice.cpp -- the rules, and the measurements that they come from.
#include "graph/batch/kernel_choice.h"

#include <algorithm>

#include "graph/batch/fuse.h"
#include "graph/batch/passes.h"

namespace rt {
namespace {

// Limits, measured with libtorch 2.11 on one thread of an AMD EPYC, in microseconds of aten and of
// the kernel: products of 64x64x64 9.4 and 6.8, of 128x128x128 52 and 46, of 256x256x256 395 and
// 389; sums of 1024 elements over rows of 16 5.7 and 3.3, of 4096 7.5 and 12; log_softmax of 1024
// rows of 10 53 and 186, of 64 333 and 142; layer_norm of 4096 rows of 33 722 and 975, of 1024 rows
// of 64 142 and 109; means of 16,384 rows of 32 199 and 339, of 1024 rows of 64 27 and 24; their
// variances 7476 and 751.

/// Multiplications of a product.
constexpr int64_t kSmallProduct = 1 << 21;
/// Elements of each operand. A softmax of so few is about as fast on both sides, and here it does
/// not keep a batch from the reference backend.
constexpr int64_t kSmallOperand = 1 << 11;
/// Elements of a row from which on a kernel wins, and columns side by side.
constexpr int64_t kLongRow = 64, kColumns = 8;
/// Elements from which on a second thread gains: there libtorch's team computes.
constexpr int64_t kSmallValue = 1 << 16;

/// True where the result and all floating operands have one type, f32 or f64, and lie on the CPU.
bool one_type(const Batch& batch, const Batch::Step& step) {
  const DType dtype = batch.values[step.result].dtype;
  if (dtype != DType::F32 && dtype != DType::F64) return false;
  const auto fits = [&](uint32_t value) {
    if (value == kNone.id) return true;
    const Batch::Item& item = batch.values[value];
    return item.device < 0 && (item.dtype == dtype || !is_float(item.dtype));
  };
  return fits(step.result) && std::ranges::all_of(batch.operands_of(step), fits);
}

bool moves(const Batch& batch, const Batch::Step& step) {
  const auto on_cuda = [&](uint32_t value) {
    return value != kNone.id && batch.values[value].device >= 0;
  };
  return info(step.op).has(kMoves) && !on_cuda(step.result) &&
         std::ranges::none_of(batch.operands_of(step), on_cuda);
}

/// True where the rows along which the step computes are long, or are columns side by side.
bool has_long_rows(const Batch& batch, const Batch::Step& step) {
  const AttributesView attributes = batch.attributes_of(step);
  const Sizes sizes = batch.sizes(batch.operands_of(step)[0]);
  switch (info(step.op).rules.kernel) {
    case Kernel::LayerNorm: return numel(attributes.list(0)) >= kLongRow;
    case Kernel::Softmax: {
      if (sizes.empty()) return false;
      const auto dim = static_cast<size_t>(attributes.integer(0));
      return dim + 1 == sizes.size() ? sizes[dim] >= kLongRow
                                     : numel(sizes.subspan(dim + 1)) >= kColumns;
    }
    case Kernel::ReduceDims: {
      if (step.op == Op::VarDims) return true;
      const Sizes dims = attributes.list(0);
      size_t inner = sizes.size();  // the first of the last dimensions that are all reduced
      while (inner > 0 && std::ranges::count(dims, static_cast<int64_t>(inner - 1)) > 0) --inner;
      return inner == sizes.size() || numel(sizes.subspan(inner)) >= kLongRow;
    }
    default: return false;
  }
}

}  // namespace

bool prefers_kernel(const Batch& batch, const Batch::Step& step) {
  const Rules& rules = info(step.op).rules;
  if (rules.effect != Effect::None || !one_type(batch, step)) return false;
  const auto is_small = [&](uint32_t value) {
    return value == kNone.id || numel(batch.sizes(value)) <= kSmallOperand;
  };
  switch (rules.kernel) {
    case Kernel::Matmul: {
      const int64_t depth = batch.sizes(batch.operands_of(step)[0]).back();
      return numel(batch.sizes(step.result)) * depth <= kSmallProduct;
    }
    case Kernel::LayerNorm:
    case Kernel::NllLoss:
    case Kernel::Reduce:
    case Kernel::ReduceDims:
    case Kernel::Softmax:
      return std::ranges::all_of(batch.operands_of(step), is_small) || has_long_rows(batch, step);
    default: return false;
  }
}

bool prefers_reference(const Batch& batch, uint32_t step) {
  const Batch::Step& at = batch.steps[step];
  if (fusible(batch, at) || prefers_kernel(batch, at)) return true;
  if (!info(at.op).rules.decompose) return false;
  const Batch parts = decompose(extract(batch, step));
  return std::ranges::all_of(parts.steps, [&](const Batch::Step& part) {
    return moves(parts, part) || fusible(parts, part) || prefers_kernel(parts, part);
  });
}

bool prefers_reference(const Batch& batch) {
  const auto is_small = [&](const Batch::Item& item) {
    const Sizes sizes{batch.dims.data() + item.dims, item.rank};
    return item.device < 0 && numel(sizes) < kSmallValue;
  };
  if (!std::ranges::all_of(batch.values, is_small)) return false;
  for (uint32_t step = 0; step < batch.steps.size(); ++step)
    if (!moves(batch, batch.steps[step]) && !prefers_reference(batch, step)) return false;
  return true;
}

}  // namespace rt
