// kernel_choice.cpp -- the rules, from measurements: see docs/benchmarks.md.
#include "graph/batch/kernel_choice.h"

#include <algorithm>

#include "graph/batch/fuse.h"
#include "graph/batch/passes.h"

namespace rt {
namespace {

/// Multiplications of a product, and elements of a reduction, up to which a kernel wins by the time
/// that a call of aten takes.
constexpr int64_t kSmallProduct = 1 << 17, kSmallReduction = 1 << 14;
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

}  // namespace

bool prefers_kernel(const Batch& batch, const Batch::Step& step) {
  const OpInfo& row = info(step.op);
  if (row.rules.effect != Effect::None || !one_type(batch, step)) return false;
  if (row.has(kFaster)) return true;
  const auto operand = [&](uint32_t i) { return batch.sizes(batch.operands_of(step)[i]); };
  switch (row.rules.kernel) {
    case Kernel::Matmul: {
      const int64_t elements = numel(batch.sizes(step.result));
      return elements * operand(0).back() <= kSmallProduct;
    }
    case Kernel::Reduce: return numel(operand(0)) <= kSmallReduction;
    case Kernel::NllLoss:
      return std::ranges::all_of(batch.operands_of(step), [&](uint32_t value) {
        return value == kNone.id || numel(batch.sizes(value)) <= kSmallReduction;
      });
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
