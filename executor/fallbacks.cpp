// fallbacks.cpp -- finds the values that failed changes in place of a batch go back to.
#include "executor/fallbacks.h"

#include <algorithm>

namespace rt {
namespace {

std::span<const Submission::Back> backs_of(const Submission& submission, uint32_t value) {
  const auto found = std::ranges::equal_range(submission.backs, value, {}, &Submission::Back::now);
  return {found.begin(), found.end()};
}

/// The change of this batch that made the value which `back` goes back to; null where an earlier
/// batch made it.
const Submission::Back* earlier(const Submission& submission, const Submission::Back& back) {
  if (back.before == kNone.id) return nullptr;
  for (const Submission::Back& one : backs_of(submission, back.before))
    if (one.undo.leaf == back.undo.leaf) return &one;
  return nullptr;
}

}  // namespace

Fallbacks::Fallbacks(const Submission& submission) : submission_(submission) {
  const auto& backs = submission.backs;
  if (backs.empty()) return;
  units_.resize(submission.units + 2);
  kept_.resize(submission.batch().values.size());
  by_unit_.resize(backs.size());
  for (const Submission::Back& back : backs) {
    ++units_[back.undo.unit].open;
    if (back.before != kNone.id) ++kept_[back.before];
  }
  for (size_t i = 1; i < units_.size(); ++i)
    units_[i].begin = units_[i - 1].begin + units_[i - 1].open;
  std::vector<uint32_t> next(units_.size());
  for (size_t i = 0; i < units_.size(); ++i) next[i] = units_[i].begin;
  for (uint32_t i = 0; i < backs.size(); ++i) by_unit_[next[backs[i].undo.unit]++] = i;
}

std::span<const Submission::Back> Fallbacks::of(uint32_t value) const {
  return backs_of(submission_, value);
}

Fallbacks::Way Fallbacks::way(const Submission::Back& back, std::span<const BufferRef> values,
                              std::span<const Message> failures) const {
  Way way{units_[back.undo.unit].failure, &back.undo};
  if (!way.failure) return way;
  const Submission::Back* at = &back;
  for (const Submission::Back* before;
       (before = earlier(submission_, *at)) && units_[before->undo.unit].failure;)
    at = before;
  way.undo = &at->undo;
  if (at->before == kNone.id) way.buffer = at->outside;
  else if (!failures[at->before]) way.buffer = values[at->before];
  return way;
}

BufferRef Fallbacks::view(uint32_t value, std::span<const BufferRef> values,
                          std::span<const Message> failures) const {
  const Batch& batch = submission_.batch();
  std::vector<const Batch::Step*> views;
  for (; of(value).empty(); value = batch.operands_of(*views.back())[0]) {
    if (batch.is_input(value)) return {};
    const Batch::Step& step = batch.producer(value);
    if (!info(step.op).rules.view) return {};
    views.push_back(&step);
  }
  BufferRef base;
  for (const Submission::Back& back : of(value))
    if (back.undo.leaf == 0) base = way(back, values, failures).buffer;
  if (!base) return {};
  Layout layout = base->layout();
  for (auto at = views.rbegin(); at != views.rend(); ++at) {
    const Batch::Step& step = **at;
    Small<int64_t, 10> attributes = batch.bound_attributes(step, submission_.scalars);
    Layout next;
    if (!info(step.op).rules.view({info(step.op), attributes}, batch.sizes(step.result), layout,
                                  next))
      return {};
    layout = std::move(next);
  }
  return BufferRef(new Buffer(base->storage(), base->dtype(), std::move(layout)));
}

BufferRef before_batch(const Submission& submission, uint32_t root) noexcept {
  const Submission::Back* at = nullptr;
  for (const Submission::Back& back : backs_of(submission, root))
    if (back.undo.leaf == 0) at = &back;
  if (!at) return {};
  while (const Submission::Back* const before = earlier(submission, *at)) at = before;
  if (at->before == kNone.id) return at->outside;
  const Batch& batch = submission.batch();
  if (!batch.is_input(at->before)) return {};
  size_t input = 0;
  for (uint32_t value = 0; value < at->before; ++value) input += batch.is_input(value);
  return submission.inputs[input];
}

}  // namespace rt
