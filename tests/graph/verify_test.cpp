// verify_test.cpp -- breaks every rule of a well-formed batch once.
#include "graph/batch/verify.h"

#include <functional>

#include "tests/graph/samples.h"

namespace rt::test {
namespace {

void expect_refused(const std::function<void(Batch&)>& damage, std::string_view cause,
                    Batch batch = small_batch(), bool canonical = false) {
  EXPECT_EQ(message_of([&] { verify(batch, canonical); }), "");
  damage(batch);
  const std::string message = message_of([&] { verify(batch, canonical); });
  EXPECT_NE(message.find(cause), std::string::npos) << "'" << message << "' for " << cause;
}

void expect_not_canonical(const std::function<void(Batch&)>& damage, std::string_view cause) {
  Batch batch = small_batch();
  EXPECT_EQ(message_of([&] { verify(batch, true); }), "");
  damage(batch);
  EXPECT_EQ(message_of([&] { verify(batch); }), "");
  const std::string message = message_of([&] { verify(batch, true); });
  EXPECT_NE(message.find(cause), std::string::npos) << "'" << message << "' for " << cause;
}

TEST(Verify, Values) {
  expect_refused([](Batch& b) { b.values[0].dtype = DType{9}; }, "%0 has the unknown dtype 9");
  expect_refused([](Batch& b) { b.values[1].device = -2; }, "%1 has the unknown device -2");
  expect_refused([](Batch& b) { b.values[1].rank = 65; }, "%1 has 65 dimensions");
  expect_refused([](Batch& b) { b.values[1].flags |= 8; }, "unknown flag");
  expect_refused([](Batch& b) { b.values[2].flags = Batch::kStrided; }, "computed and has strides");
  expect_refused([](Batch& b) { ++b.values[1].dims; }, "the sizes of %1 start at 3");
  expect_refused([](Batch& b) { b.dims.pop_back(); }, "the sizes of %3 end after");
  expect_refused([](Batch& b) { b.dims.push_back(1); }, "dims has 11 elements");
  expect_refused([](Batch& b) { b.dims[0] = -1; }, "%0 has impossible sizes");
  expect_refused([](Batch& b) { b.dims[0] = INT64_MAX; }, "%0 has impossible sizes");
  expect_refused([](Batch& b) { b.dims[4] = 64, b.dims[5] = 1; }, "%1 is contiguous");
  expect_refused([](Batch& b) { b.add_step(Op::Neg, {}, {}, DType::F32, {}, {}); },
                 "step 2, %4 = neg: it has 0 operands and takes 1");
}

TEST(Verify, Numbering) {
  expect_refused([](Batch& b) { b.steps[0].result = 3; },
                 "step 0 computes %3; the next value is %2");
  expect_refused([](Batch& b) { b.steps.pop_back(); }, "%3 is neither an input nor computed");
  expect_refused([](Batch& b) { b.values[2].flags = Batch::kInput; }, "step 0 computes %2");
  expect_refused([](Batch& b) { b.steps.push_back(b.steps[1]); }, "step 2 computes no value");
}

TEST(Verify, Steps) {
  expect_refused([](Batch& b) { b.steps[1].op = Op{9999}; }, "step 1 has the unknown op 9999");
  expect_refused([](Batch& b) { b.steps[1].operands = 1; }, "its operands start at 1, not at 2");
  expect_refused([](Batch& b) { b.operands.pop_back(); }, "its operands end after");
  expect_refused([](Batch& b) { b.operands.push_back(0); }, "operands has 4 elements");
  expect_refused([](Batch& b) { b.steps[0].operand_count = 1; }, "it has 1 operands and takes 2");
  expect_refused([](Batch& b) { b.operands[1] = kNone.id; }, "other is absent");
  expect_refused([](Batch& b) { b.operands[1] = 2; }, "other is %2, which comes later");
  expect_refused([](Batch& b) { b.operands[2] = 7; }, "self is %7, which comes later");
}

TEST(Verify, Words) {
  expect_refused([](Batch& b) { b.steps[1].attributes = 1; },
                 "its attributes start at 1, not at 0");
  expect_refused([](Batch& b) { b.attributes.pop_back(); }, "its attributes end after");
  expect_refused([](Batch& b) { b.attributes.push_back(0); }, "attributes has 2 elements");
  expect_refused([](Batch& b) { b.steps[1].attribute_count = 0; },
                 "it has 0 attributes and needs 1");
  expect_refused([](Batch& b) { b.attributes.push_back(0), b.steps[1].attribute_count = 2; },
                 "it has 2 attributes and needs 1");
  expect_refused([](Batch& b) { b.attributes[0] = 1; }, "there is no scalar 1");
  expect_refused([](Batch& b) { b.attributes[0] = -1; }, "there is no scalar -1");
  expect_refused([](Batch& b) { b.free_scalars = 2; }, "2 scalars are free and there are 1");
  const Batch sum = sample(*find_op("sum_dim"));
  expect_refused([](Batch& b) { b.attributes[1] = 2; }, "keepdim is 2, not 0 or 1", sum);
  expect_refused([](Batch& b) { b.attributes[0] = 5; }, "dim 5 is out of range", sum);
  expect_refused([](Batch& b) { b.attributes[0] = -2; }, "not normalised", sum);
  const Batch permute = sample(*find_op("permute"));
  expect_refused([](Batch& b) { b.attributes[0] = -1; }, "list 0 has length -1", permute);
  expect_refused([](Batch& b) { b.attributes[0] = 9; }, "list 0 has length 9", permute);
  expect_refused([](Batch& b) { b.attributes[0] = 1; }, "it has 3 attributes and needs 2", permute);
  expect_refused([](Batch& b) { b.attributes.clear(), b.steps[0].attribute_count = 0; },
                 "list 0 is not there", permute);
  expect_refused([](Batch& b) { b.attributes[1] = 0; }, "twice", permute);
}

TEST(Verify, Results) {
  expect_refused([](Batch& b) { b.dims[6] = 31; }, "inference gives f32[32,64]");
  expect_refused([](Batch& b) { b.values[2].dtype = DType::F64; }, "inference gives f32[32,64]");
  expect_refused([](Batch& b) { b.values[3].device = 0; }, "it is on cuda:0");
  expect_refused([](Batch& b) { b.values[1].device = 0; },
                 "it is on cpu and its operands on cuda:0");
  expect_refused([](Batch& b) { b.values[1].device = b.values[2].device = 0; },
                 "operands are on cpu and on cuda:0");
  expect_refused([](Batch& b) { b.values[1].dtype = DType::I64; }, "convert one of them");
  const Batch slice = sample(*find_op("slice"));
  expect_refused([](Batch& b) { b.dims[2] = 3; }, "inference gives", slice);
  expect_refused([](Batch& b) { b.dims[3] = 2; }, "inference gives", slice);
  const Batch arange = sample(*find_op("arange"));
  expect_refused([](Batch& b) { b.values[0].rank = 0, b.dims.clear(); }, "inference gives", arange);
}

// A batch has the scalars of one run, and its sizes may be those of another.
TEST(Verify, SizesThatScalarsDecideAreLeftOpen) {
  for (const char* name : {"slice", "arange", "arange_int"}) {
    Batch batch = sample(*find_op(name));
    for (int64_t& scalar : batch.scalars) scalar = 0;
    EXPECT_EQ(message_of([&] { verify(batch, true); }), "") << name;
  }
}

TEST(Verify, Roots) {
  expect_refused([](Batch& b) { b.roots[1] = 4; }, "root %4 does not exist");
  expect_refused([](Batch& b) { b.roots[0] = 1; }, "root %1 is an input");
  expect_not_canonical([](Batch& b) { b.roots = {3, 2}; }, "root %2 comes after %3");
  expect_not_canonical([](Batch& b) { b.roots = {3, 3}; }, "roots ascend");
}

TEST(Verify, CanonicalForm) {
  expect_not_canonical([](Batch& b) { b.free_scalars = 0; }, "has no constants");
  expect_not_canonical([](Batch& b) { b.scalars.push_back(0), b.free_scalars = 2; },
                       "scalar 1 is not used");
  expect_not_canonical(
      [](Batch& b) {
        b.scalars.push_back(0), b.free_scalars = 2;
        b.attributes[0] = 1;
      },
      "scalar 1 stands where 0 belongs");
  expect_not_canonical([](Batch& b) { b.add_input(DType::F32, {}, {}); }, "input %4 is not used");
  Batch swapped;
  const std::vector<int64_t> sizes = {2, 2};
  swapped.add_input(DType::F32, {}, sizes);
  swapped.add_input(DType::F32, {}, sizes);
  const uint32_t operands[] = {1, 0}, first[] = {0, 0};
  swapped.roots = {swapped.add_step(Op::Add, operands, {}, DType::F32, {}, sizes)};
  EXPECT_EQ(message_of([&] { verify(swapped); }), "");
  EXPECT_NE(message_of([&] { verify(swapped, true); }).find("for the first time before %0"),
            std::string::npos);
  swapped.operands.assign(first, first + 2);
  EXPECT_NE(message_of([&] { verify(swapped, true); }).find("%1 stands before it"),
            std::string::npos);
}

TEST(Verify, LongBatches) {
  EXPECT_EQ(message_of([] { verify(chain(1000000), true); }), "");
  EXPECT_EQ(message_of([] { verify(Batch(), true); }), "");
}

/// A dump may have these scalars, but no program records them.
TEST(VerifyScalars, OnesThatTheShapesDoNotComeOf) {
  Batch batch;
  const std::vector<int64_t> sizes = {4}, sliced = {2};
  const uint32_t input[] = {batch.add_input(DType::F32, {}, sizes)};
  const int64_t attributes[] = {0, 1, 0, 1};
  batch.roots = {batch.add_step(Op::Slice, input, attributes, DType::F32, {}, sliced)};
  batch.free_scalars = 2;
  const auto told = [&](int64_t start, int64_t end) {
    batch.scalars = {start, end};
    EXPECT_EQ(message_of([&] { verify(batch, true); }), "");
    return message_of([&] { verify_scalars(batch); });
  };
  EXPECT_EQ(told(0, 2), "");
  EXPECT_EQ(told(2, 4), "");
  for (const auto& [start, end] : {std::pair{0, 3}, {900, 902}, {-2, 4}, {3, 5}, {-9, 2}})
    EXPECT_NE(told(start, end).find("step 0, %1 = slice: "), std::string::npos) << start;
}

}  // namespace
}  // namespace rt::test
