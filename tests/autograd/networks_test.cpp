// networks_test.cpp -- gradients of the golden networks under every policy, for forward passes
// that have run, whose values were freed, or that are recorded again.
#include <map>
#include <string>
#include <vector>

#include "tests/abi/rig.h"
#include "tests/support/golden_calls.h"

namespace rt_test {
namespace {

const std::vector<Json>& networks() {
  static const std::vector<Json> all = golden_file("training/networks");
  return all;
}

/// A way to compute the leaves' gradients.
struct Way {
  const char* name;
  bool read = false;   ///< losses are read before backward, which runs the forward pass
  bool freed = false;  ///< all but the leaves and the loss are freed before backward
  bool apart = false;  ///< each loss has its own forward and backward pass
  int times = 1;       ///< passes, whose gradients add up
  bool at_once() const { return !read && !freed && !apart && times == 1; }
};
constexpr Way kWays[] = {
    {.name = "recorded whole"},
    {.name = "forward read first", .read = true},
    {.name = "values freed first", .freed = true},
    {.name = "read and freed first", .read = true, .freed = true},
    {.name = "each loss by itself", .apart = true},
    {.name = "twice", .times = 2},
    {.name = "twice, read and freed first", .read = true, .freed = true, .times = 2},
};

class Networks : public AbiTest, public testing::WithParamInterface<size_t> {
 protected:
  /// Forward and backward pass; several losses are summed.
  void descend(const Scope& given, const Way& way) {
    Scope forward(&given);
    forward.call(one_["calls"]);
    const Handles losses = forward.all(one_["losses"]);
    int64_t total = losses[0];
    for (size_t i = 1; i < losses.size(); ++i)
      total = forward.keep(rt_torch_torchtensor_add(total, losses[i]));
    if (way.read) expect_losses(losses);
    if (way.freed) forward.free(total);
    rt_torch_autograd_backward(total);
    EXPECT_EQ(last_error(), "");
    if (way.at_once()) expect_gradients(given, way);
    if (!way.freed) expect_losses(losses);
  }
  void descend_apart(const Scope& given) {
    for (const Json& loss : one_["losses"]) {
      Scope forward(&given);
      forward.call(one_["calls"]);
      rt_torch_autograd_backward(forward[loss]);
      EXPECT_EQ(last_error(), "");
    }
  }

  void expect_losses(const Handles& losses) {
    for (size_t i = 0; i < losses.size(); ++i) expect_near(losses[i], expect()["losses"][i]);
  }
  void expect_gradients(const Scope& given, const Way& way) {
    const Json& wanted = expect()["gradients"];
    std::map<std::string, Tensor> gradients;
    for (const auto& [name, one] : wanted.items())
      gradients[name] = Tensor(rt_torch_autograd_grad(given[name]));
    for (const auto& [name, gradient] : gradients) {
      SCOPED_TRACE(name);
      EXPECT_EQ(gradient == 0, wanted[name].is_null()) << last_error();
      if (gradient > 0 && !wanted[name].is_null()) expect_near(gradient, wanted[name], way.times);
    }
  }
  static void expect_near(int64_t handle, const Json& wanted, double factor = 1) {
    const int64_t dtype = rt_torch_torchtensor_dtype(handle);
    expect_tensor(handle, wanted, default_tolerance(dtype), factor);
  }

  void play(const Way& way, bool one_batch) {
    Scope given;
    given.make(one_["tensors"]);
    for (const Json& leaf : one_["leaves"]) rt_torch_autograd_set_requires_grad(given[leaf], 1);
    const int64_t batches = stat("batches");
    for (int i = 0; i < way.times; ++i) {
      if (way.apart) descend_apart(given);
      else descend(given, way);
    }
    if (one_batch && way.at_once()) {
      EXPECT_EQ(stat("batches"), batches + 1);
    }
    expect_gradients(given, way);
    if (way.apart || way.times > 1) return;
    for (const auto& [name, wanted] : expect()["after"].items()) {
      SCOPED_TRACE(name);
      expect_near(given[name], wanted);
    }
  }
  const Json& expect() const { return one_["expect"]; }

  const Json& one_ = networks().at(GetParam());
};

TEST_P(Networks, HavePyTorchsGradients) {
  for (const char* policy : {"observe", "data", "eager"}) {
    SCOPED_TRACE(policy);
    ASSERT_EQ(rt_torch_set_policy(policy), 1) << last_error();
    for (const Way& way : kWays)
      for (int i = 0; i < 2; ++i) {  // the second time compiled
        SCOPED_TRACE(std::string(way.name) + (i == 0 ? "" : ", again"));
        play(way, policy != std::string("eager"));
        if (HasFailure()) return;
      }
  }
}

INSTANTIATE_TEST_SUITE_P(Golden, Networks, testing::Range(size_t{0}, networks().size()),
                         [](const auto& test) {
                           return networks()[test.param]["name"].template get<std::string>();
                         });

}  // namespace
}  // namespace rt_test
