// mutation.h -- changes to what single rows of the op table do, made where the core calls its rules
// and its backend, and the record of what those calls were.
#pragma once
#include <map>
#include <set>
#include <string>
#include <vector>

#include "graph/batch/backend.h"

namespace rt_test {

/// What goes into rt::infer, to keep.
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

/// What the cases were seen doing with a row.
struct Seen {
  std::set<size_t> cases;        ///< whose calls asked the row's rules or ran its kernel
  std::vector<AskedCall> calls;  ///< that the rules took
};
using SeenRows = std::map<rt::Op, Seen>;

/// One step on its way through the backend.
class StepRun {
 public:
  StepRun(rt::Backend& backend, const rt::Batch& batch, uint32_t step, rt::Frame& frame);
  void run();  ///< as if nothing were mutated
  rt::DType dtype() const { return batch_.values[result_].dtype; }
  const std::vector<uint32_t>& operands() const { return operands_; }  ///< those that were given
  rt::BufferRef& value(uint32_t number) const { return frame_.values[number]; }
  std::vector<char> bytes() const;               ///< of the result, row-major
  void replace(const std::vector<char>& bytes);  ///< the result by these
  void fill_with_zeros();
  /// Runs the step. Whether its result would be other with another scalar in that place.
  bool run_heeds_scalar(uint32_t number);

 private:
  rt::Backend& backend_;
  const rt::Batch& batch_;
  uint32_t step_, result_;
  rt::Frame& frame_;
  std::vector<uint32_t> operands_;
};

/// One way of a kind of mutation to change a row.
struct Variant {
  std::string name;
  int64_t id = 0;
  /// The row offers what this changes: where no case does so, the cases have a hole.
  bool certain = true;
};

/// A kind of mutation: how it changes the answer of rt::infer, or else the run of a step. A third
/// sort of rules (vjp) means a third hook here and a wrapper in wraps.cpp that calls it.
struct Mutation;
struct MutationKind {
  std::string_view name;
  std::vector<Variant> (*variants)(const rt::OpInfo& row, const Seen& seen);
  /// `answer` is what infer made of `asked`; throwing rt::Error refuses the call.
  void (*infer)(const Mutation&, const AskedCall& asked, rt::Args& answer) = nullptr;
  /// Runs the step. True when something is now other than it should be; with `infer`, when what
  /// that changed makes a difference.
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

/// rt::infer as the library has it; RT_INFER is its name as the linker knows it.
void real_infer(rt::Args& args, std::span<const rt::TensorType> types) __asm__("__real_" RT_INFER);

/// Whether clients decide what a row is given. What no call names gets only what the core makes for
/// it, which can be less than its rules take: there only what was seen is certain.
bool given_by_clients(const rt::OpInfo& row);
/// The dtypes that `row` gives: those it was seen giving, and those its rules would give for
/// operands of other dtypes.
std::set<rt::DType> result_dtypes(const rt::OpInfo& row, const Seen& seen);
bool takes_tensors(const rt::OpInfo& row);

// ---- What the wrappers act on. One thread at a time uses the library.

void observe_into(SeenRows* rows, size_t case_number);  ///< nullptr: no more
void activate(const Mutation* mutation);
bool applied();  ///< whether the active mutation has changed anything yet

}  // namespace rt_test
