// minimise.h -- minimises a failing program.
#pragma once
#include <functional>

#include "tests/fuzz/batch_check.h"

namespace rt::fuzz {

/// Returns the failure of a program, if any. Must be deterministic.
using Judgement = std::function<std::optional<Failure>(const Program&)>;

/// A smaller program with an equal failure: drops instructions, replaces computed values by data,
/// simplifies data. Calls `judge` at most `tries` times.
Program minimise(const Program& program, const Failure& failure, const Judgement& judge,
                 int tries = 2000);

/// A report with the failure, the seed, and the program as C, original and minimised.
std::string report(const Program& program, const Failure& failure, const Judgement& judge);

}  // namespace rt::fuzz
