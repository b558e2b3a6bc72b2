// minimise.h -- makes a failing program small.
#pragma once
#include <functional>

#include "tests/fuzz/batch_check.h"

namespace rt::fuzz {

/// The failure of a program, if any. Must not change between calls.
using Judgement = std::function<std::optional<Failure>(const Program&)>;

/// A smaller program that fails in the same way: instructions taken out in chunks and one by one,
/// values put in as data instead of being computed, data made simple. At most `tries` judgements.
Program minimise(const Program& program, const Failure& failure, const Judgement& judge,
                 int tries = 2000);

/// What to print: the failure, the seed, the program before and after as C.
std::string report(const Program& program, const Failure& failure, const Judgement& judge);

}  // namespace rt::fuzz
