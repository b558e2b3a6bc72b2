// training.cpp -- compares a golden network's gradients, or an optimizer's first steps.
#include "tests/mutation/training.h"

#include <gtest/gtest.h>

#include "frontend_abi/rt_torch.h"
#include "tests/support/call_by_name.h"
#include "tests/support/golden_calls.h"

namespace rt_test {
namespace {

void expect_near(int64_t handle, const Json& wanted) {
  expect_tensor(handle, wanted, default_tolerance(rt_torch_torchtensor_dtype(handle)));
}

void differentiate(const Json& one, const Scope& given) {
  const Json& expect = one["expect"];
  Scope forward(&given);
  forward.call(one["calls"]);
  const Handles losses = forward.all(one["losses"]);
  int64_t total = losses[0];
  for (size_t i = 1; i < losses.size(); ++i)
    total = forward.keep(rt_torch_torchtensor_add(total, losses[i]));
  rt_torch_autograd_backward(total);
  for (size_t i = 0; i < losses.size(); ++i) expect_near(losses[i], expect["losses"][i]);
  for (const auto& [name, wanted] : expect["gradients"].items()) {
    const int64_t gradient = forward.keep(rt_torch_autograd_grad(given[name]));
    ASSERT_EQ(gradient == 0, wanted.is_null());
    if (!wanted.is_null()) expect_near(gradient, wanted);
  }
  for (const auto& [name, wanted] : expect["after"].items()) expect_near(given[name], wanted);
}

int64_t make_optimizer(const Json& one, const Scope& given) {
  Handles parameters = given.all(one["leaves"]);
  const auto count = static_cast<int64_t>(parameters.size());
  Call call;
  call.add_list(std::move(parameters));
  call.add(count);
  for (const Json& setting : one["settings"]) call.add(setting.get<double>());
  const int64_t made = call.to(one["optimizer"], 'i').integer;
  const Json options = one.value("options", Json::object());
  for (const auto& [option, value] : options.items())
    EXPECT_EQ(rt_torch_optimizer_set_option(made, 0, option.c_str(), value), 0) << option;
  return made;
}

void optimize(const Json& one, const Scope& given) {
  const int64_t optimizer = make_optimizer(one, given);
  const Json& phase = one["phases"][0];
  const Json& saved = one["expect"][0];
  for (int64_t step = saved["step"]; step > 0; --step) {
    Scope forward(&given);
    EXPECT_EQ(rt_torch_optimizer_zero_grad(optimizer), 0);
    forward.call(phase["calls"]);
    rt_torch_autograd_backward(forward[phase["loss"]]);
    EXPECT_EQ(rt_torch_optimizer_step(optimizer), 0);
  }
  for (const Json& name : one["leaves"]) {
    Json wanted = one["tensors"][name.get<std::string>()];
    wanted["data"] = saved[name.get<std::string>()];
    expect_near(given[name], wanted);
  }
  EXPECT_EQ(rt_torch_optimizer_free(optimizer), 0);
}

}  // namespace

const std::vector<Json>& training_cases() {
  static const std::vector<Json> all = [] {
    std::vector<Json> list = golden_file("training/networks");
    for (const Json& one : golden_file("training/optimizers")) list.push_back(one);
    return list;
  }();
  return all;
}

void train(const Json& one) {
  Scope given;
  given.make(one["tensors"]);
  for (const int64_t leaf : given.all(one["leaves"])) rt_torch_autograd_set_requires_grad(leaf, 1);
  if (one.contains("optimizer")) optimize(one, given);
  else differentiate(one, given);
}

}  // namespace rt_test
