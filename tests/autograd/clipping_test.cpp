// clipping_test.cpp -- calls that bound the gradients of leaves.
#include <cmath>
#include <limits>

#include "tests/autograd/rig.h"

namespace rt_test {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

class Clipping : public GradTest {
 protected:
  /// Leaves with these gradients.
  std::vector<int64_t> leaves(const std::vector<Doubles>& gradients) {
    std::vector<int64_t> all;
    for (const Doubles& gradient : gradients) {
      all.push_back(leaf(Doubles(gradient.size(), 1)));
      const auto count = static_cast<int64_t>(gradient.size());
      backward_of_sum(mul(all.back(), tensor(gradient, {count})));
    }
    return all;
  }
  Doubles clip_norm(const std::vector<int64_t>& leaves, double most, double p) {
    return read(keep(
        rt_torch_nn_clip_grad_norm(leaves.data(), static_cast<int64_t>(leaves.size()), most, p)));
  }
  static void clip_value(const std::vector<int64_t>& leaves, double most) {
    rt_torch_nn_clip_grad_value(leaves.data(), static_cast<int64_t>(leaves.size()), most);
  }
  static auto about(const Doubles& wanted) {
    return testing::Pointwise(testing::DoubleNear(1e-5), wanted);
  }
};
INSTANTIATE_TEST_SUITE_P(Policies, Clipping, each_policy(), name_of_policy);

TEST_P(Clipping, ScalesAllGradientsTogether) {
  const auto all = leaves({{3, 0}, {0, -4}});
  EXPECT_THAT(clip_norm(all, 1, 2), near({5}));
  EXPECT_THAT(grad(all[0]), about({0.6, 0}));
  EXPECT_THAT(grad(all[1]), about({0, -0.8}));
}

TEST_P(Clipping, KnowsEveryNorm) {
  const std::pair<double, double> norms[] = {{1, 7}, {2, 5}, {3, std::cbrt(91)}, {kInfinity, 4}};
  for (const auto& [p, wanted] : norms) {
    const auto all = leaves({{3}, {-4}});
    EXPECT_THAT(clip_norm(all, wanted / 2, p), near({wanted}));
    EXPECT_THAT(grad(all[0]), about({1.5}));
    EXPECT_THAT(grad(all[1]), about({-2}));
  }
}

TEST_P(Clipping, LeavesSmallGradientsAlone) {
  const auto all = leaves({{0.25, -0.5}, {1e-300}});
  clip_norm(all, 1, 2);
  EXPECT_EQ(grad(all[0]), (Doubles{0.25, -0.5}));
  EXPECT_EQ(grad(all[1]), (Doubles{1e-300}));
  clip_value(all, 0.5);
  EXPECT_EQ(grad(all[0]), (Doubles{0.25, -0.5}));
}

TEST_P(Clipping, BoundsEachElement) {
  const auto all = leaves({{3, -0.5, -2}, {kInfinity, -kInfinity, std::nan("")}});
  clip_value(all, 1);
  EXPECT_EQ(grad(all[0]), (Doubles{1, -0.5, -1}));
  const Doubles special = grad(all[1]);
  EXPECT_EQ(special[0], 1);
  EXPECT_EQ(special[1], -1);
  EXPECT_TRUE(std::isnan(special[2]));
}

TEST_P(Clipping, PassesOverWhatHasNoGradient) {
  const int64_t without = leaf({1, 2}), plain = tensor({1}, {1});
  const std::vector<int64_t> none = {without, plain};
  EXPECT_THAT(clip_norm(none, 1, 2), near({0}));
  clip_value(none, 1);
  EXPECT_EQ(rt_torch_autograd_grad(without), 0);
  auto all = leaves({{6, 8}});
  all.insert(all.begin(), {without, all[0]});  // one leaf twice counts once
  EXPECT_THAT(clip_norm(all, 5, 2), near({10}));
  EXPECT_THAT(grad(all.back()), about({3, 4}));
}

TEST_P(Clipping, OfZerosAndOfInfinities) {
  const auto zeros = leaves({{0, 0}});
  EXPECT_THAT(clip_norm(zeros, 1, 2), near({0}));
  EXPECT_EQ(grad(zeros[0]), (Doubles{0, 0}));
  const auto infinite = leaves({{kInfinity, 1}});
  clip_norm(infinite, 1, 2);
  const Doubles gradient = grad(infinite[0]);
  EXPECT_TRUE(std::isnan(gradient[0])) << "infinity times 0, as in PyTorch";
  EXPECT_EQ(gradient[1], 0);
}

TEST_P(Clipping, IsPartOfTheBatch) {
  const auto all = leaves({{3, 0}, {0, -4}});
  const Tensor norm = rt_torch_nn_clip_grad_norm(all.data(), 2, 1, 2);
  if (GetParam() == std::string("data")) {
    EXPECT_EQ(stat("batches"), 0);
  }
  EXPECT_THAT(read(norm), near({5}));
  EXPECT_THAT(grad(all[0]), about({0.6, 0}));
  backward_of_sum(scaled(all[0], 1));
  EXPECT_THAT(grad(all[0]), about({1.6, 1})) << "later passes add to the clipped gradients";
}

TEST_P(Clipping, StepsTakeTheClippedGradients) {
  const auto all = leaves({{30, 40}});
  const int64_t optimizer = rt_torch_sgd_new(all.data(), 1, 0.1, 0, 0);
  clip_norm(all, 5, 2);
  EXPECT_EQ(rt_torch_optimizer_step(optimizer), 0) << last_error();
  EXPECT_THAT(read(all[0]), about({0.7, 0.6}));
  EXPECT_EQ(rt_torch_optimizer_free(optimizer), 0);
}

TEST_P(Clipping, RefusesWhatIsNoBound) {
  const auto all = leaves({{1}});
  for (const double p : {0.0, -1.0, std::nan("")}) {
    EXPECT_EQ(rt_torch_nn_clip_grad_norm(all.data(), 1, 1, p), 0);
    expect_error({"norm_type is", "above 0"});
  }
  clip_value(all, -1);
  expect_error({"clip_value is -1", "at least 0"});
  const int64_t stale = int64_t{1} << 40;
  EXPECT_EQ(rt_torch_nn_clip_grad_norm(&stale, 1, 1, 2), 0);
  expect_error({"rt_torch_nn_clip_grad_norm"});
}

}  // namespace
}  // namespace rt_test
