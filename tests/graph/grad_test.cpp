// grad_test.cpp -- the contents of gradient records, their release, and passes that record all or
// nothing.
#include <gtest/gtest.h>

#include <bit>
#include <thread>

#include "graph/tape/tape.h"
#include "tests/graph/samples.h"

#include <pthread.h>

namespace rt {
namespace {

/// Records on a tape, and fails at a given node on request.
class TapeRecorder final : public Builder {
 public:
  TapeRecorder(Graph& graph, Tape& tape) : graph_(graph), tape_(tape) {}
  Value append(Args& args) override {
    if (left-- == 0) fail("no room for one more node");
    Small<TensorType, 6> types;
    for (const Value operand : args.operands) types.push_back(graph_.type(operand));
    infer(args, types);
    const bool graded = track && graph_.wants_gradient(args);
    const Value value = graph_.append(tape_, args, 0);
    if (graded) graph_.track(value, args);
    return value;
  }
  TensorType type(Value value) const override { return graph_.type(value); }
  int64_t constant(double value) override { return std::bit_cast<int64_t>(value); }
  int64_t constant_index(int64_t value) override { return value; }

  bool track = true;
  int64_t left = -1;  ///< nodes before it fails; negative: never

 private:
  Graph& graph_;
  Tape& tape_;
};

struct GradTest : testing::Test {
  Graph graph;
  Tape& tape = graph.open_tape();
  TapeRecorder build{graph, tape};

  ~GradTest() override {
    EXPECT_EQ(graph.pending_nodes, 0) << "everything was released, so nothing may be needed still";
  }

  Value leaf() {
    Args args;
    args.op = Op::Full;
    args.attributes = {build.constant(2)};
    args.shape = {2, 3};
    const Value value = held(build.append(args));
    graph.make_leaf(value);
    return value;
  }
  Value held(Value value) {
    graph.hold(value);
    return value;
  }
  Value op(Op which, std::initializer_list<Value> operands) {
    return held(build.op(which, operands));
  }
  void backward(Value value) {
    const std::vector<uint32_t> records = graph.reach(value);
    build.track = false;
    graph.backward(build, value, records);
    build.track = true;
  }
  Value gradient(Value leaf) { return graph.record_of(leaf).gradient; }
  void release(std::initializer_list<Value> values) {
    for (const Value value : values) graph.release(value);
  }
};

TEST_F(GradTest, WhatARuleNeedsIsHeldAndNoMore) {
  const Value a = leaf(), b = op(Op::Full, {});
  const Value sum = op(Op::Add, {a, b}), product = op(Op::Mul, {sum, b});
  EXPECT_EQ(graph[a].holders, 1u) << "add needs nothing";
  EXPECT_EQ(graph[b].holders, 2u) << "for the gradient of sum";
  EXPECT_EQ(graph[sum].holders, 1u) << "b takes no part in gradients";
  release({product});
  EXPECT_EQ(graph[b].holders, 1u);
  release({sum, a, b});
}

TEST_F(GradTest, AResultThatItsOwnRecordKeepsGoesWithItsHandle) {
  const Value a = leaf(), b = op(Op::Relu, {a});
  EXPECT_EQ(graph[b].holders, 2u);
  release({b});
  EXPECT_EQ(graph.pending_nodes, 1);
  release({a});
}

TEST_F(GradTest, AKeptResultStaysWhileWhatCameFromItCanBeGoneThrough) {
  const Value a = leaf(), b = op(Op::Relu, {a}), c = op(Op::Sum, {b});
  release({b});
  EXPECT_EQ(graph[b].holders, 1u);
  backward(c);
  EXPECT_NE(gradient(a), kNone);
  release({c, a});
}

TEST_F(GradTest, BackwardLetsGoAndCannotBeRepeated) {
  const Value a = leaf(), b = op(Op::Mul, {a, a}), c = op(Op::Sum, {b});
  EXPECT_EQ(graph[a].holders, 3u);
  backward(c);
  EXPECT_EQ(graph[a].holders, 1u);
  EXPECT_NE(test::message_of([&] { graph.reach(c); }).find("rt_torch_torchtensor_mul"),
            std::string::npos);
  release({a, b, c});
}

TEST_F(GradTest, WhatKeptNothingCanBeGoneThroughAgainAndAddsUp) {
  const Value a = leaf(), b = op(Op::Sum, {a});
  backward(b);
  const Value once = gradient(a);
  backward(b);
  EXPECT_NE(gradient(a), once);
  EXPECT_EQ(graph[gradient(a)].op, Op::Add);
  release({a, b});
}

TEST_F(GradTest, APassThatFailsChangesNoLeaf) {
  const Value a = leaf(), b = op(Op::Mul, {a, a}), c = op(Op::Sum, {b});
  const int64_t recorded = graph.recorded_nodes;
  backward(c);
  const int64_t nodes = graph.recorded_nodes - recorded;
  release({c, b});
  graph.record_of(a).gradient = (graph.release(gradient(a)), kNone);
  for (int64_t left = 0; left < nodes; ++left) {
    const Value x = op(Op::Mul, {a, a}), y = op(Op::Sum, {x});
    build.left = left;
    EXPECT_THROW(backward(y), Error) << left;
    build.left = -1;
    build.track = true;
    EXPECT_EQ(gradient(a), kNone) << left;
    backward(y);
    EXPECT_NE(gradient(a), kNone) << left << ": what was saved is there still";
    graph.record_of(a).gradient = (graph.release(gradient(a)), kNone);
    release({x, y});
  }
  // Nodes that a failed pass recorded have no handles, and are dropped with the next batch.
  Submission submission;
  graph.build(tape, submission);
  graph.detach(tape);
  graph.poison(a, std::make_shared<const std::string>("never ran"));
  release({a});
}

TEST_F(GradTest, ALeafMayStopToTakePart) {
  const Value a = leaf(), b = op(Op::Sum, {a});
  graph.record_of(a).wanted = false;
  EXPECT_FALSE(graph.takes_part(a));
  const Value c = op(Op::Sum, {a});
  EXPECT_FALSE(graph.takes_part(c));
  backward(b);
  EXPECT_EQ(gradient(a), kNone);
  release({a, b, c});
}

TEST_F(GradTest, ALeafKeepsItsGradientWhereAnotherValueTakesItsPlace) {
  const Value a = leaf(), b = op(Op::Sum, {a});
  backward(b);
  build.track = false;
  const Value next = op(Op::Neg, {a});
  build.track = true;
  graph.carry_gradient(a, next);
  release({a, b});
  EXPECT_TRUE(graph.takes_part(next));
  EXPECT_TRUE(graph.is_leaf(next));
  EXPECT_NE(gradient(next), kNone);
  release({next});
}

/// Long chains must not recurse: the stack has 1 MiB.
TEST(GradOfLongChains, AreRecordedGoneThroughAndReleasedOnASmallStack) {
  const auto body = [](void*) -> void* {
    for (const bool through : {false, true}) {
      Graph graph;
      TapeRecorder build(graph, graph.open_tape());
      Args args;
      args.op = Op::Full;
      args.attributes = {build.constant(1)};
      const Value leaf = build.append(args);
      graph.hold(leaf);
      graph.make_leaf(leaf);
      Value last = leaf;
      for (int i = 0; i < 200'000; ++i) {
        const Value next = build.op(Op::Mul, {last, leaf});
        graph.hold(next);
        if (last != leaf) graph.release(last);
        last = next;
      }
      if (through) {
        const std::vector<uint32_t> records = graph.reach(last);
        build.track = false;
        graph.backward(build, last, records);
      }
      graph.release(last);
      graph.release(leaf);
      EXPECT_EQ(graph.pending_nodes, 0);
    }
    return nullptr;
  };
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, 1 << 20);
  pthread_t thread;
  ASSERT_EQ(pthread_create(&thread, &attributes, body, nullptr), 0);
  pthread_join(thread, nullptr);
  pthread_attr_destroy(&attributes);
}

}  // namespace
}  // namespace rt
