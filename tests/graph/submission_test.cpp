// submission_test.cpp -- a tape matches a known batch exactly if it would build that batch.
#include <gtest/gtest.h>

#include <array>
#include <functional>
#include <vector>

#include "graph/tape/tape.h"

namespace rt {
namespace {

/// Memory that outlives every test.
class Memory final : public Storage {
 public:
  Memory() : Storage(bytes_of().data(), 256, Device{}, nullptr) {}

 private:
  static std::array<char, 256>& bytes_of() {
    static std::array<char, 256> bytes{};
    return bytes;
  }
};

struct Recording {
  Graph graph;
  Tape& tape = graph.open_tape();

  Value input(DType dtype, Shape sizes, Strides strides) {
    const Layout layout{std::move(sizes), std::move(strides), 0};
    BufferRef buffer(new Buffer(Ref<Storage>(new Memory), dtype, layout));
    const Value value = graph.concrete(std::move(buffer), 0);
    graph.hold(value);
    return value;
  }
  Value record(Op op, std::initializer_list<Value> operands, Shape sizes = {2, 3},
               std::initializer_list<int64_t> attributes = {}, DType dtype = DType::F32) {
    Args args;
    args.op = op;
    args.operands = operands;
    args.attributes = attributes;
    args.shape = std::move(sizes);
    args.dtype = dtype;
    return graph.append(tape, args, 7);
  }
  Value held(Value value) {
    graph.hold(value);
    return value;
  }
};

/// Work that differs from the first in one respect each; the last only in scalars and slots.
const std::vector<std::function<void(Recording&)>> kVariants = {
    [](Recording& r) {
      const Value a = r.input(DType::F32, {2, 3}, {3, 1}), b = r.input(DType::F32, {2, 3}, {3, 1});
      const Value c = r.record(Op::Sub, {a, b});
      r.held(r.record(Op::Softmax, {r.record(Op::AddScalar, {c}, {2, 3}, {5})}, {2, 3}, {1}));
    },
    [](Recording& r) {  // another op
      const Value a = r.input(DType::F32, {2, 3}, {3, 1}), b = r.input(DType::F32, {2, 3}, {3, 1});
      const Value c = r.record(Op::Div, {a, b});
      r.held(r.record(Op::Softmax, {r.record(Op::AddScalar, {c}, {2, 3}, {5})}, {2, 3}, {1}));
    },
    [](Recording& r) {  // one input twice
      const Value a = r.input(DType::F32, {2, 3}, {3, 1});
      const Value c = r.record(Op::Sub, {a, a});
      r.held(r.record(Op::Softmax, {r.record(Op::AddScalar, {c}, {2, 3}, {5})}, {2, 3}, {1}));
    },
    [](Recording& r) {  // another attribute
      const Value a = r.input(DType::F32, {2, 3}, {3, 1}), b = r.input(DType::F32, {2, 3}, {3, 1});
      const Value c = r.record(Op::Sub, {a, b});
      r.held(r.record(Op::Softmax, {r.record(Op::AddScalar, {c}, {2, 3}, {5})}, {2, 3}, {0}));
    },
    [](Recording& r) {  // another root
      const Value a = r.input(DType::F32, {2, 3}, {3, 1}), b = r.input(DType::F32, {2, 3}, {3, 1});
      const Value c = r.held(r.record(Op::Sub, {a, b}));
      r.held(r.record(Op::Softmax, {r.record(Op::AddScalar, {c}, {2, 3}, {5})}, {2, 3}, {1}));
    },
    [](Recording& r) {  // a strided input
      const Value a = r.input(DType::F32, {2, 3}, {3, 1}), b = r.input(DType::F32, {2, 3}, {1, 2});
      const Value c = r.record(Op::Sub, {a, b});
      r.held(r.record(Op::Softmax, {r.record(Op::AddScalar, {c}, {2, 3}, {5})}, {2, 3}, {1}));
    },
    [](Recording& r) {  // an input of another dtype, which the result does not show
      const Value a = r.input(DType::F32, {2, 3}, {3, 1}), b = r.input(DType::I64, {2, 3}, {3, 1});
      const Value c = r.record(Op::Sub, {a, b});
      r.held(r.record(Op::Softmax, {r.record(Op::AddScalar, {c}, {2, 3}, {5})}, {2, 3}, {1}));
    },
    [](Recording& r) {  // other sizes
      const Value a = r.input(DType::F32, {3, 2}, {2, 1}), b = r.input(DType::F32, {3, 2}, {2, 1});
      const Value c = r.record(Op::Sub, {a, b}, {3, 2});
      r.held(r.record(Op::Softmax, {r.record(Op::AddScalar, {c}, {3, 2}, {5})}, {3, 2}, {1}));
    },
    [](Recording& r) {  // another result dtype
      const Value a = r.input(DType::F32, {2, 3}, {3, 1}), b = r.input(DType::F32, {2, 3}, {3, 1});
      const Value c = r.record(Op::Sub, {a, b}, {2, 3}, {}, DType::F64);
      r.held(r.record(Op::Softmax, {r.record(Op::AddScalar, {c}, {2, 3}, {5})}, {2, 3}, {1}));
    },
    [](Recording& r) {  // operands of the last step from elsewhere
      const Value a = r.input(DType::F32, {2, 3}, {3, 1}), b = r.input(DType::F32, {2, 3}, {3, 1});
      const Value c = r.record(Op::Sub, {a, b});
      r.record(Op::AddScalar, {c}, {2, 3}, {5});
      r.held(r.record(Op::Softmax, {c}, {2, 3}, {1}));
    },
    [](Recording& r) {  // a step more
      const Value a = r.input(DType::F32, {2, 3}, {3, 1}), b = r.input(DType::F32, {2, 3}, {3, 1});
      const Value c = r.record(Op::Sub, {a, b});
      const Value d =
          r.record(Op::Softmax, {r.record(Op::AddScalar, {c}, {2, 3}, {5})}, {2, 3}, {1});
      r.held(r.record(Op::Neg, {d}));
    },
    [](Recording& r) {  // only other scalars
      r.graph.release(r.held(r.record(Op::Full, {}, {7}, {1})));
      const Value b = r.input(DType::F32, {2, 3}, {3, 1}), a = r.input(DType::F32, {2, 3}, {3, 1});
      const Value c = r.record(Op::Sub, {a, b});
      r.held(r.record(Op::Softmax, {r.record(Op::AddScalar, {c}, {2, 3}, {9})}, {2, 3}, {1}));
    },
};

TEST(Matches, ExactlyWhatWouldBuildTheSameWork) {
  int matched = 0;
  for (size_t i = 0; i < kVariants.size(); ++i) {
    Recording known;
    kVariants[i](known);
    Submission first;
    ASSERT_EQ(known.graph.build(known.tape, first), kNone);
    for (size_t k = 0; k < kVariants.size(); ++k) {
      Recording other;
      kVariants[k](other);
      Submission built, seen;
      ASSERT_EQ(other.graph.build(other.tape, built), kNone);
      const bool same = same_work(built.built, first.built);
      ASSERT_EQ(other.graph.matches(other.tape, first.built, seen), same) << i << " and " << k;
      if (!same) continue;
      ++matched;
      EXPECT_EQ(seen.scalars, built.scalars);
      EXPECT_EQ(seen.roots, built.roots);
      EXPECT_EQ(seen.locations, built.locations);
      EXPECT_EQ(seen.nodes, built.nodes);
      ASSERT_EQ(seen.inputs.size(), built.inputs.size());
      for (size_t n = 0; n < seen.inputs.size(); ++n)
        EXPECT_EQ(seen.inputs[n].get(), built.inputs[n].get());
    }
  }
  EXPECT_EQ(matched, static_cast<int>(kVariants.size()) + 2) << "each itself, first and last";
}

TEST(Matches, NotWhatWaitsForAnotherBatchOrHasFailed) {
  Recording r;
  const Value a = r.held(r.record(Op::Full, {}, {2, 3}, {0}));
  Submission submission;
  r.graph.build(r.tape, submission);
  r.graph.detach(r.tape);
  r.held(r.record(Op::Exp, {a}));
  Batch wanted;
  const uint32_t input = wanted.add_input(DType::F32, Device{}, Shape{2, 3});
  const uint32_t operands[] = {input};
  wanted.roots.push_back(wanted.add_step(Op::Exp, operands, {}, DType::F32, Device{}, Shape{2, 3}));
  EXPECT_FALSE(r.graph.matches(r.tape, wanted, submission)) << "in flight";
  r.graph.poison(a, std::make_shared<const std::string>("why"));
  EXPECT_FALSE(r.graph.matches(r.tape, wanted, submission)) << "poisoned";
}

}  // namespace
}  // namespace rt
