// abi_check.h -- runs one program through the C ABI, under every policy and on every backend.
#pragma once
#include <functional>

#include "tests/fuzz/batch_check.h"

namespace rt::fuzz {

/// A client's observations of one instruction.
struct Sight {
  bool failed = false;  ///< the call was refused, or its value has failed
  bool at_run = false;  ///< it failed when it ran, not when it was recorded
  bool seen = false;    ///< it was refused or read: the outcome of values freed unread is unknown
  std::string message;  ///< with # for handles
  std::string type;     ///< answer to a query while the value was pending
  std::optional<Tensor> value;
};
/// Indexed by instruction. Values alive at the end are noted at the instructions that made them.
using Trace = std::vector<Sight>;

/// One way to run a program.
struct Round {
  std::string backend, policy;
  int repeat = 0;
};

/// Chooses the backend; false if this build does not have it.
bool choose_backend(const std::string& name);
Trace play(const Program& program, const Round& round);

/// Runs the program three times under observe, twice under data and once under eager, on each
/// backend. Rounds of one backend must be equal bit for bit, and backends must agree as whole
/// programs in check_batch do. `tamper` alters a round's observations, to test this check.
using Tamper = std::function<void(const Program&, const Round&, Trace&)>;
std::optional<Failure> check_abi(const Program& program, const std::vector<std::string>& backends,
                                 Tally& tally, const Tamper& tamper = {});

}  // namespace rt::fuzz
