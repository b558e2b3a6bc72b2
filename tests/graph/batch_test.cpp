// batch_test.cpp -- equal work has an equal key, and every difference changes the key.
#include "graph/batch/batch.h"

#include <functional>
#include <set>

#include "tests/graph/samples.h"

namespace rt::test {
namespace {

TEST(BatchKey, EqualWorkHasEqualKeys) {
  EXPECT_EQ(key_of(small_batch()), key_of(small_batch()));
  EXPECT_TRUE(same_work(small_batch(), small_batch()));
  for (const OpInfo& row : all_ops()) EXPECT_EQ(key_of(sample(row)), key_of(sample(row)));
}

TEST(BatchKey, ScalarsAreNoPartOfIt) {
  EXPECT_EQ(key_of(small_batch(0.5)), key_of(small_batch(0.25)));
  EXPECT_TRUE(same_work(small_batch(0.5), small_batch(0.25)));
}

TEST(BatchKey, EveryFieldIsPartOfIt) {
  const std::function<void(Batch&)> changes[] = {
      [](Batch& b) { b.values[1].dtype = DType::F64; },
      [](Batch& b) { b.values[1].device = 0; },
      [](Batch& b) { b.values[1].rank = 1; },
      [](Batch& b) { b.values[1].flags = Batch::kInput; },
      [](Batch& b) { b.values[1].dims = 0; },
      [](Batch& b) { b.values.push_back(b.values[0]); },
      [](Batch& b) { b.steps[0].op = Op::Add; },
      [](Batch& b) { b.steps[0].attribute_count = 1; },
      [](Batch& b) { b.steps[0].operand_count = 1; },
      [](Batch& b) { b.steps[0].operands = 1; },
      [](Batch& b) { b.steps[0].attributes = 1; },
      [](Batch& b) { b.steps[0].result = 1; },
      [](Batch& b) { b.steps.pop_back(); },
      [](Batch& b) { std::swap(b.operands[0], b.operands[1]); },
      [](Batch& b) { b.operands.push_back(0); },
      [](Batch& b) { b.attributes[0] = 1; },
      [](Batch& b) { b.attributes.push_back(0); },
      [](Batch& b) { b.dims[0] = 31; },
      [](Batch& b) { b.dims.push_back(0); },
      [](Batch& b) { b.roots[0] = 1; },
      [](Batch& b) { b.roots.pop_back(); },
      [](Batch& b) { b.roots.push_back(0); },
      [](Batch& b) { b.scalars.push_back(0); },
  };
  std::set<std::string> keys = {to_string(key_of(small_batch()))};
  for (const auto& change : changes) {
    Batch changed = small_batch();
    change(changed);
    EXPECT_FALSE(same_work(changed, small_batch()));
    EXPECT_TRUE(keys.insert(to_string(key_of(changed))).second) << keys.size();
  }
  Batch constant = small_batch();
  constant.free_scalars = 0;
  EXPECT_FALSE(same_work(constant, small_batch()));
}

TEST(BatchKey, RowsAndSplitsOfArraysDiffer) {
  std::set<std::string> keys;
  for (const OpInfo& row : all_ops()) keys.insert(to_string(key_of(sample(row))));
  EXPECT_EQ(keys.size(), all_ops().size());
  EXPECT_EQ(to_string(Key{.low = 0xab, .high = 1}), "000000000000000100000000000000ab");
}

TEST(Batch, ClearsToEmpty) {
  Batch batch = small_batch();
  EXPECT_GT(batch.bytes(), 100u);
  batch.clear();
  EXPECT_TRUE(same_work(batch, Batch()));
  EXPECT_EQ(key_of(batch), key_of(Batch()));
}

}  // namespace
}  // namespace rt::test
