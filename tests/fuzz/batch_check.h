// batch_check.h -- runs one program as a batch on two backends, and compares them.
#pragma once
#include <optional>

#include "tests/fuzz/compare.h"

namespace rt::fuzz {

/// A failed check. Failures are equal if kind and row are; the row is empty if it is unknown.
struct Failure {
  std::string kind, row, detail;
  bool operator==(const Failure& other) const { return kind == other.kind && row == other.row; }
};

/// Counts of the comparisons, which show that a fuzzer without findings did some work.
struct Tally {
  int64_t programs = 0, steps = 0, failing_steps = 0;
  int64_t roots = 0, excused_roots = 0;  ///< results of whole programs, and incomparable ones
  int64_t by_slack = 0;                  ///< comparisons that passed only by an error bound
  std::map<std::string, int64_t> rows;   ///< steps that ran, by row
};

/// A program as a canonical batch, without refused calls.
struct Form {
  Batch batch;
  std::vector<Tensor> inputs;
  std::map<uint32_t, uint32_t> numbers;  ///< value indices by id
};
/// With `views_at_once` views of data become strided inputs, as views of concrete values do in the
/// engine.
Form to_batch(const Program& program, bool views_at_once);

/// All values of the batch after a run step by step; null where a step failed.
std::vector<BufferRef> run_steps(Backend& backend, const Form& form, uint64_t seed);

/// Values that depend on a discontinuous row.
std::vector<bool> after_jumps(const Batch& batch);

/// Bounds on the differences between backends, by value: the change of each element when earlier
/// results move by a few units in the last place. Values are excused if they depend on values with
/// mostly noise or on discontinuous rows.
struct Bounds {
  std::vector<bool> excused;
  std::vector<std::vector<double>> slack;
};
Bounds error_bounds(Backend& judge, const Form& form, uint64_t seed);

/// Checks of a program:
/// - its batch is well formed, and its dumps are read back as the identical batch;
/// - each step of `subject` agrees with that of `judge` on subject's operands;
/// - subject's compiled program gives the bits of its steps, twice;
/// - whole programs agree, except after discontinuous rows.
/// Errors may exceed the tolerances of torch.testing as far as operands that are off by a few units
/// in the last place explain. Two configurations of one backend must be equal bit for bit.
std::optional<Failure> check_batch(const Program& program, Backend& subject, Backend& judge,
                                   Tally& tally);

}  // namespace rt::fuzz
