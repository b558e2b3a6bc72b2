// fuse_test.cpp -- the groups that fusion forms, the reasons against others, and fused batches.
#include "graph/batch/fuse.h"

#include <algorithm>
#include <functional>
#include <random>
#include <set>

#include "graph/batch/batch_builder.h"
#include "graph/batch/verify.h"
#include "graph/dump/dump.h"
#include "tests/graph/samples.h"

namespace rt::test {
namespace {

constexpr uint32_t kNoGroup = Groups::kNone;

/// Builds a batch, and infers the types of its steps.
class Maker {
 public:
  Value input(std::vector<int64_t> sizes, DType dtype = DType::F32, int8_t device = -1) {
    return {batch.add_input(dtype, Device{device}, sizes)};
  }
  Value step(Op op, std::vector<Value> operands, std::vector<int64_t> integers = {},
             DType dtype = DType::F32, Shape sizes = {}) {
    Args args;
    args.op = op;
    args.operands.assign(operands);
    args.dtype = dtype;
    args.shape = sizes;
    for (uint32_t i = 0; i < info(op).scalars; ++i) {
      args.attributes.push_back(std::ssize(batch.scalars));
      batch.scalars.push_back(std::bit_cast<int64_t>(0.5 + static_cast<double>(i)));
      ++batch.free_scalars;
    }
    for (const int64_t integer : integers) args.attributes.push_back(integer);
    return BatchBuilder(batch).append(args);
  }
  /// The groups of the steps; `roots` are the values that leave the batch.
  std::vector<uint32_t> groups(std::vector<Value> roots) {
    batch.roots.clear();
    for (const Value root : roots) batch.roots.push_back(root.id);
    EXPECT_EQ(message_of([&] { verify(batch); }), "");
    return fusion_groups(batch).of_step;
  }
  /// The fused batch, which must be well formed.
  Batch fused(std::vector<Value> roots) {
    groups(std::move(roots));
    Batch made = fuse(batch);
    EXPECT_EQ(message_of([&] { verify(made); }), "") << to_text(made);
    return made;
  }
  Batch batch;
};

std::vector<Op> ops_of(const Batch& batch) {
  std::vector<Op> ops;
  for (const Batch::Step& step : batch.steps) ops.push_back(step.op);
  return ops;
}

TEST(Fuse, ADiamondIsOneGroup) {
  Maker make;
  const Value x = make.input({4, 3}), row = make.input({3});
  const Value a = make.step(Op::Exp, {x}), b = make.step(Op::Add, {a, row});
  const Value c = make.step(Op::MulScalar, {a}), d = make.step(Op::Mul, {b, c});
  EXPECT_EQ(make.groups({d}), (std::vector<uint32_t>{0, 0, 0, 0}));
  const Batch fused = make.fused({d});
  ASSERT_EQ(ops_of(fused), (std::vector<Op>{Op::Fused}));
  EXPECT_EQ(fused.steps[0].results, 1u);
  EXPECT_EQ(fused.groups[0].steps.size(), 4u);
  EXPECT_EQ(fused.groups[0].free_scalars, 1u);
}

TEST(Fuse, BranchesThatMeetBecomeOneGroup) {
  Maker make;
  const Value x = make.input({8}), y = make.input({8});
  const Value a = make.step(Op::Exp, {x}), b = make.step(Op::Tanh, {y});
  EXPECT_EQ(make.groups({make.step(Op::Add, {a, b})}), (std::vector<uint32_t>{0, 0, 0}));
}

TEST(Fuse, WhatReadsTheSameIsComputedTogether) {
  Maker make;
  const Value x = make.input({8});
  const Value a = make.step(Op::Exp, {x}), b = make.step(Op::Tanh, {x});
  const Batch fused = make.fused({a, b});
  ASSERT_EQ(ops_of(fused), (std::vector<Op>{Op::Fused}));
  EXPECT_EQ(fused.steps[0].results, 2u);
  EXPECT_EQ(fused.roots, (std::vector<uint32_t>{1, 2}));
}

TEST(Fuse, AConsumerOutsideDoesNotMakeItComputeTwice) {
  Maker make;
  const Value x = make.input({4, 4});
  const Value a = make.step(Op::Exp, {x}), b = make.step(Op::Relu, {a});
  const Value product = make.step(Op::Matmul, {a, b});
  const Batch fused = make.fused({b, product});
  ASSERT_EQ(ops_of(fused), (std::vector<Op>{Op::Fused, Op::Matmul}));
  EXPECT_EQ(fused.steps[0].results, 2u);
}

// exp -> matmul -> add, and exp -> add: a group of exp and add would depend on itself.
TEST(Fuse, NoGroupWaitsForItself) {
  Maker make;
  const Value x = make.input({4, 4});
  const Value a = make.step(Op::Exp, {x}), b = make.step(Op::Relu, {a});
  const Value product = make.step(Op::Matmul, {b, b});
  const Value c = make.step(Op::Add, {a, product}), d = make.step(Op::Tanh, {c});
  EXPECT_EQ(make.groups({d}), (std::vector<uint32_t>{0, 0, kNoGroup, 1, 1}));
  EXPECT_EQ(ops_of(make.fused({d})), (std::vector<Op>{Op::Fused, Op::Matmul, Op::Fused}));
}

// a -> matmul -> c and c -> matmul -> b: although e reads a and b, a group of both would depend on
// itself.
TEST(Fuse, NoGroupWaitsForItselfThroughAnother) {
  Maker make;
  const Value x = make.input({4, 4}), y = make.input({2, 4});
  const Value a = make.step(Op::Relu, {make.step(Op::Exp, {x})});
  const Value c = make.step(Op::Relu, {make.step(Op::Exp, {make.step(Op::Matmul, {y, a})})});
  const Value back = make.step(Op::Matmul, {make.step(Op::T, {c}), c});
  const Value b = make.step(Op::Tanh, {back});
  const Value e = make.step(Op::Add, {a, b});
  const auto groups = make.groups({e});
  EXPECT_EQ(groups[0], groups[1]);
  EXPECT_EQ(groups[3], groups[4]);
  EXPECT_EQ(groups[7], groups[8]);
  EXPECT_NE(groups[0], groups[7]);
  EXPECT_NE(groups[0], groups[3]);
  make.fused({e});
}

TEST(Fuse, SumsStandAtTheEnd) {
  Maker make;
  const Value x = make.input({4, 4});
  const Value a = make.step(Op::Exp, {x}), total = make.step(Op::Sum, {a});
  const Value mean = make.step(Op::Mean, {a});
  // A consumer of a sum runs after the group.
  const Value scaled = make.step(Op::Mul, {a, total});
  const auto groups = make.groups({scaled, mean});
  EXPECT_EQ(groups, (std::vector<uint32_t>{0, 0, 0, kNoGroup}));
  const Batch fused = make.fused({scaled, mean});
  EXPECT_EQ(ops_of(fused), (std::vector<Op>{Op::Fused, Op::Mul}));
  EXPECT_EQ(fused.steps[0].results, 3u);
  Maker alone;
  EXPECT_EQ(alone.groups({alone.step(Op::Sum, {alone.input({4})})}),
            (std::vector<uint32_t>{kNoGroup}));
}

TEST(Fuse, SaysWhyAStepIsAlone) {
  Maker make;
  const Value x = make.input({4, 4}), half = make.input({4}, DType::F16);
  const Value odds = make.input({3}), there = make.input({4}, DType::F32, 0);
  make.step(Op::Matmul, {x, x});
  make.step(Op::Rand, {}, {}, DType::F32, {4});
  make.step(Op::Neg, {there});
  make.step(Op::BinaryCrossEntropyTerms, {odds, odds});
  make.step(Op::Neg, {half});
  const Value row = make.step(Op::Exp, {make.step(Op::SumDim, {x}, {0, 0})});
  make.step(Op::Add, {x, row});
  make.step(Op::Neg, {make.input({7})});
  const Groups groups = fusion_groups(make.batch);
  EXPECT_EQ(groups.count, 0u);
  using enum Unfused;
  EXPECT_EQ(groups.reasons,
            (std::vector<Unfused>{NotElementwise, Random, OnCuda, CanFail, DTypeRefused,
                                  NotElementwise, AnotherSize, AnotherSize, Alone}));
  for (const Unfused reason : groups.reasons) EXPECT_NE(text_of(reason), "");
}

TEST(Fuse, LongChainsBecomeFewGroups) {
  const Batch batch = chain(3000);
  const Groups groups = fusion_groups(batch);
  EXPECT_LE(groups.count, 8u);
  EXPECT_EQ(std::ranges::count(groups.of_step, kNoGroup), 0);
  const Batch fused = fuse(batch);
  EXPECT_EQ(message_of([&] { verify(fused); }), "");
  EXPECT_EQ(fused.steps.size(), groups.count);
}

TEST(Fuse, WideGroupsAreCut) {
  Maker make;
  Value sum = make.input({8});
  for (int i = 0; i < 100; ++i) sum = make.step(Op::Add, {sum, make.input({8})});
  const Batch fused = make.fused({sum});
  EXPECT_LE(fused.steps.size(), 6u);
  for (const Batch& group : fused.groups) EXPECT_LE(group.values.size() - group.steps.size(), 30u);
}

TEST(Fuse, ScalarsAreNamedByPosition) {
  Maker make;
  const Value x = make.input({8});
  const Value scaled = make.step(Op::MulScalar, {make.step(Op::Matmul, {x, x})});
  const Value a = make.step(Op::AddScalar, {x}), b = make.step(Op::Lerp, {a, x});
  make.batch.scalars.push_back(std::bit_cast<int64_t>(7.0));  // a constant
  const int64_t attributes[] = {3};
  const uint32_t operands[] = {b.id};
  const int64_t sizes[] = {8};
  const Value c{make.batch.add_step(Op::SubScalar, operands, attributes, DType::F32, {}, sizes)};
  const Batch fused = make.fused({scaled, c});
  ASSERT_EQ(fused.groups.size(), 1u);
  const Batch& group = fused.groups[0];
  EXPECT_EQ(group.free_scalars, 2u);
  EXPECT_EQ(group.scalars.size(), 3u);
  EXPECT_EQ(group.scalars[2], std::bit_cast<int64_t>(7.0));
  const auto step = std::ranges::find(fused.steps, Op::Fused, &Batch::Step::op);
  const auto named = fused.attributes_of(*step).list(0);
  EXPECT_EQ(std::vector<int64_t>(named.begin(), named.end()), (std::vector<int64_t>{1, 2}));
}

TEST(Fuse, RandomStepsKeepTheirOrder) {
  Maker make;
  const Value x = make.input({4});
  std::vector<Value> roots;
  Value last = x;
  for (int i = 0; i < 6; ++i) {
    const Value drawn = make.step(Op::Rand, {}, {}, DType::F32, {4});
    roots.push_back(make.step(Op::Exp, {i % 2 ? drawn : x}));
    last = make.step(Op::Add, {last, drawn});
    if (i % 3 == 2) roots.push_back(make.step(Op::Matmul, {last, drawn}));
  }
  roots.push_back(last);
  const Batch fused = make.fused(roots);
  size_t random = 0;
  for (const Batch::Step& step : fused.steps) random += step.op == Op::Rand;
  EXPECT_EQ(random, 6u);
}

/// Random steps: elementwise ones of two sizes among views, products and sums.
Batch any_batch(uint32_t seed, int steps) {
  Maker make;
  std::mt19937 random(seed);
  const auto any = [&](const auto& list) { return list[random() % list.size()]; };
  std::vector<Value> squares = {make.input({4, 4}), make.input({4, 4})};
  std::vector<Value> rows = {make.input({4}), make.step(Op::Exp, {make.input({4})})};
  std::vector<Value> numbers = {make.input({})};
  std::vector<Value> all;
  for (int i = 0; i < steps; ++i) {
    const Value a = any(squares), b = any(squares), row = any(rows);
    switch (random() % 10) {
      case 0: squares.push_back(make.step(Op::Matmul, {a, b})); break;
      case 1: squares.push_back(make.step(Op::Add, {a, row})); break;
      case 2: rows.push_back(make.step(Op::SumDim, {a}, {0, 0})); break;
      case 3: rows.push_back(make.step(Op::Lerp, {row, any(rows)})); break;
      case 4: numbers.push_back(make.step(any(std::vector{Op::Sum, Op::Mean}), {a})); break;
      case 5: squares.push_back(make.step(Op::Mul, {a, any(numbers)})); break;
      case 6: squares.push_back(make.step(Op::T, {a})); break;
      case 7: squares.push_back(make.step(Op::Where, {make.step(Op::Eq, {a, b}), a, b})); break;
      default: squares.push_back(make.step(any(std::vector{Op::Exp, Op::Neg, Op::AddScalar}), {a}));
    }
  }
  std::set<uint32_t> roots;
  for (const auto* list : {&squares, &rows, &numbers})
    for (size_t i = 0; i < list->size(); ++i)
      if (!make.batch.is_input((*list)[i].id) && random() % 4 == 0) roots.insert((*list)[i].id);
  make.batch.roots.assign(roots.begin(), roots.end());
  return std::move(make.batch);
}

// verify() checks that values are computed before their use, so that no group depends on itself.
TEST(Fuse, AnyBatchIsWellFormedAfterwards) {
  size_t fused_steps = 0;
  for (uint32_t seed = 0; seed < 300; ++seed) {
    SCOPED_TRACE(seed);
    const Batch batch = any_batch(seed, seed % 3 == 0 ? 400 : 30);
    ASSERT_EQ(message_of([&] { verify(batch); }), "");
    const Batch fused = fuse(batch);
    ASSERT_EQ(message_of([&] { verify(fused); }), "") << to_text(batch) << to_text(fused);
    ASSERT_EQ(fused.roots.size(), batch.roots.size());
    for (size_t i = 0; i < batch.roots.size(); ++i)
      EXPECT_TRUE(std::ranges::equal(fused.sizes(fused.roots[i]), batch.sizes(batch.roots[i])));
    fused_steps += fused.groups.size();
  }
  EXPECT_GT(fused_steps, 1000u);
}

TEST(Fuse, FusedBatchesReadBack) {
  for (uint32_t seed = 0; seed < 40; ++seed) {
    SCOPED_TRACE(seed);
    const Batch fused = fuse(any_batch(seed, 30));
    const std::string text = to_text(fused), json = to_json(fused);
    SCOPED_TRACE(text);
    Batch back;
    ASSERT_EQ(message_of([&] { back = parse_text(text); }), "");
    EXPECT_TRUE(same_work(back, fused));
    EXPECT_EQ(key_of(back), key_of(fused));
    EXPECT_EQ(back.scalars, fused.scalars);
    ASSERT_EQ(message_of([&] { back = parse_json(json); }), "");
    EXPECT_TRUE(same_work(back, fused));
    EXPECT_EQ(key_of(back), key_of(fused));
    if (!fused.groups.empty()) {
      EXPECT_NE(to_dot(fused).find("fused: "), std::string::npos);
    }
  }
}

TEST(Fuse, TextShowsWhatAGroupComputes) {
  Maker make;
  const Value x = make.input({2, 3});
  const Value a = make.step(Op::MulScalar, {make.step(Op::Exp, {x})});
  const std::string text = to_text(make.fused({a, make.step(Op::Sum, {a})}));
  EXPECT_EQ(text.substr(text.find('\n') + 1),
            "scalars free=1 bits=[4602678819172646912]\n"
            "%0: f32[2,3] = input\n"
            "%1: f32[2,3], %2: f32[] = fused(%0, group=0, scalars=[0])\n"
            "    %0: f32[2,3] = input\n"
            "    %1: f32[2,3] = exp(%0)\n"
            "    %2: f32[2,3] = mul_scalar(%1, other=<0.5>)\n"
            "    %3: f32[] = sum(%2)\n"
            "    return %2, %3\n"
            "return %1, %2\n");
}

TEST(Fuse, DamagedGroupsAreRefused) {
  Maker make;
  const Value x = make.input({4});
  const Batch good = make.fused({make.step(Op::MulScalar, {make.step(Op::Exp, {x})})});
  const auto refused = [&](const std::function<void(Batch&)>& damage, std::string_view cause) {
    Batch bad = good;
    damage(bad);
    const std::string message = message_of([&] { verify(bad); });
    EXPECT_NE(message.find(cause), std::string::npos) << "'" << message << "' for " << cause;
  };
  refused([](Batch& b) { b.groups.clear(); }, "its group is 0 of 0");
  refused([](Batch& b) { b.groups.push_back(b.groups[0]); }, "2 groups exist");
  refused([](Batch& b) { b.groups[0].roots.clear(); }, "1 results and its group 0 roots");
  refused([](Batch& b) { b.steps[0].results = 2; }, "2 results and its group 1 roots");
  refused([](Batch& b) { b.groups[0].dims[0] = 5; }, "its group cannot run as one step");
  refused([](Batch& b) { b.values[0].dtype = DType::F64; }, "operand 0 is f64[4]");
  refused([](Batch& b) { b.values[1].dtype = DType::F64; }, "result 0 is f64[4]");
  refused([](Batch& b) { b.attributes[2] = 7; }, "there is no scalar 7");
  refused([](Batch& b) { b.groups[0].free_scalars = 0; }, "names 1 scalars and its group takes 0");
  refused([](Batch& b) { b.groups[0] = b; }, "there are no groups here");
  const std::string canonical = message_of([&] { verify(good, true); });
  EXPECT_NE(canonical.find("there are no groups here"), std::string::npos);
}

TEST(Fuse, GroupsAreInTheKey) {
  Batch a = fuse(chain(3)), b = a;
  EXPECT_EQ(key_of(a), key_of(b));
  EXPECT_TRUE(same_work(a, b));
  b.groups[0].steps[1].op = Op::Exp;
  EXPECT_NE(key_of(a), key_of(b));
  EXPECT_FALSE(same_work(a, b));
}

}  // namespace
}  // namespace rt::test
