// growth_test.cpp -- the cost of calls with many handles, long chains of views and loops without
// reads. Processor time, with a wide margin, decides only where no counter can.
#include <malloc.h>
#include <time.h>

#include <functional>
#include <thread>

#include "tests/abi/rig.h"

namespace rt_test {
namespace {

using Growth = AbiTest;

/// Processor seconds of this thread for `work`, the least of three runs.
double seconds(const std::function<void()>& work) {
  const auto now = [] {
    timespec time{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
  };
  double best = 1e9;
  for (int i = 0; i < 3; ++i) {
    const double begin = now();
    work();
    best = std::min(best, now() - begin);
  }
  return best;
}

TEST_F(Growth, ACallInPlaceDoesNotLookAtAllHandles) {
  rt_torch_set_policy("data");
  Tensor x = full({2, 3}, 1), mean = full({3}, 0), var = full({3}, 1);
  const auto train = [&] {
    for (int i = 0; i < 100; ++i) Tensor(rt_torch_nn_batch_norm(x, mean, var, 0, 0, 1, 0.5, 1e-5));
    rt_torch_flush();
  };
  train();
  const double alone = seconds(train);
  std::vector<Tensor> others;
  for (int i = 0; i < 300'000; ++i) others.push_back(full({1}, 0));
  rt_torch_flush();
  EXPECT_LT(seconds(train), 10 * alone);
}

TEST_F(Growth, AStepOverPendingParametersDoesNotLookAtAllHandles) {
  rt_torch_set_policy("data");
  Tensor parameter = full({16}, 1);
  rt_torch_autograd_set_requires_grad(parameter, 1);
  const int64_t one[] = {parameter};
  const int64_t optimizer = rt_torch_sgd_new(one, 1, 0.01, 0, 0);
  const auto train = [&] {
    for (int i = 0; i < 20; ++i) {
      Tensor square = rt_torch_torchtensor_mul(parameter, parameter);
      Tensor loss = rt_torch_torchtensor_sum_tensor(square);
      rt_torch_optimizer_zero_grad(optimizer);
      rt_torch_autograd_backward(loss);
      EXPECT_EQ(rt_torch_optimizer_step(optimizer), 0);
    }
    rt_torch_flush();
  };
  train();
  const double alone = seconds(train);
  std::vector<Tensor> others;
  for (int i = 0; i < 300'000; ++i) others.push_back(full({1}, 0));
  rt_torch_flush();
  EXPECT_LT(seconds(train), 10 * alone);
  EXPECT_EQ(rt_torch_optimizer_free(optimizer), 0);
}

TEST_F(Growth, ViewsOfViewsCostWhatTheirNumberDoes) {
  rt_torch_set_policy("data");
  const auto chain = [](int length) {
    return [length] {
      const int64_t sizes[][2] = {{6, 4}, {4, 6}};
      Tensor last = full({4, 6}, 1);
      for (int i = 0; i < length; ++i)
        last = Tensor(rt_torch_torchtensor_view(last, sizes[i % 2], 2));
    };
  };
  EXPECT_LT(seconds(chain(16'000)), 64 * seconds(chain(1'000)));
  EXPECT_EQ(last_error(), "");
}

TEST_F(Growth, AnOptimizerOverManyParameters) {
  std::vector<Tensor> parameters;
  std::vector<int64_t> handles;
  for (int i = 0; i < 50'000; ++i) {
    parameters.push_back(full({1}, 0));
    rt_torch_autograd_set_requires_grad(parameters.back(), 1);
    handles.push_back(parameters.back());
  }
  const auto make = [&](int64_t count) {
    return [&, count] {
      EXPECT_EQ(rt_torch_optimizer_free(rt_torch_sgd_new(handles.data(), count, 0.1, 0, 0)), 0);
    };
  };
  EXPECT_LT(seconds(make(50'000)), 150 * seconds(make(2'000)));
}

/// Seconds for repeated work over `count` things, until `total` things are done.
double evenly(int64_t count, int64_t total, const std::function<void()>& work) {
  return seconds([&] {
    for (int64_t done = 0; done < total; done += count) work();
  });
}
/// `count` leaves that are slices of one buffer, each with its own handle.
std::vector<Tensor> slices(int64_t count) {
  Tensor whole = rt_torch_tensor_full(&count, 1, 1);
  rt_torch_flush();
  std::vector<Tensor> slices;
  for (int64_t i = 0; i < count; ++i) {
    slices.push_back(rt_torch_torchtensor_slice(whole, 0, i, i + 1, 1));
    rt_torch_autograd_set_requires_grad(slices.back(), 1);
  }
  return slices;
}
int64_t sgd_over(const std::vector<Tensor>& parameters) {
  const std::vector<int64_t> handles(parameters.begin(), parameters.end());
  return rt_torch_sgd_new(handles.data(), static_cast<int64_t>(handles.size()), 0.1, 0, 0);
}

TEST_F(Growth, AnOptimizerOverSlicesFindsTheHandlesThatAreLeft) {
  rt_torch_set_policy("data");
  const auto cost = [](int64_t count) {
    std::vector<Tensor> parameters = slices(count);
    const int64_t optimizer = sgd_over(parameters);
    const double taken = evenly(count, 64'000, [&] {
      for (Tensor& parameter : parameters)  // frees the handle that the optimizer was given
        parameter = Tensor(rt_torch_torchtensor_contiguous(parameter));
      EXPECT_EQ(rt_torch_optimizer_zero_grad(optimizer), 0);
    });
    EXPECT_EQ(rt_torch_optimizer_free(optimizer), 0);
    return taken;
  };
  EXPECT_LT(cost(32'000), 8 * cost(1'000));
}

TEST_F(Growth, AnOptimizerOverSlicesThatNoHandleStandsFor) {
  rt_torch_set_policy("data");
  const auto cost = [](int64_t count) {
    std::vector<Tensor> parameters = slices(count), squares;
    const int64_t optimizer = sgd_over(parameters);
    for (int64_t i = 0; i < count / 2; ++i) {  // the graph keeps their values for a backward pass
      Tensor& parameter = parameters[static_cast<size_t>(i)];
      squares.push_back(rt_torch_torchtensor_mul(parameter, parameter));
      parameter.free();
    }
    rt_torch_flush();
    const double taken = evenly(count, 64'000, [&] {
      EXPECT_EQ(rt_torch_optimizer_zero_grad(optimizer), 0);
      EXPECT_EQ(rt_torch_optimizer_step(optimizer), 0);
    });
    EXPECT_EQ(rt_torch_optimizer_free(optimizer), 0);
    return taken;
  };
  EXPECT_LT(cost(32'000), 8 * cost(1'000));
}

TEST_F(Growth, AStepThatFailsGoesThroughOptimizersOnce) {
  rt_torch_set_policy("data");
  const auto leaves = [](int count) {
    std::vector<Tensor> leaves;
    for (int i = 0; i < count; ++i) {
      leaves.push_back(full({2}, 1));
      rt_torch_autograd_set_requires_grad(leaves.back(), 1);
    }
    rt_torch_flush();
    return leaves;
  };
  const std::vector<Tensor> parameters = leaves(1'000);
  const std::vector<int64_t> handles(parameters.begin(), parameters.end());
  const auto count = static_cast<int64_t>(handles.size());
  const int64_t adam = rt_torch_adam_new(handles.data(), count, 0.01, 0.9, 0.99, 1e-8, 0);
  std::vector<int64_t> classes(handles.size());
  classes[1] = 9;
  Tensor labels = rt_torch_tensor_from_i64_data(classes.data(), count, &count, 1);
  const auto fail = [&] {
    rt_torch_optimizer_zero_grad(adam);
    Tensor rows = rt_torch_torchtensor_stack(handles.data(), count, 0);
    Tensor loss = rt_torch_nn_cross_entropy_tensor(rows, labels);
    rt_torch_autograd_backward(loss);
    EXPECT_EQ(rt_torch_optimizer_step(adam), 0);
    // A read runs the batch on this thread, whose time is measured.
    EXPECT_THAT(values(parameters[0]), testing::ElementsAre(1, 1));
    EXPECT_EQ(rt_torch_sync(), 0);
    rt_torch_clear_error();
  };
  const double alone = seconds(fail);
  const std::vector<Tensor> others = leaves(200'000);
  const int64_t sgd = sgd_over(others);
  EXPECT_LT(seconds(fail), 5 * alone);
  EXPECT_EQ(rt_torch_optimizer_free(sgd), 0);
  EXPECT_EQ(rt_torch_optimizer_free(adam), 0);
}

TEST_F(Growth, AStepOverCopiesOfOnePendingValue) {
  rt_torch_set_policy("data");
  const auto cost = [](int64_t count) {
    return evenly(count, 1'600, [count] {
      Tensor source = full({4, 3}, 1), across = rt_torch_torchtensor_transpose(source, 0, 1);
      std::vector<Tensor> parameters, others;
      const int64_t size = 12;
      for (int64_t i = 0; i < count; ++i) {
        parameters.push_back(rt_torch_torchtensor_reshape(across, &size, 1));
        rt_torch_autograd_set_requires_grad(parameters.back(), 1);
        others.push_back(rt_torch_torchtensor_contiguous(parameters.back()));
      }
      const std::vector<int64_t> handles(parameters.begin(), parameters.end());
      const int64_t optimizer = sgd_over(parameters);
      Tensor rows = rt_torch_torchtensor_stack(handles.data(), count, 0);
      Tensor loss = rt_torch_torchtensor_sum_tensor(rows);
      rt_torch_autograd_backward(loss);
      EXPECT_EQ(rt_torch_optimizer_step(optimizer), 0);
      EXPECT_THAT(values(others.back()), testing::Each(testing::FloatEq(0.9f)));
      EXPECT_EQ(rt_torch_optimizer_free(optimizer), 0);
    });
  };
  EXPECT_LT(cost(1'600), 6 * cost(100));
}

TEST_F(Growth, ABatchWithManyFailures) {
  rt_torch_set_policy("data");
  Tensor x = full({2, 4}, 1), classes = from_i64({0, 9});
  rt_torch_flush();
  const auto cost = [&](int64_t count) {
    double taken = 0;
    std::thread([&] {  // its end drops unreported failures
      taken = evenly(count, 40'000, [&] {
        std::vector<Tensor> losses;
        for (int64_t line = 0; line < count; ++line) {
          rt_torch_set_location("a.spl", line);
          losses.push_back(rt_torch_nn_cross_entropy_tensor(x, classes));
        }
        float loss = 0;
        EXPECT_EQ(rt_torch_copy_data(losses[0], &loss, 1, 0), -1);  // runs on this thread
      });
    })
        .join();
    return taken;
  };
  EXPECT_LT(cost(40'000), 3 * cost(500));
}

TEST_F(Growth, PlacesWithoutEnd) {
  const auto record = [](int from, int count) {
    for (int line = from; line < from + count; ++line) {
      rt_torch_set_location("somewhere/in/a/large/program/of/many/files.spl", line);
      Tensor one = full({1}, 1);
      if (line % 1000 == 0) rt_torch_flush();
    }
  };
  record(0, 40'000);
  const size_t before = mallinfo2().uordblks;
  record(40'000, 400'000);
  EXPECT_LT(mallinfo2().uordblks, before + (16u << 20)) << "they take 100 bytes each and more";
  Tensor one = full({1}, 1);
  EXPECT_NE(std::string(rt_torch_graph_text()).find("files.spl:439999"), std::string::npos);
  rt_torch_set_location("", 0);
}

/// Counts of a loop without reads: batches, cache hits, and the most nodes that were pending.
struct Course {
  int64_t batches, hits, most;
};
Course course(int steps, const std::function<void(int)>& step) {
  rt_torch_stats_reset();
  int64_t most = 0;
  for (int i = 0; i < steps; ++i) {
    step(i);
    most = std::max(most, rt_torch_pending());
  }
  const Course course{stat("forced_by_limit"), stat("cache_hits"), most};
  EXPECT_EQ(stat("batches"), course.batches);
  rt_torch_flush();
  return course;
}
constexpr int64_t kSoft = 65'536;

TEST_F(Growth, ALoopWithoutSeamsIsCutInItsFirstBatch) {
  rt_torch_set_policy("data");
  Tensor weight = full({4}, 1), rate = full({4}, 1e-3);
  const Course loop = course(150'000, [&](int) {
    Tensor step = rt_torch_torchtensor_mul(weight, rate);
    Tensor half = rt_torch_torchtensor_mul_scalar(step, 0.5);
    weight = Tensor(rt_torch_torchtensor_sub(weight, half));
  });
  EXPECT_LT(loop.most, 2 * kSoft);
  EXPECT_GE(loop.batches, 4);
  EXPECT_GE(loop.hits, loop.batches - 2);
}

// Layers repeat within a round, but a boundary between two of them is none of the loop.
TEST_F(Growth, ALoopOverLayersIsCutByItsRounds) {
  rt_torch_set_policy("data");
  Tensor weight = full({4, 4}, 0.1), x = full({4, 4}, 1), start = full({4, 4}, 1);
  const Course loop = course(900, [&](int) {
    for (int layer = 0; layer < 100; ++layer) {
      Tensor product = rt_torch_torchtensor_matmul(x, weight);
      Tensor biased = rt_torch_torchtensor_add(product, weight);
      Tensor bent = rt_torch_torchtensor_tanh(biased);
      x = Tensor(rt_torch_torchtensor_mul(bent, start));
      Tensor more = rt_torch_torchtensor_add(x, x);
      x = std::move(more);
    }
    Tensor total = rt_torch_torchtensor_sum_dim(x, 1, 0);
    x = Tensor(rt_torch_torchtensor_mul(total, start));
  });
  EXPECT_LT(loop.most, 2 * kSoft);
  EXPECT_GE(loop.batches, 4);
  EXPECT_GE(loop.hits, loop.batches - 2);
}

TEST_F(Growth, ALongPrologueIsNoHindrance) {
  rt_torch_set_policy("data");
  Tensor weight = full({4}, 1), rate = full({4}, 1e-3);
  const Course loop = course(150'000, [&](int i) {
    if (i < 30'000) {  // none of these steps repeats
      Tensor odd = full({1 + i % 977}, 1), scaled = rt_torch_torchtensor_mul_scalar(odd, i);
      Tensor sum = rt_torch_torchtensor_sum_tensor(scaled);
      weight = Tensor(rt_torch_torchtensor_add(weight, sum));
      return;
    }
    Tensor step = rt_torch_torchtensor_mul(weight, rate);
    Tensor half = rt_torch_torchtensor_mul_scalar(step, 0.5);
    weight = Tensor(rt_torch_torchtensor_sub(weight, half));
  });
  EXPECT_LT(loop.most, 4 * kSoft);
  EXPECT_GE(loop.hits, 2);
}

}  // namespace
}  // namespace rt_test
