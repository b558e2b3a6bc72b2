// random_state.h -- the contract of every backend that restores a state of its random numbers.
#pragma once
#include <thread>

#include "tests/executor/reference_rig.h"

namespace rt::test {

/// A batch of one random step.
struct Drawing : Rig {
  explicit Drawing(std::unique_ptr<Backend> backend, Op op = Op::Rand) : Rig(std::move(backend)) {
    value = step(op, {}, {}, {4});
    batch.roots = {value.id};
  }
  std::vector<float> draw() { return values<float>(*run_steps()[value.id]); }
  std::vector<float> draw_elsewhere() {
    std::vector<float> drawn;
    std::thread([&] { drawn = draw(); }).join();
    return drawn;
  }
  Value value;
};

/// A restore repeats the numbers of a failed run, but never those that another thread drew since.
inline void expect_only_own_numbers_again(Drawing& drawing) {
  drawing.backend->seed(5);
  const std::vector<float> first = drawing.draw(), second = drawing.draw();
  EXPECT_NE(first, second);
  drawing.backend->seed(5);
  auto before = drawing.backend->random_state();
  EXPECT_EQ(drawing.draw(), first);
  drawing.backend->restore(*before);
  EXPECT_EQ(drawing.draw(), first);
  before = drawing.backend->random_state();
  EXPECT_EQ(drawing.draw(), second);
  const std::vector<float> others = drawing.draw_elsewhere();
  drawing.backend->restore(*before);
  const std::vector<float> next = drawing.draw();
  EXPECT_NE(next, second);
  EXPECT_NE(next, others);
}

}  // namespace rt::test
