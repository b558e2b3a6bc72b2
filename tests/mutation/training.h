// training.h -- golden cases of training, as rt_mutation runs them.
#pragma once
#include "tests/support/golden.h"

namespace rt_test {

/// Networks and optimizers.
const std::vector<Json>& training_cases();
/// Makes the case's calls. Differences from PyTorch become failures of the running test. Runs an
/// optimizer only to the first steps whose parameters are in the data.
void train(const Json& one);

}  // namespace rt_test
