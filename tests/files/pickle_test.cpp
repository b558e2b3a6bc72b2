// pickle_test.cpp -- the pickle of one tensor: what is read, and that all else is refused.
#include "files/pickle.h"

#include "tests/files/rig.h"

namespace rt::test {
namespace {

using namespace rt::files;
using testing::AllOf;
using testing::HasSubstr;

// The pieces of a pickle as Python writes them.
const std::string kProto = "\x80\x02", kStop = ".", kMark = "(", kTuple = "t", kReduce = "R";
const std::string kRebuild = "ctorch._utils\n_rebuild_tensor_v2\n";
const std::string kHooks = "ccollections\nOrderedDict\n)R";

std::string text(std::string_view value) {
  return join("X", raw(static_cast<uint32_t>(value.size())), value);
}
std::string number(int64_t value) { return join("\x8a\x08", raw(value)); }
std::string tuple(const std::vector<int64_t>& values) {
  std::string all = kMark;
  for (const int64_t value : values) all += number(value);
  return all + kTuple;
}
std::string storage(int64_t elements, const std::string& type = "FloatStorage") {
  return kMark + text("storage") + "ctorch\n" + type + "\n" + text("0") + text("cpu") +
         number(elements) + kTuple + "Q";
}
std::string tensor(int64_t elements, int64_t offset, const std::vector<int64_t>& sizes,
                   const std::vector<int64_t>& strides) {
  return kRebuild + kMark + storage(elements) + number(offset) + tuple(sizes) + tuple(strides) +
         "\x89" + kHooks + kTuple + kReduce;
}
std::string refused(const std::string& pickle) {
  return refusal([&] { read_pickle(kProto + pickle + kStop); });
}

TEST(Pickle, ReadsWhatItWrites) {
  for (int code = 0; code < kDTypes; ++code) {
    const PickledTensor given{&element_of(static_cast<DType>(code)),
                              "0",
                              100'000'000'000,
                              {{3, 300, 100'000}, {0, 100'000, 1}, 7}};
    const PickledTensor back = read_pickle(write_pickle(given));
    EXPECT_EQ(back.element, given.element);
    EXPECT_EQ(back.key, given.key);
    EXPECT_EQ(back.elements, given.elements);
    EXPECT_EQ(back.layout.sizes, given.layout.sizes);
    EXPECT_EQ(back.layout.strides, given.layout.strides);
    EXPECT_EQ(back.layout.offset, given.layout.offset);
  }
}

TEST(Pickle, ReadsATensorInParts) {
  const PickledTensor back = read_pickle(kProto + tensor(10, 4, {3}, {2}) + kStop);
  EXPECT_EQ(back.element->held, DType::F32);
  EXPECT_EQ(back.elements, 10);
  EXPECT_EQ(back.layout.sizes, Shape({3}));
  EXPECT_EQ(back.layout.strides, Shape({2}));
  EXPECT_EQ(back.layout.offset, 4);
}

TEST(Pickle, ReadsAParameter) {
  const std::string parameter = "ctorch._utils\n_rebuild_parameter\n" + kMark +
                                tensor(6, 0, {2, 3}, {3, 1}) + "\x88" + kHooks + kTuple + kReduce;
  EXPECT_EQ(read_pickle(kProto + parameter + kStop).layout.sizes, Shape({2, 3}));
}

TEST(Pickle, AnEmptyTensorLiesAtTheStart) {
  const PickledTensor back = read_pickle(kProto + tensor(5, 5, {0, 3}, {7, 7}) + kStop);
  EXPECT_EQ(back.layout.strides, Shape({3, 1}));
  EXPECT_EQ(back.layout.offset, 0);
}

TEST(Pickle, NumbersOfAllWidths) {
  const auto with = [](const std::string& elements) {
    return read_pickle(kProto + kRebuild + kMark + kMark + text("storage") +
                       "ctorch\nByteStorage\n" + text("0") + text("cpu") + elements + kTuple + "Q" +
                       number(0) + tuple({0}) + tuple({1}) + "\x89" + kHooks + kTuple + kReduce +
                       kStop)
        .elements;
  };
  EXPECT_EQ(with("K\xff"), 255);
  EXPECT_EQ(with("M\xff\xff"), 65535);
  EXPECT_EQ(with("J\xff\xff\xff\x7f"), INT32_MAX);
  EXPECT_EQ(with(std::string("\x8a\x00", 2)), 0);
  EXPECT_EQ(with("\x8a\x05\xff\xff\xff\xff\x7f"), 549755813887);
  EXPECT_THAT(refused(kMark + text("storage") + "ctorch\nByteStorage\n" + text("0") + text("cpu") +
                      "\x8a\x01\xff" + kTuple + "Q"),
              HasSubstr("-1 elements"));
  EXPECT_THAT(refused(join("\x8a\x09", std::string(9, '\x01'))), HasSubstr("more than 64 bits"));
}

TEST(Pickle, NothingElseIsCalled) {
  const std::string system = "cos\nsystem\n" + kMark + text("touch /tmp/owned") + kTuple + kReduce;
  EXPECT_THAT(refused(system), AllOf(HasSubstr("os.system"), HasSubstr("nothing is called")));
  EXPECT_THAT(refused("cbuiltins\neval\n" + text("1") + "\x85R"), HasSubstr("builtins.eval"));
  EXPECT_THAT(refused("ctorch\nload\n" + text("x") + "\x85R"), HasSubstr("torch.load"));
  EXPECT_THAT(refused("cos\nFloatStorage\n"), HasSubstr("os.FloatStorage"));
  // Opcodes that make other objects: INST, OBJ, STACK_GLOBAL, EXT1.
  for (const std::string opcode : {"ios\nsystem\n", "o", "\x93", "\x82\x01"})
    EXPECT_THAT(refused(kMark + opcode), HasSubstr("opcode")) << opcode;
}

TEST(Pickle, WhatIsKnownCannotBeUsedOtherwise) {
  EXPECT_THAT(refused("ctorch\nFloatStorage\n)R"), HasSubstr("not to be called"));
  EXPECT_THAT(refused("ctorch\nFloatStorage\n)\x81"), HasSubstr("a class to make an object of"));
  EXPECT_THAT(refused(text("x") + ")R"), HasSubstr("calls a string"));
  EXPECT_THAT(refused("ccollections\nOrderedDict\n" + tuple({1}) + "R"), HasSubstr("OrderedDict"));
  EXPECT_THAT(refused("ctorch._utils\n_rebuild_parameter\n)R"), HasSubstr("from nothing"));
  EXPECT_THAT(refused(kRebuild + ")R"), HasSubstr("0 things"));
  EXPECT_THAT(refused(kRebuild + tuple({1, 2, 3, 4, 5, 6}) + "R"), HasSubstr("for the storage"));
  EXPECT_THAT(refused(tuple({1, 2, 3, 4, 5}) + "Q"), HasSubstr("for a sort of object"));
  EXPECT_THAT(refused(kMark + text("module") + kTuple + "Q"), HasSubstr("no storage"));
  EXPECT_THAT(refused("}}b"), HasSubstr("a dict for an object with a state"));
}

TEST(Pickle, WhatReachesBeyondTheStorage) {
  const auto outside = [](const std::string& pickle, const char* why) {
    EXPECT_THAT(refused(pickle), AllOf(HasSubstr("storage of 6 elements"), HasSubstr(why)));
  };
  outside(tensor(6, 0, {7}, {1}), "ends outside");
  outside(tensor(6, 1, {2, 3}, {3, 1}), "ends outside");
  outside(tensor(6, 0, {2, 3}, {4, 1}), "ends outside");
  outside(tensor(6, 7, {}, {}), "begins outside");
  outside(tensor(6, 6, {}, {}), "ends outside");
  outside(tensor(6, -1, {2}, {1}), "begins outside");
  outside(tensor(6, 5, {2}, {-1}), "not negative");
  outside(tensor(6, 0, {-2}, {1}), "no tensor has such sizes");
  outside(tensor(6, 0, {2}, {1, 1}), "a stride for each");
  outside(tensor(6, 0, {INT64_MAX}, {1}), "no tensor has such sizes");
  outside(tensor(6, 0, {2}, {INT64_MAX}), "ends outside");
  outside(tensor(6, 1, {2}, {INT64_MAX}), "ends outside");
  outside(tensor(6, 0, {int64_t{1} << 32, int64_t{1} << 32}, {0, 0}), "no tensor has such sizes");
  outside(tensor(6, 0, {3, 3}, {INT64_MAX / 2, INT64_MAX / 2}), "ends outside");
}

TEST(Pickle, TooManyDimensions) {
  const std::vector<int64_t> ones(65, 1);
  EXPECT_THAT(refused(tensor(1, 0, ones, ones)), HasSubstr("65 dimensions"));
}

TEST(Pickle, OtherThingsThanOneTensor) {
  EXPECT_THAT(refused("N"), HasSubstr("holds None"));
  EXPECT_THAT(refused(number(3)), HasSubstr("holds a number"));
  EXPECT_THAT(refused(tuple({1, 2})), HasSubstr("holds a tuple of 2"));
  EXPECT_THAT(refused(join("](", tensor(1, 0, {}, {}), "Ne")), HasSubstr("holds a list of 2"));
  EXPECT_THAT(refused(join("}", text("a"), tensor(1, 0, {}, {}), "s")), HasSubstr("a dict of 1"));
  EXPECT_THAT(refused(storage(1)), HasSubstr("holds a storage"));
  const std::string module = join("c__torch__\nModule\n)\x81}(", text("a"), "Nub");
  EXPECT_THAT(refused(module), HasSubstr("a module of 1"));
}

TEST(Pickle, TheMachineCannotBeBroken) {
  EXPECT_THAT(refusal([] { read_pickle(""); }), HasSubstr("middle of an opcode"));
  EXPECT_THAT(refused(""), HasSubstr("more from the stack"));
  EXPECT_THAT(refused("t"), HasSubstr("mark"));
  EXPECT_THAT(refused("N(\x85"), HasSubstr("more from the stack"));
  EXPECT_THAT(refused("h\x05"), HasSubstr("object 5 before"));
  EXPECT_THAT(refused("j\xff\xff\xff\xff"), HasSubstr("object 4294967295"));
  EXPECT_THAT(refused("X\xff\xff\xff\xff"), HasSubstr("middle of an opcode"));
  EXPECT_THAT(refused("ctorch"), HasSubstr("middle of a name"));
  EXPECT_THAT(refused("}(Nu"), HasSubstr("key without a value"));
  EXPECT_THAT(refused("NNa"), HasSubstr("None for a list"));
}

TEST(Pickle, DeepNestingAndCirclesCostNoStack) {
  EXPECT_THAT(refused(join(")", std::string(kMostPickle, '\x85'))), HasSubstr("a tuple of 1"));
  EXPECT_THAT(refused(std::string(kMostPickle, '(') + "N"), HasSubstr("None"));
  EXPECT_THAT(refused("]q\x01h\x01"
                      "a"),
              HasSubstr("a list of 1"));
  EXPECT_THAT(refused("}q\x01Nh\x01s"), HasSubstr("a dict of 1"));
  EXPECT_THAT(refused(join("c__torch__\nModule\n)\x81q\x01}", text("0"), "h\x01sb")),
              HasSubstr("a module of 1"));
}

TEST(Pickle, EveryBeginningOfOneIsRefused) {
  const std::string all = kProto + tensor(6, 0, {2, 3}, {3, 1}) + kStop;
  for (size_t size = 0; size < all.size(); ++size)
    refusal([&] { read_pickle(std::string_view(all).substr(0, size)); });
}

}  // namespace
}  // namespace rt::test
