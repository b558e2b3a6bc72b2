// stats.cpp -- `stats`: the ops of a batch, the bytes it moves, its flops, the memory it needs.
#include <algorithm>
#include <map>
#include <numeric>
#include <vector>

#include "graph/batch/fuse.h"
#include "graph/batch/passes.h"
#include "graph/error.h"
#include "tools/rt_graph_dump/commands.h"

namespace rt::tool {
namespace {

int64_t bytes_of(const Batch& batch, uint32_t value) {
  return numel(batch.sizes(value)) * item_size(batch.values[value].dtype);
}

double elements(const Batch& batch, uint32_t value) {
  return static_cast<double>(numel(batch.sizes(value)));
}

/// Estimated floating-point operations of a row with a kernel: a multiplication and an addition
/// count two, a function such as exp one.
double kernel_flops(const Batch& batch, const Batch::Step& step) {
  constexpr double kSoftmax = 5, kNorm = 8;
  const auto operands = batch.operands_of(step);
  const double results = elements(batch, step.result);
  const auto first = [&] { return elements(batch, operands[0]); };
  switch (info(step.op).rules.kernel) {
    case Kernel::Elementwise:
    case Kernel::Divide:
    case Kernel::Random:
    case Kernel::Linspace: return results;
    case Kernel::Reduce:
    case Kernel::ReduceDims:
    case Kernel::Scan:
    case Kernel::ReduceLines:
    case Kernel::Running:
    case Kernel::Sort:
    case Kernel::ArgReduce: return first();
    case Kernel::Softmax: return kSoftmax * results;
    case Kernel::BatchNorm:
    case Kernel::LayerNorm: return kNorm * results;
    case Kernel::Matmul: {
      const Sizes self = batch.sizes(operands[0]);
      return 2 * results * static_cast<double>(self.empty() ? 1 : self.back());
    }
    case Kernel::Conv2d: {
      // Each element of the larger images meets the weights of one output channel. The operands and
      // the result of all three rows are the two images and the weight.
      const bool forward = step.op == Op::Conv2d;
      const bool of_weight = step.op == Op::Conv2dBackwardWeight;
      const uint32_t weight = forward ? operands[1] : of_weight ? step.result : operands[2];
      const double images = forward ? results : first();
      return 2 * images * elements(batch, weight) /
             static_cast<double>(std::max<int64_t>(1, batch.sizes(weight)[0]));
    }
    case Kernel::Pool: return std::max(results, first());
    case Kernel::ScatterAdd:
    case Kernel::NllLoss: return results;
    case Kernel::Linalg: {
      constexpr double kSolve = 2, kSpectral = 20;
      const Sizes self = batch.sizes(operands[0]);
      const double n = self.empty() ? 1 : static_cast<double>(self.back());
      const bool spectral = info(step.op).rules.ambiguous;
      return (spectral ? kSpectral : kSolve) * first() * n;
    }
    case Kernel::View:
    case Kernel::Copy:
    case Kernel::Full:
    case Kernel::Range:
    case Kernel::Eye:
    case Kernel::IndexSelect:
    case Kernel::Gather:
    case Kernel::Concat:
    case Kernel::Embedding:
    case Kernel::None: break;
  }
  return 0;
}

/// Estimated floating-point operations of any row; one without a kernel is decomposed.
double flops_of(const Batch& batch, uint32_t step) {
  const Batch::Step& at = batch.steps[step];
  if (info(at.op).rules.kernel != Kernel::None) return kernel_flops(batch, at);
  const Batch made_of = decompose(extract(batch, step));
  double flops = 0;
  for (const Batch::Step& part : made_of.steps) flops += kernel_flops(made_of, part);
  return flops;
}

/// For each value the value whose memory it uses: itself, or the source of a view.
std::vector<uint32_t> memory_owners(const Batch& batch) {
  std::vector<uint32_t> owners(batch.values.size());
  std::iota(owners.begin(), owners.end(), 0);
  std::vector<Layout> layouts(batch.values.size());
  for (uint32_t value = 0; value < batch.values.size(); ++value) {
    const Sizes sizes = batch.sizes(value);
    const bool strided = batch.values[value].flags & Batch::kStrided;
    layouts[value] = {Shape(sizes),
                      strided ? Strides(batch.strides(value)) : contiguous_strides(sizes)};
  }
  for (const Batch::Step& step : batch.steps) {
    const OpInfo& row = info(step.op);
    if (!row.rules.view) continue;
    Small<int64_t, 10> attributes(batch.attributes_of(step).attributes);
    for (uint32_t i = 0; i < row.scalars; ++i)
      attributes[i] = batch.scalars[static_cast<size_t>(attributes[i])];
    const uint32_t source = batch.operands_of(step)[0];
    Layout layout;
    if (!row.rules.view({row, attributes}, batch.sizes(step.result), layouts[source], layout))
      continue;
    layouts[step.result] = std::move(layout);
    owners[step.result] = owners[source];
  }
  return owners;
}

struct Peak {
  int64_t bytes = 0;
  uint32_t step = 0;
};

/// The most bytes that results take at once, if each is freed after the last use of its memory.
Peak peak_of_results(const Batch& batch, const std::vector<uint32_t>& owners) {
  std::vector<uint32_t> last(batch.values.size());
  for (uint32_t i = 0; i < batch.steps.size(); ++i) {
    last[owners[batch.steps[i].result]] = i;
    for (const uint32_t operand : batch.operands_of(batch.steps[i]))
      if (operand != kNone.id) last[owners[operand]] = i;
  }
  for (const uint32_t root : batch.roots) last[owners[root]] = kNone.id;
  std::vector<int64_t> freed(batch.steps.size());
  for (const Batch::Step& step : batch.steps)
    if (owners[step.result] == step.result && last[step.result] != kNone.id)
      freed[last[step.result]] += bytes_of(batch, step.result);
  Peak peak;
  int64_t live = 0;
  for (uint32_t i = 0; i < batch.steps.size(); ++i) {
    const uint32_t result = batch.steps[i].result;
    if (owners[result] == result) live += bytes_of(batch, result);
    if (live > peak.bytes) peak = {live, i};
    live -= freed[i];
  }
  return peak;
}

struct Sum {
  int64_t nodes = 0, bytes = 0;
  double flops = 0;
};

std::string table(const std::map<std::string_view, Sum>& by_op, const Sum& all) {
  constexpr size_t kName = 28, kColumn = 14;
  std::vector<std::pair<std::string_view, Sum>> rows(by_op.begin(), by_op.end());
  std::ranges::stable_sort(rows, [](const auto& a, const auto& b) {
    return std::tie(b.second.flops, b.second.bytes) < std::tie(a.second.flops, a.second.bytes);
  });
  rows.emplace_back("all", all);
  std::string text = left("op", kName) + right("nodes", kColumn) + right("moved", kColumn) +
                     right("flops", kColumn) + '\n';
  for (const auto& [op, sum] : rows)
    text += left(std::string(op), kName) + right(join(sum.nodes), kColumn) +
            right(bytes_text(sum.bytes), kColumn) + right(count_text(sum.flops), kColumn) + '\n';
  return text;
}

/// Lists the groups that are fused, and the reasons why other steps are not.
std::string fusion_text(const Batch& batch) {
  const Groups groups = fusion_groups(batch);
  std::vector<std::string> members(groups.count);
  std::vector<int64_t> counts(groups.count);
  std::map<Unfused, std::map<std::string_view, int64_t>> others;
  int64_t grouped = 0;
  for (uint32_t i = 0; i < batch.steps.size(); ++i) {
    const std::string_view op = info(batch.steps[i].op).name;
    const uint32_t group = groups.of_step[i];
    if (group == Groups::kNone) {
      ++others[groups.reasons[i]][op];
      continue;
    }
    ++grouped;
    ++counts[group];
    members[group] += join(members[group].empty() ? "" : ", ", '%', batch.steps[i].result, ' ', op);
  }
  std::string text =
      join('\n', counted(groups.count, "fused group"), " of ", counted(grouped, "node"), '\n');
  for (uint32_t group = 0; group < groups.count; ++group) text += join("  ", members[group], '\n');
  if (!others.empty()) text += "what stood in the way of the others\n";
  for (const auto& [reason, ops] : others) {
    text += join("  ", text_of(reason), ": ");
    std::string_view comma;
    for (const auto& [op, count] : ops) {
      text += join(comma, count, ' ', op);
      comma = ", ";
    }
    text += '\n';
  }
  return text;
}

}  // namespace

Status stats(Subject& subject) {
  prepare(subject, {});
  const Batch& batch = subject.batch();
  const std::vector<uint32_t> owners = memory_owners(batch);
  std::map<std::string_view, Sum> by_op;
  Sum all;
  int64_t inputs = 0, input_bytes = 0, views = 0, result_bytes = 0, root_bytes = 0;
  for (uint32_t value = 0; value < batch.values.size(); ++value)
    if (batch.is_input(value)) {
      ++inputs;
      input_bytes += bytes_of(batch, value);
    }
  for (uint32_t i = 0; i < batch.steps.size(); ++i) {
    const Batch::Step& step = batch.steps[i];
    Sum& sum = by_op[info(step.op).name];
    ++sum.nodes;
    ++all.nodes;
    if (owners[step.result] != step.result) {
      ++views;
      continue;
    }
    int64_t moved = bytes_of(batch, step.result);
    result_bytes += moved;
    for (const uint32_t operand : batch.operands_of(step))
      if (operand != kNone.id) moved += bytes_of(batch, operand);
    const double flops = flops_of(batch, i);
    sum.bytes += moved;
    sum.flops += flops;
    all.bytes += moved;
    all.flops += flops;
  }
  for (const uint32_t root : batch.roots)
    if (owners[root] == root) root_bytes += bytes_of(batch, root);
  const Peak peak = peak_of_results(batch, owners);
  std::string text = join(
      subject.path, ": batch ", to_string(key_of(batch)), "\n\n", counted(inputs, "input"), ", ",
      bytes_text(input_bytes), "; ", counted(std::ssize(batch.scalars), "scalar"), '\n',
      counted(std::ssize(batch.steps), "node"), ", ", bytes_text(result_bytes), " of results; ",
      counted(views, "node"), views == 1 ? " is a view" : " are views", " and no work\n",
      counted(std::ssize(batch.roots), "root"), ", ", bytes_text(root_bytes), '\n');
  if (peak.bytes > 0)
    text += join("peak memory ", bytes_text(input_bytes + peak.bytes), ": the inputs and ",
                 bytes_text(peak.bytes), " of results, at\n  ", subject.step_text(peak.step), '\n');
  write("", text + '\n' + table(by_op, all) + fusion_text(batch));
  return kFine;
}

}  // namespace rt::tool
