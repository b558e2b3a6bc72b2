// tape_test.cpp -- holders of values, their release, and the batches that a tape submits.
#include "graph/tape/tape.h"
#include "graph/error.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "graph/batch/verify.h"
#include "graph/tape/handles.h"

namespace rt {

/// Sets counters close to their overflow.
struct GraphProbe {
  static void set_stamp(Graph& graph, uint32_t stamp) { graph.stamp_ = stamp; }
  static void set_passes(Graph& graph, uint64_t passes) { graph.passes_ = passes; }
};

namespace {

struct TapeTest : testing::Test {
  Graph graph;
  Tape& tape = graph.open_tape();
  Submission submission;

  Value record(Op op, std::initializer_list<Value> operands, Shape sizes = {2, 3},
               std::initializer_list<int64_t> attributes = {}) {
    Args args;
    args.op = op;
    args.operands = operands;
    args.attributes = attributes;
    args.shape = std::move(sizes);
    return graph.append(tape, args, 0);
  }
  Value held(Value value) {
    graph.hold(value);
    return value;
  }
  const Batch& build() {
    EXPECT_EQ(graph.build(tape, submission), kNone);
    verify(submission.batch(), true);
    return submission.batch();
  }
};

TEST_F(TapeTest, ReleaseTakesAlongWhatOnlyTheReleasedNeeded) {
  const Value a = held(record(Op::Full, {}, {2, 3}, {0}));
  const Value b = held(record(Op::Neg, {a})), c = record(Op::Exp, {b}),
              d = held(record(Op::Log, {c}));
  graph.release(a);
  graph.release(b);
  EXPECT_EQ(tape.nodes, 4) << "all are needed by d";
  graph.release(d);
  EXPECT_EQ(tape.nodes, 0);
  EXPECT_EQ(graph.dead_nodes, 4);
  EXPECT_EQ(graph.pending_nodes, 0);
  EXPECT_EQ(tape.bytes, 0);
}

TEST_F(TapeTest, RandomNodesStayUntilTheyHaveRun) {
  const Value random = held(record(Op::Rand, {}));
  graph.release(random);
  EXPECT_EQ(tape.nodes, 1);
  EXPECT_EQ(build().roots.size(), 0u);
}

TEST_F(TapeTest, TheSameOperandTwiceCountsTwice) {
  const Value a = held(record(Op::Full, {}, {2, 3}, {0})), b = held(record(Op::Mul, {a, a}));
  EXPECT_EQ(graph[a].consumers, 2u);
  graph.release(a);
  EXPECT_EQ(tape.nodes, 2);
  graph.release(b);
  EXPECT_EQ(tape.nodes, 0);
}

TEST_F(TapeTest, RootsAreWhatSomethingBesidesPendingWorkHolds) {
  const Value a = record(Op::Full, {}, {2, 3}, {0}), b = held(record(Op::Neg, {a}));
  record(Op::Exp, {b});
  const Value d = held(record(Op::Log, {b}));
  const Batch& batch = build();
  EXPECT_EQ(batch.roots, (std::vector<uint32_t>{1, 3}));
  EXPECT_EQ(submission.roots, (std::vector<Value>{b, d}));
}

TEST_F(TapeTest, EqualWorkHasEqualKeysWhateverTheScalarsAndSlots) {
  Key keys[2];
  for (int round = 0; round < 2; ++round) {
    const Value unused = held(record(Op::Full, {}, {7}, {round}));
    graph.release(unused);
    const Value a = record(Op::Full, {}, {2, 3}, {round});
    const Value b = held(record(Op::AddScalar, {a}, {2, 3}, {round + 5}));
    keys[round] = key_of(build());
    EXPECT_EQ(submission.batch().scalars, (std::vector<int64_t>{round, round + 5}));
    graph.release(b);
  }
  EXPECT_EQ(keys[0], keys[1]);
}

TEST_F(TapeTest, DetachLeavesOnlyRootsInFlightAndDeliveryMakesThemConcrete) {
  const Value a = record(Op::Full, {}, {2}, {0}), b = held(record(Op::Neg, {a}, {2}));
  build();
  graph.detach(tape);
  EXPECT_EQ(tape.nodes, 0);
  EXPECT_EQ(graph[a].state, State::Free);
  EXPECT_EQ(graph[b].state, State::InFlight);
  Value waited = record(Op::Exp, {b}, {2});
  graph.hold(waited);
  EXPECT_EQ(graph.build(tape, submission), b) << "an operand in flight has to be waited for";
  graph.poison(b, std::make_shared<const std::string>("why"));
  build();
  EXPECT_EQ(*submission.poison[0], "why");
  graph.release(waited);
  graph.release(b);
  EXPECT_EQ(graph[b].state, State::Free);
}

TEST_F(TapeTest, ABatchIsBuiltAndKnownAgainWhereItsNumbersBeginAnew) {
  GraphProbe::set_stamp(graph, UINT32_MAX - 4);
  const Value source = held(record(Op::Full, {}, {2}, {0}));
  build();
  graph.detach(tape);
  graph.poison(source, std::make_shared<const std::string>("why"));  // input of later batches
  for (int round = 0; round < 8; ++round) {
    const Value a = record(Op::Neg, {source}, {2}), b = held(record(Op::Mul, {a, source}, {2}));
    const Batch& batch = build();
    ASSERT_EQ(batch.values.size(), 3u) << round;
    ASSERT_EQ(batch.operands, (std::vector<uint32_t>{0, 1, 0})) << round;
    graph.release(b);
  }
  graph.release(source);
}

TEST_F(TapeTest, PassesBeyond32Bits) {
  const Value leaf = held(record(Op::Full, {}, {2}, {0}));
  graph.make_leaf(leaf);
  GraphProbe::set_passes(graph, UINT32_MAX - 1);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(graph.reach(leaf).size(), 1u) << i;
  graph.release(leaf);
}

TEST_F(TapeTest, LongListsOfOperandsCountAsPending) {
  const Value a = held(record(Op::Full, {}, {2}, {0}));
  const int64_t before = tape.bytes;
  Args args;
  args.op = Op::Cat;
  for (int i = 0; i < 1000; ++i) args.operands.push_back(a);
  args.attributes = {0};
  args.shape = {2000};
  const Value all = held(graph.append(tape, args, 0));
  EXPECT_GE(tape.bytes - before, 2000 * 4 + 1000 * 4);
  graph.release(all);
  EXPECT_EQ(tape.bytes, before);
  graph.release(a);
}

TEST_F(TapeTest, HandlesAreFoundFromTheMemoryThatTheySee) {
  Handles handles;
  const auto handle_to = [&](Value value) {
    const int64_t handle = handles.add(HandleKind::Tensor, value);
    graph.add_handle(value, handles, Handles::slot_of(handle));
    return handle;
  };
  const auto free = [&](int64_t handle) {
    graph.remove_handle(handles.at(handle, HandleKind::Tensor).value, handles,
                        Handles::slot_of(handle));
    handles.remove(handle);
  };
  const auto relatives = [&](Value value) {
    std::vector<int64_t> found;
    for (uint32_t slot = graph.first_relative(value); slot != 0; slot = handles.entry(slot).next)
      found.push_back(handles.entry(slot).handle);
    std::ranges::sort(found);
    return found;
  };
  using List = std::vector<int64_t>;
  const Value a = record(Op::Full, {}, {4}, {0}), b = record(Op::Neg, {a}, {4});
  const int64_t first = handle_to(a), other = handle_to(b);
  EXPECT_EQ(relatives(a), List{first});
  EXPECT_EQ(relatives(b), List{other});
  const int64_t second = handle_to(a);
  EXPECT_EQ(relatives(a), (List{first, second}));
  const Value view = record(Op::Alias, {a}, {4}), inner = record(Op::Alias, {view}, {4});
  const int64_t third = handle_to(inner);
  EXPECT_EQ(relatives(view), (List{first, second, third}));
  free(first);
  EXPECT_EQ(relatives(inner), (List{second, third}));
  free(second);
  EXPECT_EQ(relatives(a), List{third});
  free(third);
  EXPECT_EQ(graph[view].state, State::Free);
  const int64_t again = handle_to(b);
  EXPECT_EQ(relatives(b), (List{other, again}));
  free(again);
  free(other);
  EXPECT_EQ(tape.nodes, 0);
}

TEST_F(TapeTest, PlacesOfLongChainsOfViews) {
  const Value base = held(record(Op::Full, {}, {100, 2}, {0}));
  Value last = base;
  for (int i = 0; i < 100; ++i)  // each slice drops a row
    last = held(record(Op::Slice, {last}, {100 - i, 2}, {i == 0 ? 0 : 1, 100 - i, 0, 1}));
  for (int times = 0; times < 2; ++times) {
    const MemoryRegion region = graph.region(last);
    EXPECT_EQ(region.origin, base);
    EXPECT_EQ(region.layout.offset, 99 * 2);
    EXPECT_EQ(region.layout.sizes, (Shape{1, 2}));
  }
}

TEST(Handles, GenerationsTellStaleHandlesAndAllStayBelow53Bits) {
  Handles handles;
  int64_t handle = 0;
  for (int i = 0; i < 1000; ++i) {
    handle = handles.add(HandleKind::Tensor, Value{1});
    ASSERT_GT(handle, 0);
    ASSERT_LT(handle, int64_t{1} << 53);
    handles.remove(handle);
    ASSERT_THROW(handles.at(handle, HandleKind::Tensor), Error);
  }
  EXPECT_EQ(handles.live(), 0);
}

TEST(Handles, AUsedUpSlotIsRetired) {
  Handles handles;
  const int64_t first = handles.add(HandleKind::Tensor, Value{1});
  int64_t handle = first;
  for (int i = 0; i < 1 << 22; ++i) {
    handles.remove(handle);
    handle = handles.add(HandleKind::Tensor, Value{1});
  }
  EXPECT_NE(handle, first);
  EXPECT_THROW(handles.at(first, HandleKind::Tensor), Error);
  EXPECT_NO_THROW(handles.at(handle, HandleKind::Tensor));
}

TEST(Handles, AKindIsNotAnother) {
  Handles handles;
  const int64_t handle = handles.add(HandleKind::Optimizer, Value{1});
  try {
    handles.at(handle, HandleKind::Tensor);
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(error.text().find("an optimizer, not a tensor"), std::string::npos) << error.text();
  }
}

/// An ended thread's pending work keeps its tape; only an empty tape is given to another thread.
TEST_F(TapeTest, ATapeOfAThreadThatEndedServesAnotherWhenItIsEmpty) {
  const Value left = record(Op::Full, {}, {2, 3}, {0});
  graph.hold(left);
  graph.close(tape);
  Tape& second = graph.open_tape();
  EXPECT_NE(&second, &tape);
  EXPECT_EQ(graph.tape(graph[left].tape).nodes, 1);
  graph.release(left);
  graph.close(second);
  EXPECT_EQ(&graph.open_tape(), &second);
  EXPECT_TRUE(&graph.open_tape() == &tape || &graph.open_tape() == &tape) << "found in time";
}

TEST_F(TapeTest, ThreadsThatLeaveWorkTakeNoMoreTapesThanTwiceWhatIsLeft) {
  uint32_t most = 0;
  for (int i = 0; i < 1000; ++i) {
    Tape& own = graph.open_tape();
    most = std::max(most, own.id);
    Args args;
    args.op = Op::Full;
    args.attributes = {0};
    const Value value = graph.append(own, args, 0);
    graph.hold(value);
    graph.close(own);
    graph.release(value);
  }
  EXPECT_LT(most, 8u);
}

}  // namespace
}  // namespace rt
