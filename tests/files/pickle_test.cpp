// pickle_test.cpp -- pickles of one tensor are read, all others are refused.
#include "files/pickle.h"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/files/rig.h"

namespace rt::test {
namespace {

using namespace rt::files;
using testing::AllOf;
using testing::HasSubstr;

// Parts of a pickle as Python writes them.
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
  EXPECT_EQ(with("\x8b" + raw(uint32_t{2}) + "\xff\x7f"), 32767);
  // An attribute may have more than 64 bits, a size may not.
  EXPECT_THAT(refused(kMark + text("storage") + "ctorch\nByteStorage\n" + text("0") + text("cpu") +
                      "\x8a\x09" + std::string(9, '\x01') + kTuple + "Q"),
              HasSubstr("a plain object in place of the size of a storage"));
}

TEST(Pickle, NothingElseIsCalled) {
  const std::string system = "cos\nsystem\n" + kMark + text("touch /tmp/owned") + kTuple + kReduce;
  EXPECT_THAT(refused(system), AllOf(HasSubstr("os.system"), HasSubstr("nothing is called")));
  EXPECT_THAT(refused("cbuiltins\neval\n" + text("1") + "\x85R"), HasSubstr("builtins.eval"));
  EXPECT_THAT(refused("ctorch\nload\n" + text("x") + "\x85R"), HasSubstr("torch.load"));
  EXPECT_THAT(refused("cos\nFloatStorage\n"), HasSubstr("os.FloatStorage"));
  EXPECT_THAT(refused(text("os") + text("system") + "\x93"), HasSubstr("os.system"));
  // Opcodes that create other objects: INST, OBJ, NEWOBJ_EX, EXT1.
  for (const std::string opcode : {"ios\nsystem\n", "o", "\x92", "\x82\x01"})
    EXPECT_THAT(refused(kMark + opcode), HasSubstr("opcode")) << opcode;
}

TEST(Pickle, WhatIsKnownCannotBeUsedOtherwise) {
  EXPECT_THAT(refused("ctorch\nFloatStorage\n)R"), HasSubstr("cannot be called"));
  EXPECT_THAT(refused("ctorch\nFloatStorage\n)\x81"), HasSubstr("a class to make an object of"));
  EXPECT_THAT(refused(text("x") + ")R"), HasSubstr("calls a string"));
  EXPECT_THAT(refused("ccollections\nOrderedDict\n" + tuple({1}) + "R"), HasSubstr("OrderedDict"));
  EXPECT_THAT(refused("ctorch._utils\n_rebuild_parameter\n)R"), HasSubstr("0 arguments"));
  EXPECT_THAT(refused(kRebuild + ")R"), HasSubstr("0 arguments"));
  EXPECT_THAT(refused(kRebuild + tuple({1, 2, 3, 4, 5, 6}) + "R"),
              HasSubstr("in place of the storage"));
  EXPECT_THAT(refused(tuple({1, 2, 3, 4, 5}) + "Q"), HasSubstr("in place of a sort of object"));
  EXPECT_THAT(refused(kMark + text("module") + kTuple + "Q"), HasSubstr("not a storage"));
  EXPECT_THAT(refused("]}b"), HasSubstr("a list in place of an object with a state"));
  EXPECT_THAT(refused("ctorch\nTensor\n)R"), HasSubstr("cannot be called"));
  EXPECT_THAT(refused("ctorch\nSize\n)R"), HasSubstr("torch.Size"));
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
  outside(tensor(6, 5, {2}, {-1}), "must not be negative");
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
  EXPECT_THAT(refused("NNa"), HasSubstr("None in place of a list"));
}

TEST(Pickle, DeepNestingAndCirclesCostNoStack) {
  EXPECT_THAT(refused(join(")", std::string(60'000, '\x85'))), HasSubstr("a tuple of 1"));
  EXPECT_THAT(refused(std::string(kMaxPickle, '(') + "N"), HasSubstr("None"));
  EXPECT_THAT(refused("]q\x01h\x01"
                      "a"),
              HasSubstr("a list of 1"));
  EXPECT_THAT(refused("}q\x01Nh\x01s"), HasSubstr("a dict of 1"));
  EXPECT_THAT(refused(join("c__torch__\nModule\n)\x81q\x01}", text("0"), "h\x01sb")),
              HasSubstr("a module of 1"));
}

// ---- Forms in which PyTorch saves one tensor.

/// A call of _rebuild_tensor_v3, whose storage is bytes of `type`.
std::string typed_tensor(const std::string& type, int64_t bytes, int64_t elements,
                         const std::string& metadata = "") {
  return "ctorch._utils\n_rebuild_tensor_v3\n" + kMark + kMark + text("storage") +
         "ctorch.storage\nUntypedStorage\n" + text("0") + text("cpu") + number(bytes) + kTuple +
         "Q" + number(0) + tuple({elements}) + tuple({1}) + "\x89" + kHooks + "ctorch\n" + type +
         "\n" + metadata + kTuple + kReduce;
}
/// A tensor of a Python class: the arguments of `tensor`, a class and attributes.
std::string with_attributes(const std::string& tensor, const std::string& state,
                            const std::string& type = "ctorch\nTensor\n") {
  const size_t arguments = tensor.find(kMark);
  return "ctorch._tensor\n_rebuild_from_type_v2\n" + kMark + tensor.substr(0, arguments) + type +
         tensor.substr(arguments, tensor.size() - arguments - 1) + state + kTuple + kReduce;
}

TEST(Pickle, ReadsTensorsOfTypesWithoutAStorage) {
  const PickledTensor two = read_pickle(kProto + typed_tensor("uint16", 6, 3) + kStop);
  EXPECT_EQ(two.element, find_by_torch("uint16"));
  EXPECT_EQ(two.elements, 3);
  const PickledTensor four = read_pickle(kProto + typed_tensor("uint32", 8, 2) + kStop);
  EXPECT_EQ(four.element, find_by_torch("uint32"));
  EXPECT_EQ(four.elements, 2);
  EXPECT_THAT(refused(typed_tensor("uint32", 6, 1)), HasSubstr("storage of 6 elements of 8 bits"));
  EXPECT_THAT(refused(typed_tensor("uint32", 8, 3)), HasSubstr("ends outside"));
  EXPECT_THAT(refused(typed_tensor("uint32", INT64_MAX, 1)),
              HasSubstr("bits for a tensor of 32-bit elements"));
  EXPECT_THAT(refused(typed_tensor("quint8", 8, 1)), HasSubstr("torch.quint8"));
}

TEST(Pickle, ReadsTheFirstVersion) {
  const std::string first = "ctorch._utils\n_rebuild_tensor\n" + kMark + storage(6) + number(1) +
                            tuple({5}) + tuple({1}) + kTuple + kReduce;
  EXPECT_EQ(read_pickle(kProto + first + kStop).layout.offset, 1);
}

TEST(Pickle, ReadsWhatIsNegatedLater) {
  const auto with = [](const std::string& metadata) {
    const std::string plain = tensor(2, 0, {2}, {1});
    return plain.substr(0, plain.size() - 2) + metadata + kTuple + kReduce;
  };
  EXPECT_TRUE(read_pickle(kProto + with("}" + text("neg") + "\x88s") + kStop).negated);
  EXPECT_FALSE(read_pickle(kProto + with("}") + kStop).negated);
  EXPECT_FALSE(read_pickle(kProto + with("N") + kStop).negated);
  // PyTorch reads only the name, and always writes True.
  EXPECT_THAT(refused(with("}" + text("neg") + "\x89s")), HasSubstr("metadata neg"));
  EXPECT_THAT(refused(with("}" + text("conj") + "\x88s")), HasSubstr("metadata conj"));
  EXPECT_THAT(refused(with("}" + text("new") + "\x88s")), HasSubstr("metadata new"));
  EXPECT_THAT(refused(typed_tensor("bool", 1, 1, "}" + text("neg") + "\x88s")),
              HasSubstr("metadata neg"));
  EXPECT_TRUE(read_pickle(kProto + typed_tensor("int8", 1, 1, "}" + text("neg") + "\x88s") + kStop)
                  .negated);
}

TEST(Pickle, ReadsTensorsWithAttributes) {
  const std::string plain = tensor(6, 0, {2, 3}, {3, 1});
  const std::string values =  // a float, bytes, a set, a device, an OrderedDict with a state
      "}(" + text("f") + "G\x3f\xf0" + std::string(6, '\0') + text("b") + "C\x02\xff\xfe" +
      text("s") + "\x8f(K\x01\x90" + text("d") + "ctorch\ndevice\n" + text("cpu") + "\x85R" +
      text("o") + kHooks + "}b" + text("l") + "](K\x01Ne" + text("t") + plain + "u";
  for (const std::string& state : {std::string("}"), std::string("N"), values, values + "N\x86"})
    for (const char* type : {"ctorch\nTensor\n", "ctorch.nn.parameter\nParameter\n"})
      EXPECT_EQ(read_pickle(kProto + with_attributes(plain, state, type) + kStop).layout.sizes,
                Shape({2, 3}));
  const std::string parameter = "ctorch._utils\n_rebuild_parameter_with_state\n" + kMark + plain +
                                "\x88" + kHooks + values + kTuple + kReduce;
  EXPECT_EQ(read_pickle(kProto + parameter + kStop).layout.sizes, Shape({2, 3}));
}

TEST(Pickle, NoAttributeChangesWhatATensorHolds) {
  const std::string plain = tensor(6, 0, {2, 3}, {3, 1});
  for (const char* name : {"data", "real", "imag"})
    EXPECT_THAT(refused(with_attributes(plain, "}" + text(name) + plain + "s")),
                HasSubstr(std::string("attribute ") + name));
  EXPECT_THAT(refused(with_attributes(plain, "}", "cmy.module\nTensor\n")),
              HasSubstr("my.module.Tensor"));
  EXPECT_THAT(refused(with_attributes(plain, "K\x01")), HasSubstr("in place of the attributes"));
}

TEST(Pickle, OtherSortsOfTensorsAreNamed) {
  const auto maker = [](const std::string& name) {
    return refused("ctorch._utils\n" + name + "\n");
  };
  EXPECT_THAT(maker("_rebuild_sparse_tensor"), HasSubstr("a sparse tensor"));
  EXPECT_THAT(maker("_rebuild_qtensor"), HasSubstr("a quantized tensor"));
  EXPECT_THAT(maker("_rebuild_nested_tensor"), HasSubstr("a nested tensor"));
  EXPECT_THAT(maker("_rebuild_meta_tensor_no_storage"), HasSubstr("no values"));
}

TEST(Pickle, ProtocolsFourAndFive) {
  const auto brief = [](std::string_view value) {
    return join("\x8c", static_cast<char>(value.size()), value, "\x94");
  };
  const auto global = [&](std::string_view module, std::string_view name) {
    return brief(module) + brief(name) + "\x93\x94";
  };
  const std::string body = global("torch._utils", "_rebuild_tensor_v2") + "((" + brief("storage") +
                           global("torch", "FloatStorage") + brief("0") + brief("cpu") +
                           "K\x06t\x94QK" + std::string(1, '\0') +
                           "K\x02K\x03\x86\x94K\x03K\x01\x86\x94\x89" +
                           global("collections", "OrderedDict") + ")R\x94t\x94R\x94.";
  for (const char* opening : {"\x80\x04\x95", "\x80\x05\x95"})
    EXPECT_EQ(read_pickle(opening + raw(uint64_t{body.size()}) + body).layout.sizes, Shape({2, 3}));
}

TEST(Pickle, MessagesHaveNoControlCharacters) {
  EXPECT_THAT(refused("c\x1b[2J\xff\nna\rme\n"), HasSubstr("\\x1b[2J\\xff.na\\rme"));
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // they delay frees
TEST(Pickle, TakesLittleMemoryWhateverItSays) {
  const auto repeated = [](std::string head, const std::string& piece) {
    while (head.size() < 66'000) head += piece;
    return kProto + head + kStop;
  };
  const std::string ones = tuple(std::vector<int64_t>(64, 1));
  std::string dict = "}q\x01(";
  for (int i = 0; i < 5'000; ++i) dict += "h\x01h\x01";
  const std::string pickles[] = {
      // Modules that share a large state, tensors of many dimensions, and as many objects as fit.
      repeated("c__torch__\nModule\nq\x02" + dict + "u",
               "h\x02)\x81h\x01"
               "b"),
      repeated(
          kRebuild + "q\x01(" + storage(1) + number(0) + ones + ones + "\x89" + kHooks + "tq\x02",
          "h\x01h\x02R"),
      repeated(")", "\x85"),
      repeated("", "]"),
      repeated("N", "\x94"),
      repeated("", "(")};
  for (const std::string& pickle : pickles) {
    const pid_t child = fork();
    if (child == 0) {
      rusage before, after;
      getrusage(RUSAGE_SELF, &before);
      try {
        read_pickle(pickle);
      } catch (const Error&) {
      }
      getrusage(RUSAGE_SELF, &after);
      _exit(after.ru_maxrss - before.ru_maxrss < 24'000 ? 0 : 1);  // KiB
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0) << pickle.substr(0, 20);
  }
}
#endif

TEST(Pickle, EveryBeginningOfOneIsRefused) {
  const std::string all = kProto + tensor(6, 0, {2, 3}, {3, 1}) + kStop;
  for (size_t size = 0; size < all.size(); ++size)
    refusal([&] { read_pickle(std::string_view(all).substr(0, size)); });
}

}  // namespace
}  // namespace rt::test
