// batch_check.h -- one program as a batch, on two backends.
#pragma once
#include <optional>

#include "tests/fuzz/compare.h"

namespace rt::fuzz {

/// What went wrong. Two failures are the same one when kind and row agree; the row is empty where
/// it is not known which one is to blame.
struct Failure {
  std::string kind, row, detail;
  bool operator==(const Failure& other) const { return kind == other.kind && row == other.row; }
};

/// What was looked at, so that a fuzzer that finds nothing can be told from one that does nothing.
struct Tally {
  int64_t programs = 0, steps = 0, failing_steps = 0;
  int64_t roots = 0, excused_roots = 0;  ///< results of whole programs, and those not comparable
  int64_t by_slack = 0;                  ///< comparisons that only an error bound let pass
  std::map<std::string, int64_t> rows;   ///< steps that ran, by row
};

/// A program as a canonical batch. Calls that are refused are left out.
struct Form {
  Batch batch;
  std::vector<Tensor> inputs;
  std::map<uint32_t, uint32_t> numbers;  ///< ids to value numbers
};
/// `views_at_once`: views of data become strided inputs, as the engine makes them of values that
/// are concrete.
Form to_batch(const Program& program, bool views_at_once);

/// The values of the batch, run step by step; empty where a step has failed.
std::vector<BufferRef> run_steps(Backend& backend, const Form& form, uint64_t seed);

/// Values that come after a row that may jump however little its operands move.
std::vector<bool> after_jumps(const Batch& batch);

/// By value, how far its elements may be off on another backend: how they move when every result
/// before them is a few units in the last place off. What comes after a value that is mostly noise
/// is excused, as is what comes after jumps.
struct Bounds {
  std::vector<bool> excused;
  std::vector<std::vector<double>> slack;
};
Bounds error_bounds(Backend& judge, const Form& form, uint64_t seed);

/// Checks, on one program:
/// - the batch is well formed, and its dumps read back to the identical batch;
/// - each step of `subject` against the same step of `judge` on subject's own operands;
/// - subject's compiled program against its steps, bit for bit, twice;
/// - the whole program against the judge's, where no row before it has jumps.
/// Errors beyond torch.testing's tolerances are allowed as far as operands that are off by a few
/// units in the last place explain them; none are where both are one backend with other settings.
std::optional<Failure> check_batch(const Program& program, Backend& subject, Backend& judge,
                                   Tally& tally);

}  // namespace rt::fuzz
