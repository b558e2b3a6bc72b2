// mutation.h -- mutations of single rows, applied where the core calls its rules and its backend,
// and records of these calls.
#pragma once
#include <map>
#include <set>
#include <string>
#include <vector>

#include "graph/batch/backend.h"

namespace rt_test {

/// A copy of the arguments of rt::infer.
class AskedCall {
 public:
  AskedCall(const rt::Args& args, std::span<const rt::TensorType> types);
  AskedCall(const AskedCall& other) : AskedCall(other.args, other.types_) {}
  AskedCall& operator=(const AskedCall&) = delete;
  rt::Args args;
  const std::vector<rt::TensorType>& types() const { return types_; }
  void set_dtype(size_t operand, rt::DType dtype) { types_[operand].dtype = dtype; }
  void set_sizes(size_t operand, rt::Sizes sizes);

 private:
  std::vector<rt::TensorType> types_;  ///< their sizes are in sizes_
  std::vector<rt::Shape> sizes_;
};

/// Uses of a row by the cases.
struct Seen {
  std::set<size_t> cases;        ///< cases that called the row's rules or ran its kernel
  std::vector<AskedCall> calls;  ///< calls that the rules accepted
};
using SeenRows = std::map<rt::Op, Seen>;

/// One step that the backend runs.
class StepRun {
 public:
  StepRun(rt::Backend& backend, const rt::Batch& batch, uint32_t step, rt::Frame& frame);
  void run();  ///< without a mutation
  rt::DType dtype() const { return batch_.values[result_].dtype; }
  const std::vector<uint32_t>& operands() const { return operands_; }  ///< without absent ones
  rt::BufferRef& value(uint32_t number) const { return frame_.values[number]; }
  std::vector<char> bytes() const;               ///< of the result, row-major
  void replace(const std::vector<char>& bytes);  ///< replaces the result
  void fill_with_zeros();
  /// Runs the step. Returns true if another scalar at this index would change its result.
  bool run_heeds_scalar(uint32_t number);

 private:
  rt::Backend& backend_;
  const rt::Batch& batch_;
  uint32_t step_, result_;
  rt::Frame& frame_;
  std::vector<uint32_t> operands_;
};

/// One variant of a kind of mutation.
struct Variant {
  std::string name;
  int64_t id = 0;
  /// True if the row surely offers what this changes: then cases that never do so have a gap.
  bool certain = true;
};

/// A kind of mutation: it changes the answer of rt::infer or the run of a step. A third sort of
/// rules (vjp) needs a third hook here and a wrapper in wraps.cpp.
struct Mutation;
struct MutationKind {
  std::string_view name;
  std::vector<Variant> (*variants)(const rt::OpInfo& row, const Seen& seen);
  /// Changes `answer`, that of infer to `asked`; throws rt::Error to refuse the call.
  void (*infer)(const Mutation&, const AskedCall& asked, rt::Args& answer) = nullptr;
  /// Runs the step. Returns true if its result is now wrong; in a kind with `infer`, if the change
  /// of the answer affects the result.
  bool (*step)(const Mutation&, StepRun&) = nullptr;
};
std::span<const MutationKind> infer_kinds();
std::span<const MutationKind> step_kinds();

struct Mutation {
  const rt::OpInfo& row;
  const MutationKind& kind;
  Variant variant;
  std::string kind_text() const {
    return std::string(kind.name) + (variant.name.empty() ? "" : ":") + variant.name;
  }
};

/// The library's rt::infer; RT_INFER is its mangled name.
void real_infer(rt::Args& args, std::span<const rt::TensorType> types) __asm__("__real_" RT_INFER);

/// True if clients choose the row's operands. Other rows get only operands that the core makes,
/// which may be fewer than the rules accept, so that only observed ones are certain.
bool given_by_clients(const rt::OpInfo& row);
/// The dtypes of the row's results: observed ones, and those that its rules give for operands of
/// other dtypes.
std::set<rt::DType> result_dtypes(const rt::OpInfo& row, const Seen& seen);
bool takes_tensors(const rt::OpInfo& row);

// ---- State of the wrappers. Only one thread uses the library.

void observe_into(SeenRows* rows, size_t case_number);  ///< nullptr ends it
void activate(const Mutation* mutation);
bool applied();  ///< true if the active mutation has changed anything

}  // namespace rt_test
