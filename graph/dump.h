// dump.h -- batches as text, JSON and dot; text and JSON read back to the identical batch.
#pragma once
#include <span>
#include <string>
#include <string_view>

#include "graph/batch.h"

namespace rt {

/// What is said beside the steps: one text per step, or none at all.
struct DumpNotes {
  std::span<const std::string> places;  ///< "train.spl:12", "" where unknown
  std::span<const std::string> labels;
  std::string_view place(size_t step) const { return at(places, step); }
  std::string_view label(size_t step) const { return at(labels, step); }

 private:
  static std::string_view at(std::span<const std::string> texts, size_t step) {
    return step < texts.size() ? std::string_view(texts[step]) : std::string_view();
  }
};

/// One value a line, the roots last:
///     # batch 0f..., 1 input, 1 step, 1 scalar, 1 root
///     %0: f32[2,3] @cuda:0 = input(strides=[1,2])
///     %1: f32[2,3] @cuda:0 = add_scalar(%0, other=<0.5>)  # "label" at train.spl:12
///     return %1
/// Operands come first, then the other parameters in the row's order. <0.5> is a scalar that is set
/// at every run, 0.5 a constant. Both are numbered as they appear, equal constants sharing one
/// number; a batch that a pass has left otherwise has a line `scalars free=1 bits=[...]` and its
/// scalars say which they are: <0.5 at 2>. What a fused step computes follows it, four columns in:
///     %4: f32[2,3], %5: f32[] = fused(%0, %1, group=0, scalars=[3])
///         %0: f32[2,3] = input
///         ...
///         return %3, %4
std::string to_text(const Batch& batch, const DumpNotes* notes = nullptr);
/// The line of one step.
std::string step_text(const Batch& batch, size_t step, const DumpNotes* notes = nullptr);
std::string to_json(const Batch& batch, const DumpNotes* notes = nullptr);
std::string to_dot(const Batch& batch, const DumpNotes* notes = nullptr);

/// The batch of a dump. Throws Error, with the line or the path in the JSON and what is expected
/// there, when it is none or not well formed.
Batch parse_text(std::string_view text);
Batch parse_json(std::string_view text);

}  // namespace rt
