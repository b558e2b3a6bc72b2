// golden_calls.h -- golden cases of many calls, with named tensors.
#pragma once
#include <string>

#include "tests/support/golden.h"

namespace rt_test {

// Named tensors of a case; frees those that it created.
class Scope {
 public:
  // Inherits the names of `outer`.
  explicit Scope(const Scope* outer = nullptr) {
    if (outer != nullptr) names_ = outer->names_;
  }
  void make(const Json& tensors);
  void call(const Json& calls);
  int64_t operator[](const std::string& name) const { return names_.at(name); }
  // The handles of these names.
  Handles all(const Json& names) const;
  // Frees handles created here, except `kept`.
  void free(int64_t kept = 0) { owner_.release(kept); }
  int64_t keep(int64_t handle) { return owner_.keep(handle); }

 private:
  Owner owner_;
  Names names_;
};

// Compares the tensor with `factor` times the expected one; differences become failures of the
// running test.
void expect_tensor(int64_t handle, const Json& expected, Tolerance tolerance, double factor = 1);

}  // namespace rt_test
