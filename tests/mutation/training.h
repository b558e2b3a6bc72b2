// training.h -- the golden cases of training, as rt_mutation makes their calls.
#pragma once
#include "tests/support/golden.h"

namespace rt_test {

/// The networks and the optimizers.
const std::vector<Json>& training_cases();
/// Makes the case's calls; differences from PyTorch are failures of the running test. Of an
/// optimizer only the first steps are gone that the data have parameters of.
void train(const Json& one);

}  // namespace rt_test
