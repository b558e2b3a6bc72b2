// random_state_test.cpp -- the reference backend restores a state of its random numbers.
#include "tests/executor/random_state.h"
#include "fallback_cpu/reference.h"

namespace rt::test {
namespace {

TEST(ReferenceRandomState, NumbersOfAFailedRunComeAgainThoseOfOthersNever) {
  static MemoryCount memory;
  Drawing drawing(make_reference_backend(memory, 1));
  expect_only_own_numbers_again(drawing);
}

}  // namespace
}  // namespace rt::test
