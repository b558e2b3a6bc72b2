// abi_check.h -- one program through the C ABI, under every policy and on every backend there is.
#pragma once
#include <functional>

#include "tests/fuzz/batch_check.h"

namespace rt::fuzz {

/// What a client sees of one instruction.
struct Sight {
  bool failed = false;  ///< the call was refused, or its value turned out to have failed
  bool at_run = false;  ///< it failed when it ran, not when it was recorded
  bool seen = false;    ///< it was refused or read: what is freed unread may have failed or not
  std::string message;  ///< handles written as #
  std::string type;     ///< as asked for while the value was pending
  std::optional<Tensor> value;
};
/// By instruction; the values alive at the end are seen by the instruction that made them.
using Trace = std::vector<Sight>;

/// One way to run a program.
struct Round {
  std::string backend, policy;
  int repeat = 0;
};

/// Whether this build has the backend. Leaves it chosen.
bool choose_backend(const std::string& name);
Trace play(const Program& program, const Round& round);

/// Runs the program under observe three times, data twice and eager, on each of the backends; all
/// rounds of one backend must be the same bit for bit, and the backends agree as far as
/// check_batch's whole programs do. `tamper` may alter what a round has seen, for tests of this.
using Tamper = std::function<void(const Program&, const Round&, Trace&)>;
std::optional<Failure> check_abi(const Program& program, const std::vector<std::string>& backends,
                                 Tally& tally, const Tamper& tamper = {});

}  // namespace rt::fuzz
