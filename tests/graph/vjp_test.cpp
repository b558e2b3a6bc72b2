// vjp_test.cpp -- every row with gradients, on its samples: gradients are those of differences, and
// rules save only what they use.
#include <gmock/gmock.h>

#include <optional>

#include "tests/graph/vjp_rig.h"

namespace rt::test {
namespace {

std::vector<const OpInfo*> rows_with_gradients() {
  std::vector<const OpInfo*> rows = every_row();
  std::erase_if(rows, [](const OpInfo* row) { return !row->rules.vjp && !row->rules.graded; });
  return rows;
}

class GradientOfRow : public testing::TestWithParam<const OpInfo*> {};
INSTANTIATE_TEST_SUITE_P(Rows, GradientOfRow, testing::ValuesIn(rows_with_gradients()),
                         name_of_row);

/// True for rows that read one triangle of a symmetric matrix: single elements cannot be changed
/// alone. gradcheck_test.cpp compares these.
bool reads_a_triangle(Op op) {
  return op == Op::Cholesky || op == Op::EighValues || op == Op::EighVectors;
}

TEST_P(GradientOfRow, IsThatOfDifferences) {
  if (!reads_a_triangle(GetParam()->op)) expect_gradients(sampled_case(*GetParam()));
}

/// The case with 0 for every size that is `size` and, with `attributes`, for every such attribute.
GradCase emptied(GradCase of, int64_t size, bool attributes) {
  for (GradOperand& operand : of.operands) std::ranges::replace(operand.sizes, size, 0);
  std::ranges::replace(of.args.shape, size, 0);
  const auto scalars = info(of.args.op).scalars;
  for (uint32_t i = scalars; attributes && i < of.args.attributes.size(); ++i)
    if (of.args.attributes[i] == size) of.args.attributes[i] = 0;
  return of;
}

/// The case with 0 for every scalar: an exponent, a slope, a probability.
GradCase zeroed(GradCase of) {
  for (uint32_t i = 0; i < info(of.args.op).scalars; ++i) of.args.attributes[i] = 0;
  return of;
}

/// Expects a gradient for each operand of a case; false if inference refuses the case.
bool expect_all_gradients(const GradCase& of) {
  std::optional<VjpRig> rig;
  try {
    rig.emplace(of);
  } catch (const Error&) {
    return false;
  }
  for (uint32_t i = 0; i < rig->operands(); ++i) {
    if (!rig->has_gradient(i)) continue;
    EXPECT_TRUE(rig->gets_gradient(i)) << "operand " << i << " " << to_string(of.operands[i].sizes);
  }
  return true;
}

// No gradient is not a gradient of zeros: an optimizer skips the parameter, and grad() has none.
TEST_P(GradientOfRow, IsThereAlsoOfNothingAndByZero) {
  int empty = 0;
  for (const Batch& batch : samples(*GetParam(), 40)) {
    const GradCase sampled = sampled_case(*GetParam(), batch);
    expect_all_gradients(zeroed(sampled));
    for (const int64_t size : {1, 2, 3, 4})
      for (const bool attributes : {false, true})
        empty += expect_all_gradients(emptied(sampled, size, attributes));
    if (HasFailure()) return;
  }
  EXPECT_GT(empty, 0);
}

TEST_P(GradientOfRow, KeepsNoMoreThanItUses) {
  const GradCase sampled = sampled_case(*GetParam());
  EXPECT_THAT(VjpRig(sampled).unused(), testing::IsEmpty());
}

TEST_P(GradientOfRow, ThatIsALittleOffIsNoticed) {
  if (reads_a_triangle(GetParam()->op)) return;
  const GradCase sampled = sampled_case(*GetParam());
  VjpRig right(sampled);
  for (uint32_t i = 0; i < right.operands(); ++i) {
    if (!right.has_gradient(i)) continue;
    const std::vector<double> slopes = right.gradient(i);
    if (std::ranges::all_of(slopes, [](double slope) { return slope == 0; })) continue;
    VjpRig wrong(sampled, i);
    EXPECT_NE(first_difference(wrong, sampled, i, 1e-6), "") << "operand " << i;
  }
}

}  // namespace
}  // namespace rt::test
