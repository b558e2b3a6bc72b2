// attention.cpp -- finds attention in a fused batch, and runs it strip by strip.
#include "fallback_cpu/attention.h"

#include <algorithm>
#include <optional>

#include "fallback_cpu/parallel.h"
#include "fallback_cpu/stack.h"
#include "graph/batch/fusion_groups.h"

namespace rt::cpu {
namespace {

/// The steps of an attention, by index.
struct AttentionSteps {
  uint32_t scores, group, softmax, result;
  static constexpr uint32_t kNone = ~uint32_t{0};  ///< `group`: there is none
};

/// Bytes of scores below which they stay in the caches, and bytes of a strip, which should.
constexpr int64_t kLargeScores = 1 << 20, kStripBytes = 256 << 10;
/// Most operands of a group, so that a strip allocates nothing.
constexpr size_t kMostOperands = 8;

/// By value, how often steps and roots of the batch read it.
std::vector<uint32_t> reads_of(const Batch& batch) {
  std::vector<uint32_t> reads(batch.values.size(), 0);
  for (const uint32_t operand : batch.operands)
    if (operand != rt::kNone.id) ++reads[operand];
  for (const uint32_t root : batch.roots) ++reads[root];
  return reads;
}

/// True where both have one type and the same sizes but for the last `free` dimensions.
bool alike(const Batch& batch, uint32_t a, uint32_t b, size_t free) {
  const Sizes left = batch.sizes(a), right = batch.sizes(b);
  return batch.values[a].dtype == batch.values[b].dtype && left.size() == right.size() &&
         left.size() > free &&
         std::ranges::equal(left.first(left.size() - free), right.first(right.size() - free));
}

/// Rows of a strip of a matrix of scores: a divisor of the matrix's, at least kLeastStrip, and of
/// about kStripBytes where that is possible.
int64_t strip_rows(Sizes scores, int64_t item) {
  const int64_t rows = scores[scores.size() - 2];
  int64_t strips =
      std::max<int64_t>(1, rows / std::max(kLeastStrip, kStripBytes / (scores.back() * item)));
  while (rows % strips != 0) --strips;
  return rows / strips;
}

/// A group over scores, as one over a strip of `rows` rows of them.
Batch strip_of(const Batch& group, Sizes scores, int64_t rows) {
  Batch strip = group;
  for (const Batch::Item& item : strip.values)
    for (uint32_t back = 2; back <= item.rank; ++back) {
      int64_t& size = strip.dims[item.dims + item.rank - back];
      if (back > 2) size = 1;
      else if (size == scores[scores.size() - 2]) size = rows;
    }
  return strip;
}

/// The first element of the rows from `row` on of matrix `i` of the broadcast stack of `scores`.
char* strip_data(const Buffer& buffer, Sizes scores, int64_t i, int64_t row) {
  const Sizes sizes = buffer.sizes(), strides = buffer.strides();
  int64_t offset = 0;
  for (size_t back = 2; back <= sizes.size(); ++back) {
    const int64_t size = sizes[sizes.size() - back], whole = scores[scores.size() - back];
    const int64_t at = back == 2 ? row : i % whole;
    if (back > 2) i /= whole;
    if (size != 1) offset += at * strides[sizes.size() - back];
  }
  return buffer.data() + offset * item_size(buffer.dtype());
}

class Finder {
 public:
  explicit Finder(const Batch& batch)
      : batch_(batch), reads_(reads_of(batch)), producer_(producers(batch)) {}

  /// The attention that ends with the product `result`, if it is one with large scores.
  std::optional<AttentionSteps> ending_with(uint32_t result) const {
    const Batch::Step& product = batch_.steps[result];
    if (product.op != Op::Matmul) return {};
    const uint32_t shares = batch_.operands_of(product)[0], value = batch_.operands_of(product)[1];
    const uint32_t softmax = only_reader(shares);
    if (softmax == AttentionSteps::kNone || batch_.steps[softmax].op != Op::Softmax) return {};
    const Batch::Step& soft = batch_.steps[softmax];
    const Sizes sizes = batch_.sizes(shares);
    const DType dtype = batch_.values[shares].dtype;
    if ((dtype != DType::F32 && dtype != DType::F64) || sizes.size() < 3 ||
        sizes[sizes.size() - 2] < kLeastStrip || sizes.back() < kLeastStrip ||
        batch_.attributes_of(soft).integer(0) + 1 != std::ssize(sizes) ||
        numel(sizes) * item_size(dtype) < kLargeScores || !alike(batch_, shares, value, 2))
      return {};
    uint32_t scores = batch_.operands_of(soft)[0], group = only_reader(scores);
    if (group == AttentionSteps::kNone) return {};
    if (batch_.steps[group].op == Op::Fused) {
      scores = scores_of(group, scores);
      if (scores == rt::kNone.id) return {};
    } else {
      group = AttentionSteps::kNone;
    }
    const uint32_t first = only_reader(scores);
    if (first == AttentionSteps::kNone || batch_.steps[first].op != Op::Matmul) return {};
    const auto factors = batch_.operands_of(batch_.steps[first]);
    if (!alike(batch_, factors[0], scores, 1) || !alike(batch_, factors[1], scores, 2) ||
        batch_.sizes(factors[0]).back() == 0)
      return {};
    return AttentionSteps{first, group, softmax, result};
  }

 private:
  /// The step that computes `value`, where exactly one operand of one step reads it.
  uint32_t only_reader(uint32_t value) const {
    return reads_[value] == 1 && producer_[value] != Groups::kNone ? producer_[value]
                                                                   : AttentionSteps::kNone;
  }

  /// The scores that a group computes `to` from, element by element; kNone.id where it does not.
  uint32_t scores_of(uint32_t step, uint32_t to) const {
    const Batch::Step& group = batch_.steps[step];
    const auto operands = batch_.operands_of(group);
    if (group.results != 1 || operands.size() > kMostOperands) return rt::kNone.id;
    for (const uint32_t operand : operands)
      if (producer_[operand] != Groups::kNone && reads_[operand] == 1 &&
          batch_.steps[producer_[operand]].op == Op::Matmul && alike(batch_, operand, to, 0))
        return operand;
    return rt::kNone.id;
  }

  const Batch& batch_;
  const std::vector<uint32_t> reads_, producer_;
};

}  // namespace

std::vector<Attention> Attention::join(Batch& batch) {
  const Finder finder(batch);
  const auto steps = static_cast<uint32_t>(batch.steps.size());
  std::vector<std::vector<uint32_t>> before(steps);  // by last step, those that it waits for
  std::vector<bool> moved(steps, false);
  std::vector<Attention> found;
  for (uint32_t step = 0; step < steps; ++step) {
    const std::optional<AttentionSteps> one = finder.ending_with(step);
    if (!one) continue;
    const uint32_t scores = batch.steps[one->scores].result;
    const Sizes sizes = batch.sizes(scores);
    Attention made;
    made.rows_ = strip_rows(sizes, item_size(batch.values[scores].dtype));
    made.strips_ = sizes[sizes.size() - 2] / made.rows_;
    before[step] = {one->scores, one->softmax};
    if (one->group != AttentionSteps::kNone) {
      const Batch& group = batch.group_of(batch.steps[one->group]);
      made.group_ = std::make_unique<FusedGroup>(strip_of(group, sizes, made.rows_));
      const std::optional<size_t> reserve = made.group_->reserve();
      if (!reserve) {  // a strip must not fail
        before[step].clear();
        continue;
      }
      made.reserve_ = static_cast<int64_t>(*reserve);
      before[step].insert(before[step].begin() + 1, one->group);
    }
    for (const uint32_t one_before : before[step]) moved[one_before] = true;
    found.push_back(std::move(made));
  }
  std::vector<Batch::Step> order;
  size_t number = 0;
  for (uint32_t step = 0; step < steps; ++step) {
    if (!before[step].empty()) found[number++].first_ = static_cast<uint32_t>(order.size());
    for (const uint32_t one_before : before[step]) order.push_back(batch.steps[one_before]);
    if (!moved[step]) order.push_back(batch.steps[step]);
  }
  batch.steps = std::move(order);
  return found;
}

void Attention::run(const Machine& machine, const Batch& batch, const Frame& frame) const {
  const Batch::Step &first = batch.steps[first_], &last = batch.steps[this->last()];
  const DType dtype = batch.values[first.result].dtype;
  const Sizes scores = batch.sizes(first.result), leading = scores.first(scores.size() - 2);
  std::vector<BufferRef> copies;
  const auto stack = [&](uint32_t value, bool left) {
    Stack made = Stack::of(*frame.values[value], left);
    if (made.make_dense()) return made;
    copies.push_back(contiguous(frame.values[value], machine.memory, machine.team));
    made = Stack::of(*copies.back(), left);
    made.make_dense();
    return made;
  };
  const Stack query = stack(batch.operands_of(first)[0], true);
  const Stack key = stack(batch.operands_of(first)[1], false);
  const Stack value = stack(batch.operands_of(last)[1], false);
  const BufferRef result = allocate(dtype, batch.sizes(last.result), machine.memory);
  frame.values[last.result] = result;
  if (result->numel() == 0) return;

  const int64_t item = query.item, columns = scores.back();
  const auto aligned = [](int64_t bytes) { return (bytes + 63) / 64 * 64; };
  const int64_t strip_bytes = aligned(rows_ * columns * item);
  const int64_t piece_bytes = strip_bytes + aligned(reserve_);
  const int64_t strips = numel(leading) * strips_;
  const int64_t pieces = std::min<int64_t>(machine.team.threads, strips);
  const int64_t sizes[] = {pieces * piece_bytes};
  const BufferRef memory = allocate(DType::Bool, sizes, machine.memory);
  std::span<const uint32_t> operands;
  Small<int64_t, 64> scalars;
  if (group_) {
    const Batch::Step& step = batch.steps[first_ + 1];
    operands = batch.operands_of(step);
    for (const int64_t number : batch.attributes_of(step).list(0))
      scalars.push_back(frame.scalars[static_cast<size_t>(number)]);
  }

  const Strides in_order = contiguous_strides(scores);
  const auto compute_strip = [&](int64_t strip, char* here) {
    const int64_t matrix = strip / strips_, row = strip % strips_ * rows_;
    Matrix left = query.matrix(matrix, leading);
    left.data += row * query.row_stride * item;
    left.rows = rows_;
    gemm(dtype, left, key.matrix(matrix, leading), here, columns, false);
    if (group_) {
      Small<FusedGroup::Input, kMostOperands> inputs;
      for (const uint32_t operand : operands) {
        if (operand == first.result) {
          inputs.push_back({here, in_order, true});
          continue;
        }
        const Buffer& buffer = *frame.values[operand];
        inputs.push_back({strip_data(buffer, scores, matrix, row), buffer.strides()});
      }
      char* const out[] = {here};
      group_->run(inputs, scalars, out, Team{}, here + strip_bytes);
    }
    softmax_rows(dtype, rows_, columns, here);
    const Matrix shares{here, rows_, columns, columns, 1};
    gemm(dtype, shares, value.matrix(matrix, leading),
         result->data() + strip * rows_ * value.columns * item, value.columns, false);
  };
  for_pieces(pieces, machine.team, [&](int64_t piece) {
    for (int64_t strip = strips * piece / pieces; strip < strips * (piece + 1) / pieces; ++strip)
      compute_strip(strip, memory->data() + piece * piece_bytes);
  });
}

size_t Attention::bytes() const { return sizeof *this + (group_ ? group_->bytes() : 0); }

}  // namespace rt::cpu
