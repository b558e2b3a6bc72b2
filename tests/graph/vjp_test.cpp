// vjp_test.cpp -- every row that has gradients, on its sample: against differences, and that rules
// keep what they use and no more.
#include <gmock/gmock.h>

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

TEST_P(GradientOfRow, IsThatOfDifferences) { expect_gradients(sampled_case(*GetParam())); }

TEST_P(GradientOfRow, KeepsNoMoreThanItUses) {
  const GradCase sampled = sampled_case(*GetParam());
  EXPECT_THAT(VjpRig(sampled).unused(), testing::IsEmpty());
}

TEST_P(GradientOfRow, ThatIsALittleOffIsNoticed) {
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
