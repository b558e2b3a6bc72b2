// shared_memory_test.cpp -- parameters that share memory are stepped in order, as in PyTorch, at a
// cost linear in their count.
#include <cmath>
#include <functional>
#include <numeric>

#include "tests/autograd/rig.h"

namespace rt_test {
namespace {

/// The rules of torch.optim for one element.
struct Rule {
  std::string name;
  double momentum = 0, weight_decay = 0;
  bool adam = false, decoupled = false;
  static constexpr double kRate = 0.1, kBeta1 = 0.9, kBeta2 = 0.99, kEps = 1e-8;

  int64_t make(const std::vector<int64_t>& parameters) const {
    const auto count = static_cast<int64_t>(parameters.size());
    if (!adam) return rt_torch_sgd_new(parameters.data(), count, kRate, momentum, weight_decay);
    return (decoupled ? rt_torch_adamw_new : rt_torch_adam_new)(parameters.data(), count, kRate,
                                                                kBeta1, kBeta2, kEps, weight_decay);
  }
  struct State {
    double mean = 0, square = 0;
  };
  double step(double value, double gradient, State& state, int steps) const {
    if (decoupled) value *= 1 - kRate * weight_decay;
    else gradient += weight_decay * value;
    if (!adam) {
      state.mean = momentum * state.mean + gradient;
      return value - kRate * (momentum == 0 ? gradient : state.mean);
    }
    state.mean += (1 - kBeta1) * (gradient - state.mean);
    state.square = kBeta2 * state.square + (1 - kBeta2) * gradient * gradient;
    const double root = std::sqrt(state.square) / std::sqrt(1 - std::pow(kBeta2, steps)) + kEps;
    return value - kRate / (1 - std::pow(kBeta1, steps)) * state.mean / root;
  }
};
const Rule kRules[] = {{.name = "plain"},
                       {.name = "momentum", .momentum = 0.9, .weight_decay = 0.1},
                       {.name = "adam", .weight_decay = 0.1, .adam = true},
                       {.name = "adamw", .weight_decay = 0.1, .adam = true, .decoupled = true}};

class SharedMemory : public GradTest {
 protected:
  using View = std::function<int64_t(int64_t)>;

  View slice(int64_t dim, int64_t start, int64_t end, int64_t step = 1) {
    return [=, this](int64_t of) {
      return keep(rt_torch_torchtensor_slice(of, dim, start, end, step));
    };
  }
  View then(View first, View second) {
    return [=](int64_t of) { return second(first(of)); };
  }
  View turned() {
    return [this](int64_t of) { return keep(rt_torch_torchtensor_t(of)); };
  }
  View flat() {
    return [this](int64_t of) { return keep(rt_torch_torchtensor_flatten(of)); };
  }
  /// A view of all elements.
  View itself() {
    return [this](int64_t of) { return keep(rt_torch_torchtensor_transpose(of, 0, 0)); };
  }

  struct Parameter {
    int64_t handle;
    std::vector<size_t> places;  ///< offsets of its elements in the memory
    double scale;
    std::vector<Rule::State> states;
  };
  static constexpr int64_t kRows = 4, kColumns = 6;

  /// Trains parameters that are `views` of one matrix. With `two`, a second optimizer has half of
  /// them.
  void train(const std::vector<View>& views, const Rule& rule, bool pending, bool two) {
    SCOPED_TRACE(rule.name + (pending ? ", pending" : "") + (two ? ", two optimizers" : ""));
    Doubles memory, numbers(kRows * kColumns);
    std::iota(numbers.begin(), numbers.end(), 0);
    for (const double number : numbers) memory.push_back(std::sin(number) + 2);
    int64_t all = tensor(memory, {kRows, kColumns});
    if (pending) all = scaled(all, 1);
    const int64_t numbered = tensor(numbers, {kRows, kColumns});
    std::vector<Parameter> parameters;
    std::vector<int64_t> handles[2];
    for (const View& view : views) {
      Parameter& one = parameters.emplace_back();
      one.handle = mark(view(all));
      for (const double place : read(view(numbered)))
        one.places.push_back(static_cast<size_t>(place));
      one.scale = 1.0 / static_cast<double>(parameters.size());
      one.states.resize(one.places.size());
      handles[two && parameters.size() > views.size() / 2].push_back(one.handle);
    }
    const int64_t row = keep(rt_torch_torchtensor_slice(all, 0, 1, 2, 1));
    std::vector<int64_t> optimizers;
    for (const auto& list : handles)
      if (!list.empty()) optimizers.push_back(rule.make(list));
    for (int steps = 1; steps <= 3; ++steps) {
      int64_t loss = 0;
      for (const Parameter& one : parameters) {
        const int64_t term =
            keep(rt_torch_torchtensor_sum_tensor(scaled(square(one.handle), one.scale)));
        loss = loss ? add(loss, term) : term;
      }
      rt_torch_autograd_backward(loss);
      for (const int64_t optimizer : optimizers)
        EXPECT_EQ(rt_torch_optimizer_step(optimizer), 0) << last_error();
      for (const int64_t optimizer : optimizers) rt_torch_optimizer_zero_grad(optimizer);
      const Doubles before = memory;
      for (Parameter& one : parameters) {
        for (size_t i = 0; i < one.places.size(); ++i) {
          double& value = memory[one.places[i]];
          value = rule.step(value, 2 * one.scale * before[one.places[i]], one.states[i], steps);
        }
      }
      if (steps == 2) continue;  // so that two steps share a batch
      EXPECT_THAT(read(all), near(memory));
      EXPECT_THAT(read(row),
                  near(Doubles(memory.begin() + kColumns, memory.begin() + 2 * kColumns)));
      for (const Parameter& one : parameters) {
        Doubles wanted;
        for (const size_t place : one.places) wanted.push_back(memory[place]);
        EXPECT_THAT(read(one.handle), near(wanted));
      }
      if (HasFailure()) break;
    }
    for (const int64_t optimizer : optimizers) EXPECT_EQ(rt_torch_optimizer_free(optimizer), 0);
  }
  void train_all(const std::vector<View>& views) {
    for (const Rule& rule : kRules)
      for (const bool pending : {false, true})
        for (const bool two : {false, true}) train(views, rule, pending, two);
  }

  /// Counts the nodes of the third step over `count` parameters, which `part` makes of a buffer.
  int64_t nodes_of_a_step(int64_t count, const View& make,
                          const std::function<int64_t(int64_t all, int64_t i)>& part) {
    const int64_t all = make(count);
    std::vector<int64_t> parameters;
    for (int64_t i = 0; i < count; ++i) parameters.push_back(mark(part(all, i)));
    const int64_t optimizer = rt_torch_sgd_new(parameters.data(), count, 0.1, 0, 0);
    int64_t nodes = 0;
    for (int step = 0; step < 3; ++step) {
      for (const int64_t one : parameters) backward_of_sum(one);
      rt_torch_flush();
      nodes = -rt_torch_stat("nodes");
      EXPECT_EQ(rt_torch_optimizer_step(optimizer), 0) << last_error();
      nodes += rt_torch_stat("nodes");
    }
    EXPECT_EQ(rt_torch_optimizer_free(optimizer), 0);
    return nodes;
  }
};
INSTANTIATE_TEST_SUITE_P(Policies, SharedMemory, each_policy(), name_of_policy);

TEST_P(SharedMemory, PartsThatAreApart) {
  train_all({then(flat(), slice(0, 0, 7)), then(flat(), slice(0, 7, 12)), slice(0, 2, 4)});
}

TEST_P(SharedMemory, ColumnsAndBlocks) {
  train_all({slice(1, 0, 1), then(slice(0, 0, 2), slice(1, 1, 4)), slice(1, 4, 6),
             then(slice(0, 2, 4), slice(1, 1, 4))});
}

TEST_P(SharedMemory, EverySecondElement) {
  train_all({then(flat(), slice(0, 0, 24, 2)), then(flat(), slice(0, 1, 24, 2))});
}

TEST_P(SharedMemory, OnesThatOverlap) {
  train_all({then(flat(), slice(0, 0, 10)), then(flat(), slice(0, 5, 20)), slice(1, 2, 5)});
}

TEST_P(SharedMemory, TheSameMemoryTwice) { train_all({itself(), itself()}); }

TEST_P(SharedMemory, TurnedViewsAndViewsOfViews) {
  train_all({then(turned(), slice(0, 1, 3)), then(then(slice(0, 1, 4), turned()), slice(1, 0, 2)),
             then(turned(), slice(1, 1, 3)), itself()});
}

TEST_P(SharedMemory, EmptyParts) { train_all({slice(0, 1, 1), slice(0, 1, 2), slice(1, 3, 3)}); }

TEST_P(SharedMemory, AStepOverSlicesOfOneBufferGrowsWithTheirNumber) {
  const View buffer = [this](int64_t count) {
    const int64_t sizes[] = {3 * count};
    return keep(rt_torch_tensor_ones(sizes, 1));
  };
  const auto part = [this](int64_t all, int64_t i) {
    return keep(rt_torch_torchtensor_slice(all, 0, 3 * i, 3 * i + 3, 1));
  };
  const int64_t few = nodes_of_a_step(40, buffer, part);
  EXPECT_LE(nodes_of_a_step(120, buffer, part), 3 * few);
  EXPECT_LE(few, 4 * 40);
}

TEST_P(SharedMemory, AStepOverColumnsOfOneMatrixGrowsWithTheirNumber) {
  const View matrix = [this](int64_t count) {
    const int64_t sizes[] = {5, count};
    return keep(rt_torch_tensor_ones(sizes, 2));
  };
  const auto part = [this](int64_t all, int64_t i) {
    return keep(rt_torch_torchtensor_slice(all, 1, i, i + 1, 1));
  };
  const int64_t few = nodes_of_a_step(40, matrix, part);
  EXPECT_LE(nodes_of_a_step(120, matrix, part), 3 * few);
  EXPECT_LE(few, 4 * 40);
}

// One call changes the mean and the variance in one buffer.
TEST_P(SharedMemory, StatisticsInOneBuffer) {
  const int64_t x = tensor({1, 10, 3, 30}, {2, 2}), all = tensor({0, 0, 1, 1}, {4});
  const int64_t mean = keep(rt_torch_torchtensor_slice(all, 0, 0, 2, 1));
  const int64_t var = keep(rt_torch_torchtensor_slice(all, 0, 2, 4, 1));
  keep(rt_torch_nn_batch_norm(x, mean, var, 0, 0, 1, 0.5, 1e-5));
  EXPECT_THAT(read(all), near({1, 10, 1.5, 100.5}));
  EXPECT_THAT(read(mean), near({1, 10}));
  EXPECT_THAT(read(var), near({1.5, 100.5}));
}

}  // namespace
}  // namespace rt_test
