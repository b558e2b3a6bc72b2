// optimizers_test.cpp -- compares parameters after 100 steps with those of torch.optim.
#include <string>
#include <vector>

#include "tests/abi/rig.h"
#include "tests/support/call_by_name.h"
#include "tests/support/golden_calls.h"

namespace rt_test {
namespace {

const std::vector<Json>& trajectories() {
  static const std::vector<Json> all = golden_file("training/optimizers");
  return all;
}

/// Recorded work runs at a read in each step, or when parameters are compared.
enum class Reads { EachStep, Saved };

class Optimizers : public AbiTest, public testing::WithParamInterface<size_t> {
 protected:
  int64_t make_optimizer(const Scope& given) {
    Handles parameters = given.all(one_["leaves"]);
    const auto count = static_cast<int64_t>(parameters.size());
    Call call;
    call.add_list(std::move(parameters));
    call.add(count);
    for (const Json& setting : one_["settings"]) call.add(setting.get<double>());
    const int64_t made = call.to(one_["optimizer"], 'i').integer;
    const Json options = one_.value("options", Json::object());
    for (const auto& [option, value] : options.items())
      EXPECT_EQ(rt_torch_optimizer_set_option(made, 0, option.c_str(), value), 0) << option;
    return made;
  }
  static void step(const Scope& given, const Json& phase, int64_t optimizer, Reads reads) {
    Scope forward(&given);
    EXPECT_EQ(rt_torch_optimizer_zero_grad(optimizer), 0);
    forward.call(phase["calls"]);
    rt_torch_autograd_backward(forward[phase["loss"]]);
    EXPECT_EQ(rt_torch_optimizer_step(optimizer), 0);
    if (reads == Reads::EachStep) rt_torch_torchtensor_item(forward[phase["loss"]]);
    ASSERT_EQ(last_error(), "");
  }
  void expect_parameters(const Scope& given, const Json& saved) {
    SCOPED_TRACE("step " + saved["step"].dump());
    for (const Json& name : one_["leaves"]) {
      SCOPED_TRACE(name.get<std::string>());
      Json wanted = one_["tensors"][name.get<std::string>()];
      wanted["data"] = saved[name.get<std::string>()];
      const bool single = wanted["dtype"] == "f32";
      const double tolerance = single ? 1e-5 : 1e-12;
      expect_tensor(given[name], wanted, {tolerance, tolerance});
    }
  }
  void play(Reads reads) {
    Scope given;
    given.make(one_["tensors"]);
    for (const int64_t leaf : given.all(one_["leaves"]))
      rt_torch_autograd_set_requires_grad(leaf, 1);
    const int64_t optimizer = make_optimizer(given);
    ASSERT_GT(optimizer, 0) << last_error();
    auto saved = one_["expect"].begin();
    int done = 0;
    for (const Json& phase : one_["phases"]) {
      if (phase.contains("learning_rate")) {
        EXPECT_EQ(rt_torch_optimizer_set_lr(optimizer, phase["learning_rate"]), 0);
      }
      for (int64_t i = phase["steps"]; i > 0; --i) {
        step(given, phase, optimizer, reads);
        if ((*saved)["step"] != ++done) continue;
        expect_parameters(given, *saved++);
        if (HasFailure()) break;
      }
    }
    EXPECT_EQ(rt_torch_optimizer_free(optimizer), 0);
  }

  const Json& one_ = trajectories().at(GetParam());
};

TEST_P(Optimizers, GoWherePyTorchsGo) {
  for (const char* policy : {"observe", "data", "eager"})
    for (const Reads reads : {Reads::EachStep, Reads::Saved}) {
      SCOPED_TRACE(std::string(policy) + (reads == Reads::Saved ? ", parameters alone read" : ""));
      ASSERT_EQ(rt_torch_set_policy(policy), 1) << last_error();
      play(reads);
      if (HasFailure()) return;
    }
}

INSTANTIATE_TEST_SUITE_P(Golden, Optimizers, testing::Range(size_t{0}, trajectories().size()),
                         [](const auto& test) {
                           return trajectories()[test.param]["name"].template get<std::string>();
                         });

}  // namespace
}  // namespace rt_test
