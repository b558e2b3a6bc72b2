// golden_calls.h -- golden cases of many calls: tensors by their names, and the calls over them.
#pragma once
#include <string>

#include "tests/support/golden.h"

namespace rt_test {

// Tensors under the names that a case has for them. What it made is freed with it.
class Scope {
 public:
  // Names of `outer` are known here too.
  explicit Scope(const Scope* outer = nullptr) {
    if (outer != nullptr) names_ = outer->names_;
  }
  void make(const Json& tensors);
  void call(const Json& calls);
  int64_t operator[](const std::string& name) const { return names_.at(name); }
  // These names, in their order.
  Handles all(const Json& names) const;
  // Gives back what was made here but for `kept`.
  void free(int64_t kept = 0) { owner_.release(kept); }
  int64_t keep(int64_t handle) { return owner_.keep(handle); }

 private:
  Owner owner_;
  Names names_;
};

// Differences of what is behind the handle from `factor` times the expected are failures of the
// running test.
void expect_tensor(int64_t handle, const Json& expected, Tolerance tolerance, double factor = 1);

}  // namespace rt_test
