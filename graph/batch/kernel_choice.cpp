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
// variances 7476 and 751; sums of 256 columns of 1024 23 and 35, of 1024 columns of 4096 1443 and
// 778; largest elements of 256 columns of 1024 412 and 28, of 1024 rows of 64 87 and 19.

/// Multiplications up to which aten computes a product no faster. On AMD's processors MKL does not
/// use its best code: 512x512x512 is 4 % faster there, and other sizes are not.
int64_t small_product() {
  constexpr int64_t kSmall = 1 << 21;
#if defined(__x86_64__)
  static const bool amd = __builtin_cpu_is("amd") != 0;
  if (amd) return INT64_MAX;
#endif
  return kSmall;
}
/// Elements of each operand. A softmax of so few is about as fast on both sides, and here it does
/// not keep a batch from the reference backend.
constexpr int64_t kSmallOperand = 1 << 11;
/// Elements of a row from which on a kernel wins, and columns side by side.
constexpr int64_t kLongRow = 64, kColumns = 8;

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

/// Elements after the dimension `dim`: those that lie side by side where it is computed along.
int64_t columns_of(Sizes sizes, int64_t dim) {
  return numel(sizes.subspan(static_cast<size_t>(dim) + 1));
}

/// True where the rows along which the step computes are long, or are columns side by side.
bool has_long_rows(const Batch& batch, const Batch::Step& step) {
  const AttributesView attributes = batch.attributes_of(step);
  const Sizes sizes = batch.sizes(batch.operands_of(step)[0]);
  if (sizes.empty()) return false;
  const auto rank = static_cast<int64_t>(sizes.size());
  switch (step.op) {
    case Op::MaxDim:
    case Op::MinDim:
    case Op::VarDims: return true;
    case Op::SumDim:
    case Op::MeanDim: return columns_of(sizes, attributes.integer(0)) >= kColumns;
    case Op::SumDims: {
      const Sizes dims = attributes.list(0);
      const auto leads = [&](int64_t dim) { return dim < std::ssize(dims); };
      return std::ranges::all_of(dims, leads) &&
             columns_of(sizes, std::ssize(dims) - 1) >= kColumns;
    }
    case Op::MeanDims: {
      const Sizes dims = attributes.list(0);
      int64_t inner = rank;  // the first of the last dimensions that are all reduced
      while (inner > 0 && std::ranges::count(dims, inner - 1) > 0) --inner;
      return inner == rank || columns_of(sizes, inner - 1) >= kLongRow;
    }
    default: break;
  }
  switch (info(step.op).rules.kernel) {
    case Kernel::LayerNorm: return numel(attributes.list(0)) >= kLongRow;
    case Kernel::Softmax: {
      const int64_t dim = attributes.integer(0);
      return dim + 1 == rank ? sizes.back() >= kLongRow : columns_of(sizes, dim) >= kColumns;
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
      return numel(batch.sizes(step.result)) * depth <= small_product();
    }
    case Kernel::NllLoss:
    case Kernel::ScatterAdd: return true;
    case Kernel::LayerNorm:
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
  const auto on_host = [](const Batch::Item& item) { return item.device < 0; };
  if (!std::ranges::all_of(batch.values, on_host)) return false;
  for (uint32_t step = 0; step < batch.steps.size(); ++step)
    if (!moves(batch, batch.steps[step]) && !prefers_reference(batch, step)) return false;
  return true;
}

}  // namespace rt
