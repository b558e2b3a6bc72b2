// out_of_memory_test.cpp -- programs in which each allocation fails in turn. Each time they must
// give an error or right results, must not hang, abort or leak, and must work afterwards.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "rt_torch.h"
#include "tests/memory/failing_malloc.h"

namespace rt_test {
namespace {

/// Results of a program, and the handles to free. Reserves its memory before allocations fail.
struct Outcome {
  Outcome() {
    found.reserve(400);
    handles.reserve(400);
  }
  std::vector<double> found;
  std::vector<int64_t> handles;
  int64_t keep(int64_t handle) {
    if (handle != 0) handles.push_back(handle);
    return handle;
  }
  void read(int64_t handle) { found.push_back(rt_torch_torchtensor_sum(handle)); }
};
using Program = void (*)(Outcome&);

/// Files that the programs write.
struct Files {
  Files() {
    folder = (std::filesystem::temp_directory_path() / "rt_torch_XXXXXX").string();
    if (!mkdtemp(folder.data())) std::abort();
    json = folder + "/graph.json";
    html = folder + "/graph.html";
    script = folder + "/graph.txt";
    tensor = folder + "/tensor.pt";
  }
  ~Files() { std::filesystem::remove_all(folder); }
  std::string folder, json, html, script, tensor;
} files;

int64_t full(int64_t rows, int64_t columns, double value) {
  const int64_t sizes[] = {rows, columns};
  return rt_torch_tensor_full(sizes, 2, value);
}

void chain(Outcome& run) {
  int64_t x = run.keep(full(3, 4, 0.5));
  for (int i = 0; i < 12; ++i) {
    x = run.keep(rt_torch_torchtensor_add_scalar(x, 1));
    x = run.keep(rt_torch_torchtensor_tanh(x));
  }
  run.read(x);
}

void views(Outcome& run) {
  const double data[] = {1, 2, 3, 4, 5, 6, 7, 8};
  const int64_t sizes[] = {2, 4}, wide[] = {1, 2, 1, 2, 1, 2, 1};
  const int64_t x = run.keep(rt_torch_tensor_from_data(data, 8, sizes, 2));
  const int64_t t = run.keep(rt_torch_torchtensor_t(x));
  const int64_t seven = run.keep(rt_torch_torchtensor_reshape(t, wide, 7));
  const int64_t both[] = {x, run.keep(rt_torch_torchtensor_mul(x, x))};
  const int64_t cat = run.keep(rt_torch_torchtensor_cat(both, 2, 0));
  int64_t pieces[4] = {};
  rt_torch_torchtensor_chunk(cat, 4, 0, pieces, 4);
  for (const int64_t piece : pieces) run.keep(piece);
  run.read(seven);
  run.read(pieces[3]);
  run.found.push_back(static_cast<double>(rt_torch_torchtensor_shape_dim(cat, 0)));
  float values[8] = {};
  rt_torch_copy_data(both[1], values, 8, 0);
  for (const float value : values) run.found.push_back(value);
}

void training(Outcome& run) {
  const int64_t weight = run.keep(full(4, 3, 0.25)),
                bias = run.keep(rt_torch_torchtensor_sum_dim(run.keep(full(1, 4, 0)), 0, 0));
  rt_torch_autograd_set_requires_grad(weight, 1);
  rt_torch_autograd_set_requires_grad(bias, 1);
  const int64_t parameters[] = {weight, bias};
  const int64_t optimizer = rt_torch_adam_new(parameters, 2, 0.1, 0.9, 0.999, 1e-8, 0.01);
  for (int step = 0; step < 3; ++step) {
    const int64_t x = run.keep(full(5, 3, step + 1)), y = run.keep(full(5, 4, 2));
    const int64_t hidden = run.keep(rt_torch_nn_linear(x, weight, bias));
    const int64_t out = run.keep(rt_torch_torchtensor_gelu(hidden));
    const int64_t loss = run.keep(rt_torch_nn_mse_loss_tensor(out, y));
    rt_torch_optimizer_zero_grad(optimizer);
    rt_torch_autograd_backward(loss);
    rt_torch_optimizer_step(optimizer);
    run.read(loss);
  }
  run.keep(rt_torch_autograd_grad(weight));
  run.read(weight);
  run.read(bias);
  if (optimizer != 0) rt_torch_optimizer_free(optimizer);
}

void in_place(Outcome& run) {
  const int64_t input_sizes[] = {2, 3, 2, 2}, channels[] = {3};
  const int64_t input = run.keep(rt_torch_tensor_full(input_sizes, 4, 3));
  const auto vector = [&](double value) {
    return run.keep(rt_torch_tensor_full(channels, 1, value));
  };
  const int64_t mean = vector(0), variance = vector(1), weight = vector(1), bias = vector(0);
  const int64_t seen = run.keep(rt_torch_torchtensor_slice(mean, 0, 1, 3, 1));
  for (int i = 0; i < 2; ++i)
    run.read(run.keep(rt_torch_nn_batch_norm(input, mean, variance, weight, bias, 1, 0.5, 1e-5)));
  run.read(mean);
  run.read(variance);
  run.read(seen);
}

/// One step's label is out of range, so that its changes are undone.
void failing_step(Outcome& run) {
  const int64_t weight = run.keep(full(4, 3, 0.25)),
                seen = run.keep(rt_torch_torchtensor_t(weight));
  rt_torch_autograd_set_requires_grad(weight, 1);
  const int64_t optimizer = rt_torch_adam_new(&weight, 1, 0.1, 0.9, 0.999, 1e-8, 0.01), two = 2;
  for (const int64_t label : {2, 9, 0}) {
    const int64_t labels[] = {1, label};
    const int64_t x = run.keep(full(2, 3, 0.5)),
                  y = run.keep(rt_torch_tensor_from_i64_data(labels, 2, &two, 1));
    const int64_t out = run.keep(rt_torch_nn_linear(x, weight, 0));
    const int64_t loss = run.keep(rt_torch_nn_cross_entropy_tensor(out, y));
    rt_torch_optimizer_zero_grad(optimizer);
    rt_torch_autograd_backward(loss);
    rt_torch_optimizer_step(optimizer);
    run.found.push_back(rt_torch_sync());
  }
  run.read(weight);
  run.read(seen);
  if (optimizer != 0) rt_torch_optimizer_free(optimizer);
}

/// Parameters that share memory, and overlap.
void shared_memory(Outcome& run) {
  const int64_t all = run.keep(full(4, 4, 0.5));
  const int64_t parameters[] = {run.keep(rt_torch_torchtensor_slice(all, 0, 0, 2, 1)),
                                run.keep(rt_torch_torchtensor_slice(all, 0, 2, 4, 1)),
                                run.keep(rt_torch_torchtensor_slice(all, 1, 1, 3, 1))};
  for (const int64_t parameter : parameters) rt_torch_autograd_set_requires_grad(parameter, 1);
  const int64_t optimizer = rt_torch_sgd_new(parameters, 3, 0.1, 0.9, 0.01);
  for (int step = 0; step < 2; ++step) {
    const int64_t rows = run.keep(rt_torch_torchtensor_mul(parameters[0], parameters[1])),
                  columns = run.keep(rt_torch_torchtensor_t(parameters[2]));
    const int64_t loss = run.keep(rt_torch_nn_mse_loss_tensor(rows, columns));
    rt_torch_optimizer_zero_grad(optimizer);
    rt_torch_autograd_backward(loss);
    rt_torch_optimizer_step(optimizer);
  }
  run.read(all);
  for (const int64_t parameter : parameters) run.read(parameter);
  if (optimizer != 0) rt_torch_optimizer_free(optimizer);
}

void random_numbers(Outcome& run) {
  const int64_t sizes[] = {3, 5};
  rt_torch_manual_seed(3);
  const int64_t x = run.keep(rt_torch_tensor_rand(sizes, 2));
  rt_torch_autograd_set_requires_grad(x, 1);
  const int64_t dropped = run.keep(rt_torch_nn_dropout(x, 0.5, 1));
  const int64_t sum = run.keep(rt_torch_torchtensor_mul(dropped, dropped));
  run.read(sum);
  run.read(run.keep(rt_torch_tensor_randn(sizes, 2)));
}

void looking(Outcome& run) {
  rt_torch_set_location("a_program_with_a_long_name_that_takes_memory.c", 17);
  const int64_t x = run.keep(full(2, 2, 2));
  rt_torch_set_label(x, "a label that is too long to be kept in place");
  const int64_t y = run.keep(rt_torch_torchtensor_exp(x));
  run.found.push_back(rt_torch_graph_text()[0] != '\0');
  run.found.push_back(rt_torch_graph_dump(files.json.c_str(), "json"));
  run.found.push_back(rt_torch_graph_dump(files.html.c_str(), "html"));
  if (rt_torch_backend()[0] == 'l')
    run.found.push_back(rt_torch_graph_dump(files.script.c_str(), "torchscript"));
  run.read(y);
  run.found.push_back(rt_torch_stats_json()[0] != '\0');
  rt_torch_set_location("", 0);
}

void wrong_calls(Outcome& run) {
  const int64_t a = run.keep(full(2, 3, 1)), b = run.keep(full(4, 5, 1));
  run.found.push_back(static_cast<double>(run.keep(rt_torch_torchtensor_matmul(a, b))));
  const int64_t index_data[] = {7}, one = 1;
  const int64_t index = run.keep(rt_torch_tensor_from_i64_data(index_data, 1, &one, 1));
  run.keep(rt_torch_torchtensor_index_select(a, 0, index));
  rt_torch_flush();
  run.found.push_back(static_cast<double>(rt_torch_sync()));
  run.read(b);
}

/// Large enough for the library's thread with RT_TORCH_ASYNC.
void large(Outcome& run) {
  int64_t x = run.keep(full(600, 600, 0.5));
  for (int i = 0; i < 3; ++i) {
    x = run.keep(rt_torch_torchtensor_mul(x, x));
    x = run.keep(rt_torch_torchtensor_add_scalar(x, 1));
    rt_torch_flush();
  }
  run.read(x);
  rt_torch_sync();
}

/// A step that writes over several large parameters. Without memory for the second one it must
/// leave the first one unchanged.
void large_step(Outcome& run) {
  const int64_t parameters[] = {run.keep(full(300, 300, 0.5)), run.keep(full(280, 300, 2))};
  for (const int64_t parameter : parameters) rt_torch_autograd_set_requires_grad(parameter, 1);
  const int64_t optimizer = rt_torch_adam_new(parameters, 2, 0.1, 0.9, 0.999, 1e-8, 0.01);
  for (int step = 0; step < 4; ++step) {
    rt_torch_optimizer_zero_grad(optimizer);
    for (const int64_t parameter : parameters) {
      const int64_t square = run.keep(rt_torch_torchtensor_mul(parameter, parameter));
      rt_torch_autograd_backward(run.keep(rt_torch_torchtensor_sum_tensor(square)));
    }
    rt_torch_optimizer_step(optimizer);
    rt_torch_flush();
  }
  rt_torch_sync();
  for (const int64_t parameter : parameters) run.read(parameter);
  if (optimizer != 0) rt_torch_optimizer_free(optimizer);
}

void saving(Outcome& run) {
  const int64_t x = run.keep(full(3, 2, 1.5));
  rt_torch_tensor_save(x, files.tensor.c_str());
  run.read(run.keep(rt_torch_tensor_load(files.tensor.c_str())));
}

constexpr std::pair<const char*, Program> kPrograms[] = {
    {"Chain", chain},
    {"Views", views},
    {"Training", training},
    {"InPlace", in_place},
    {"Random", random_numbers},
    {"Looking", looking},
    {"Wrong", wrong_calls},
    {"Large", large},
    {"LargeStep", large_step},
    {"Saving", saving},
    {"FailingStep", failing_step},
    {"SharedMemory", shared_memory},
};

struct Case {
  size_t program;
  const char* policy;
  Fail how;
};

class OutOfMemory : public testing::TestWithParam<Case> {};

/// Runs the program from its first batch to its compiled form.
void run_all(Program program, Outcome& all) {
  for (int i = 0; i < 3; ++i) program(all);
}

void give_back(Outcome& run) {
  for (const int64_t handle : run.handles) rt_torch_torchtensor_free(handle);
  run.handles.clear();
  rt_torch_sync();
  rt_torch_clear_error();
  rt_torch_sync();
}

TEST_P(OutOfMemory, IsAnErrorAndNoMore) {
  const Case& at = GetParam();
  const Program program = kPrograms[at.program].second;
  const char* const chosen = std::getenv("RT_TORCH_BACKEND");
  const char* const backend = chosen ? chosen : "auto";
  ASSERT_EQ(rt_torch_set_backend(backend), 1) << rt_torch_last_error();
  ASSERT_EQ(rt_torch_set_policy(at.policy), 1);
  Outcome warm;
  run_all(program, warm);
  const std::vector<double> wanted = warm.found;
  give_back(warm);
  const auto is_right = [&](const Outcome& run) {
    return run.found.size() <= wanted.size() &&
           std::equal(run.found.begin(), run.found.end(), wanted.begin());
  };
  const int64_t handles = rt_torch_live_handles();
  // Each allocation fails in turn once everything is compiled. A compilation makes too many, so
  // that it is tested with as many as time permits.
  const bool each = std::getenv("RT_TEST_EACH_ALLOCATION") != nullptr;
  for (const bool cold : {false, true}) {
    for (int64_t passing = 0;; passing += cold && !each ? 1 + passing / 20 : 1) {
      SCOPED_TRACE(testing::Message() << passing << (cold ? ", cold" : ", warm"));
      if (cold) {
        ASSERT_EQ(rt_torch_set_backend(backend), 1) << rt_torch_last_error();
      }
      rt_torch_stats_reset();
      const int64_t bytes = rt_torch_stat("live_bytes");
      Outcome run, again;
      alarm(200);
      fail_after(passing, at.how);
      if (cold) run_all(program, run);
      else program(run);
      const int64_t failed = fail_no_more();
      EXPECT_TRUE(rt_torch_stat("errors") > 0 || is_right(run));
      give_back(run);
      EXPECT_EQ(rt_torch_live_handles(), handles);
      EXPECT_EQ(rt_torch_stat("pending_nodes"), 0);
      EXPECT_EQ(rt_torch_stat("nodes"), rt_torch_stat("batch_nodes") + rt_torch_stat("dead_nodes"));
      EXPECT_EQ(rt_torch_stat("live_bytes"), bytes);
      program(again);
      EXPECT_TRUE(is_right(again)) << rt_torch_last_error();
      give_back(again);
      alarm(0);
      if (HasFailure()) return;
      if (failed == 0) break;
    }
  }
}

std::vector<Case> cases() {
  std::vector<Case> all;
  for (size_t program = 0; program < std::size(kPrograms); ++program)
    for (const char* policy : {"observe", "eager"})
      for (const Fail how : {Fail::Once, Fail::FromThereOn}) all.push_back({program, policy, how});
  return all;
}

INSTANTIATE_TEST_SUITE_P(All, OutOfMemory, testing::ValuesIn(cases()), [](const auto& info) {
  return std::string(kPrograms[info.param.program].first) + "_" + info.param.policy +
         (info.param.how == Fail::Once ? "_Once" : "_FromThereOn");
});

}  // namespace
}  // namespace rt_test
