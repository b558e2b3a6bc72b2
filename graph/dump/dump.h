// dump.h -- batches as text, JSON and dot; text and JSON read back to the identical batch.
#pragma once
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "graph/batch/batch.h"

namespace rt {

/// The smallest and the largest element of an input of integers or bools.
struct Range {
  int64_t least = 0, most = -1;
  bool known() const { return least <= most; }
  bool operator==(const Range&) const = default;
};

/// Notes on a batch: one text per step, one range per input, or none at all.
struct DumpNotes {
  std::span<const std::string> locations = {};  ///< "train.spl:12", "" where unknown
  std::span<const std::string> labels = {};
  std::span<const Range> ranges = {};  ///< in the order of the inputs' ids
  std::string_view inputs = {};        ///< the file beside the dump that holds the inputs
  std::string_view error = {};         ///< the reason that the batch failed
  std::string_view location(size_t step) const { return at(locations, step); }
  std::string_view label(size_t step) const { return at(labels, step); }

 private:
  static std::string_view at(std::span<const std::string> texts, size_t step) {
    return step < texts.size() ? std::string_view(texts[step]) : std::string_view();
  }
};

/// The batch as text, one value per line, the roots last:
///     # batch 0f..., 1 input, 1 step, 1 scalar, 1 root
///     # inputs: batch-0f....safetensors
///     # failed: why
///     %0: f32[2,3] @cuda:0 = input(strides=[1,2])  # from 0 to 9
///     %1: f32[2,3] @cuda:0 = add_scalar(%0, other=<0.5>)  # "label" at train.spl:12
///     return %1
/// Operands come first, then the other parameters in the row's order. <0.5> is a scalar that is set
/// at every run, 0.5 a constant. Indices of scalars follow from their order of appearance, where
/// equal constants share one. A batch with other indices has a line `scalars free=1 bits=[...]`,
/// and its scalars show theirs: <0.5 at 2>. The group of a fused step follows it, four columns in:
///     %4: f32[2,3], %5: f32[] = fused(%0, %1, group=0, scalars=[3])
///         %0: f32[2,3] = input
///         ...
///         return %3, %4
std::string to_text(const Batch& batch, const DumpNotes* notes = nullptr);
/// The line of one step.
std::string step_text(const Batch& batch, size_t step, const DumpNotes* notes = nullptr);
/// The line of an input.
std::string input_text(const Batch& batch, uint32_t value);
std::string to_json(const Batch& batch, const DumpNotes* notes = nullptr);
std::string to_dot(const Batch& batch, const DumpNotes* notes = nullptr);
/// Appends a text in quotes, safe in JSON and in dot. Bytes that are not UTF-8 become U+FFFD.
void put_quoted(std::string& out, std::string_view text);

/// A dump that was read: the batch and the notes on it.
struct Dump {
  Batch batch;
  std::vector<std::string> locations, labels;
  std::vector<Range> ranges;
  std::string inputs, error;
  DumpNotes notes() const { return {locations, labels, ranges, inputs, error}; }
};

/// Reads text or JSON. Throws Error, with the line or the path in the JSON and the input that is
/// expected there, for anything else and for a batch that is not well-formed. Comments in the text
/// that are no notes are skipped.
Dump read_dump(std::string_view text);
/// Reads a batch in one of the forms, without notes.
Batch parse_text(std::string_view text);
Batch parse_json(std::string_view text);

/// Throws Error unless text and JSON of the batch read back to the identical one.
void verify_dumps(const Batch& batch);

}  // namespace rt
