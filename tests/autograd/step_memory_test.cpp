// step_memory_test.cpp -- a step writes new parameters and optimizer state over the old ones, if
// these have no alias and no later failure could need them.
#include <cmath>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "tests/autograd/rig.h"

namespace rt_test {
namespace {

constexpr int64_t kElements = int64_t{1} << 20;

struct Rule {
  const char* name;
  int64_t (*make)(const int64_t* list, int64_t count);
  double live;  ///< in parameters: itself, its gradient, the optimizer's state
};
const Rule kRules[] = {
    {"sgd", [](const int64_t* p, int64_t n) { return rt_torch_sgd_new(p, n, 0.1, 0, 0.01); }, 2},
    {"momentum", [](const int64_t* p, int64_t n) { return rt_torch_sgd_new(p, n, 0.1, 0.9, 0); },
     3},
    {"adam",
     [](const int64_t* p, int64_t n) { return rt_torch_adam_new(p, n, 0.1, 0.9, 0.99, 1e-8, 0); },
     4},
    {"adamw",
     [](const int64_t* p, int64_t n) {
       return rt_torch_adamw_new(p, n, 0.1, 0.9, 0.99, 1e-8, 0.1);
     },
     4},
};

/// Parameters, each of equal elements, and their optimizer.
class Model {
 public:
  Model(const Rule& rule, int64_t parameters, int64_t elements = kElements) {
    for (int64_t i = 0; i < parameters; ++i) {
      parameters_.push_back(full({elements / parameters}, 0.5 + static_cast<double>(i)));
      rt_torch_autograd_set_requires_grad(parameters_.back(), 1);
    }
    const std::vector<int64_t> list(parameters_.begin(), parameters_.end());
    optimizer_ = rule.make(list.data(), parameters);
    rt_torch_flush();
    EXPECT_EQ(last_error(), "");
  }
  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;
  ~Model() { EXPECT_EQ(rt_torch_optimizer_free(optimizer_), 0); }

  int64_t parameter(size_t i) const { return parameters_[i]; }
  int64_t optimizer() const { return optimizer_; }

  /// Returns the loss, which includes an element selected from two: index 7 fails.
  Tensor pass(int64_t index = 0) {
    const Tensor few = full({2}, 0.25), at = from_i64({index}),
                 picked = rt_torch_torchtensor_index_select(few, 0, at);
    Tensor loss = rt_torch_torchtensor_sum_tensor(picked);
    for (const Tensor& parameter : parameters_) {
      const Tensor square = rt_torch_torchtensor_mul(parameter, parameter),
                   sum = rt_torch_torchtensor_sum_tensor(square);
      loss = Tensor(rt_torch_torchtensor_add(loss, sum));
    }
    rt_torch_autograd_backward(loss);
    return loss;
  }
  Tensor step(int64_t index = 0) {
    rt_torch_optimizer_zero_grad(optimizer_);
    Tensor loss = pass(index);
    rt_torch_optimizer_step(optimizer_);
    return loss;
  }
  /// The first element of each parameter.
  std::vector<float> read() const {
    std::vector<float> first;
    for (const Tensor& parameter : parameters_) first.push_back(first_of(parameter));
    return first;
  }
  /// The first element; all must be equal.
  static float first_of(int64_t tensor) {
    const std::vector<float> all = values(tensor);
    EXPECT_EQ(std::ranges::count(all, all[0]), std::ssize(all));
    return all[0];
  }

 private:
  std::vector<Tensor> parameters_;
  int64_t optimizer_ = 0;
};

class StepMemory : public AbiTest, public testing::WithParamInterface<Rule> {
 protected:
  void SetUp() override {
    AbiTest::SetUp();
    rt_torch_set_policy("data");
    left_by_others_ = stat("live_bytes");
  }
  /// Takes the failures that sync reports, and returns their count.
  static int clear_failures() {
    int told = 0;
    for (; rt_torch_sync() == 0; rt_torch_clear_error()) ++told;
    return told;
  }
  /// Expects that a compiled `step` peaks little above the memory that stays live after it.
  template <class Step>
  void expect_little_above(double live, const Step& step, int64_t elements = kElements) const {
    const auto parameters = [&](const char* bytes) {
      return static_cast<double>(stat(bytes) - left_by_others_) /
             (4.0 * static_cast<double>(elements));
    };
    for (int i = 0; i < 7; ++i) {
      rt_torch_sync();
      rt_torch_stats_reset();
      step();
      rt_torch_sync();
      if (i < 4) continue;
      EXPECT_EQ(stat("cache_hits"), stat("batches"));
      EXPECT_NEAR(parameters("live_bytes"), live, 0.01);
      EXPECT_LE(parameters("peak_bytes"), live + 0.1) << "step " << i;
    }
  }

 private:
  int64_t left_by_others_ = 0;  ///< bytes that other tests of this process left
};
INSTANTIATE_TEST_SUITE_P(Rules, StepMemory, testing::ValuesIn(kRules),
                         [](const auto& test) { return std::string(test.param.name); });

TEST_P(StepMemory, PeaksLittleAboveWhatLives) {
  for (const int64_t parameters : {1, 4}) {
    SCOPED_TRACE(parameters);
    Model model(GetParam(), parameters);
    expect_little_above(GetParam().live, [&] { rt_torch_torchtensor_item(model.step()); });
    // The gradients exist before the step's batch.
    expect_little_above(GetParam().live, [&] {
      rt_torch_optimizer_zero_grad(model.optimizer());
      Tensor loss = model.pass();
      rt_torch_flush();
      rt_torch_stats_reset();
      rt_torch_optimizer_step(model.optimizer());
      loss.free();
    });
  }
}

/// Independent work that is recorded after a step runs before it. A step of so few elements does
/// not end the batch.
TEST_P(StepMemory, WhatStandsBehindItDoesNotMatter) {
  constexpr int64_t kFew = 80'000;
  Model model(GetParam(), 1, kFew);
  const Tensor rows = full({8, 8}, 0.5);
  const auto step = [&] {
    const Tensor loss = model.step(), product = rt_torch_torchtensor_matmul(rows, rows);
    EXPECT_EQ(rt_torch_torchtensor_sum(product), 128);
    EXPECT_EQ(stat("batches"), 1);
  };
  expect_little_above(GetParam().live, step, kFew);
}

/// A pass after a step may fail, so that it does not join the step's batch.
TEST_P(StepMemory, WhenTheLossIsReadDoesNotMatter) {
  for (const bool between : {false, true}) {
    SCOPED_TRACE(between ? "between backward and step" : "never");
    Model model(GetParam(), 2);
    expect_little_above(GetParam().live, [&] {
      for (int i = 0; i < 3; ++i) {
        rt_torch_optimizer_zero_grad(model.optimizer());
        const Tensor loss = model.pass();
        if (between) rt_torch_torchtensor_item(loss);
        rt_torch_optimizer_step(model.optimizer());
      }
    });
  }
}

TEST_P(StepMemory, AFailureLeavesTheModelAsItWas) {
  std::vector<double> losses[2];
  std::vector<float> ends[2];
  for (const bool fails : {false, true}) {
    Model model(GetParam(), 3, int64_t{3} << 17);
    for (int i = 0; i < 8; ++i) {
      if (fails) {
        EXPECT_TRUE(std::isnan(rt_torch_torchtensor_item(model.step(7))));
        clear_failures();
      }
      losses[fails].push_back(rt_torch_torchtensor_item(model.step()));
    }
    ends[fails] = model.read();
  }
  EXPECT_EQ(clear_failures(), 0);
  ASSERT_EQ(losses[0].size(), losses[1].size());
  for (size_t i = 0; i < losses[0].size(); ++i)
    EXPECT_NEAR(losses[0][i], losses[1][i], 1e-5 * losses[0][i]);
  for (size_t i = 0; i < ends[0].size(); ++i) EXPECT_FLOAT_EQ(ends[0][i], ends[1][i]) << i;
}

TEST_P(StepMemory, WhatFailsBehindItLeavesItAlone) {
  std::vector<float> ends[2];
  for (const bool fails : {false, true}) {
    Model model(GetParam(), 3, int64_t{3} << 17);
    for (int i = 0; i < 8; ++i) {
      const Tensor loss = model.step(), few = full({2}, 0.25), at = from_i64({fails ? 7 : 0}),
                   picked = rt_torch_torchtensor_index_select(few, 0, at);
      rt_torch_flush();
      EXPECT_EQ(clear_failures(), fails);
      EXPECT_TRUE(std::isfinite(rt_torch_torchtensor_item(loss)));
    }
    ends[fails] = model.read();
  }
  for (size_t i = 0; i < ends[0].size(); ++i) EXPECT_FLOAT_EQ(ends[0][i], ends[1][i]) << i;
}

/// An alias of memory that a step changes. A program with tensors large enough to be written over
/// is compared with one whose tensors are too small.
struct Onlooker {
  const char* name;
  std::vector<float> (*run)(Model& model);
};

/// A thread that records at once, and reads when read() is called.
class OtherThread {
 public:
  explicit OtherThread(int64_t tensor)
      : thread_([this, tensor] {
          const Tensor mine = rt_torch_torchtensor_mul_scalar(tensor, 2);
          go_on(1);
          wait_for(2);
          read_ = Model::first_of(mine);
        }) {
    wait_for(1);
  }
  float read() {
    go_on(2);
    thread_.join();
    return read_;
  }

 private:
  void go_on(int to) {
    const std::lock_guard lock(mutex_);
    at_ = to;
    changed_.notify_all();
  }
  void wait_for(int at) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return at_ >= at; });
  }
  std::mutex mutex_;
  std::condition_variable changed_;
  int at_ = 0;
  float read_ = 0;
  std::thread thread_;
};

const Onlooker kOnlookers[] = {
    {"nobody",
     [](Model& model) {
       model.step();
       return model.read();
     }},
    {"another handle",
     [](Model& model) {
       const Tensor same = rt_torch_autograd_detach(model.parameter(0));
       model.step();
       return std::vector{Model::first_of(same)};
     }},
    {"a view",
     [](Model& model) {
       const Tensor part = rt_torch_torchtensor_slice(model.parameter(0), 0, 1, 5, 1);
       model.step();
       return std::vector{Model::first_of(part)};
     }},
    {"a copy of before, which has not run",
     [](Model& model) {
       const Tensor copy = rt_torch_torchtensor_clone(model.parameter(0)),
                    twice = rt_torch_torchtensor_mul_scalar(model.parameter(0), 2);
       model.step();
       return std::vector{Model::first_of(copy), Model::first_of(twice)};
     }},
    {"a gradient's handle",
     [](Model& model) {
       model.pass();
       rt_torch_flush();
       const Tensor gradient = rt_torch_autograd_grad(model.parameter(1));
       rt_torch_optimizer_step(model.optimizer());
       model.pass();
       rt_torch_optimizer_step(model.optimizer());
       return std::vector{Model::first_of(gradient)};
     }},
    {"another thread's work",
     [](Model& model) {
       OtherThread other(model.parameter(0));
       model.step();
       rt_torch_flush();
       const float before = Model::first_of(model.parameter(0));
       return std::vector{other.read(), before};
     }},
    {"another optimizer",
     [](Model& model) {
       const int64_t list[] = {model.parameter(1)};
       const int64_t other = rt_torch_sgd_new(list, 1, 0.5, 0.5, 0);
       const Tensor loss = model.step();
       rt_torch_optimizer_step(other);
       const float read = Model::first_of(model.parameter(1));
       rt_torch_optimizer_free(other);
       return std::vector{read};
     }},
};

TEST_P(StepMemory, NobodySeesThatItWasWrittenOver) {
  for (const Onlooker& onlooker : kOnlookers) {
    SCOPED_TRACE(onlooker.name);
    std::vector<std::vector<float>> small, large;
    for (const auto& [elements, seen] : {std::pair(16, &small), std::pair(1 << 19, &large)}) {
      Model model(GetParam(), 2, elements);
      for (int i = 0; i < 5; ++i) {
        seen->push_back(onlooker.run(model));
        seen->push_back(model.read());
      }
      EXPECT_EQ(clear_failures(), 0);
    }
    ASSERT_EQ(small.size(), large.size());
    for (size_t i = 0; i < small.size(); ++i)
      for (size_t k = 0; k < small[i].size(); ++k)
        EXPECT_NEAR(small[i][k], large[i][k], 1e-4 * std::abs(small[i][k])) << i;
  }
}

}  // namespace
}  // namespace rt_test
