// torch_file_test.cpp -- files of one tensor: PyTorch's, ours, and refused ones.
#include "files/torch_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <memory>

#include "files/pickle.h"
#include "tests/files/archive.h"

namespace rt::test {
namespace {

using namespace rt::files;
using testing::AllOf;
using testing::ElementsAre;
using testing::ElementsAreArray;
using testing::HasSubstr;
using testing::StartsWith;

/// A loaded tensor: its storage, and its layout over that.
struct Loaded {
  DType dtype{};
  std::vector<double> storage;
  Layout layout;
};

Loaded load(const std::string& path) {
  std::vector<char> bytes;
  Loaded loaded;
  int64_t count = 0;
  loaded.layout = load_torch_file(path, [&](DType dtype, int64_t elements) {
    loaded.dtype = dtype;
    count = elements;
    bytes.resize(static_cast<size_t>(elements * item_size(dtype)));
    return bytes.data();
  });
  loaded.storage = numbers(loaded.dtype, bytes.data(), count);
  return loaded;
}

class TorchFile : public InFolder {
 protected:
  std::string refused(const std::string& path) const {
    const std::string message = refusal([&] { load(path); });
    EXPECT_THAT(message, StartsWith(path + ": "));
    return message;
  }
  /// A valid file with these entries added or replaced.
  std::string file_with(const Entries& changes) const {
    Entries entries = {
        {"archive/data.pkl", write_pickle({&element_of(DType::F32), "0", 2, {{2}, {1}, 0}})},
        {"archive/byteorder", "little"},
        {"archive/version", "3\n"},
        {"archive/data/0", std::string(8, '\0')}};
    for (const auto& [name, text] : changes) {
      const auto named = [&name = name](const auto& entry) { return entry.first == name; };
      const auto found = std::find_if(entries.begin(), entries.end(), named);
      if (found == entries.end()) entries.emplace_back(name, text);
      else found->second = text;
    }
    return write("made.pt", archive(entries));
  }
};

// ---- Files of PyTorch.

TEST_F(TorchFile, OfEveryDTypeFromPython) {
  for (int code = 0; code < kDTypes; ++code) {
    const auto dtype = static_cast<DType>(code);
    SCOPED_TRACE(name(dtype));
    const Loaded loaded = load(fixture(std::string(name(dtype)) + ".pt"));
    EXPECT_EQ(loaded.dtype, dtype);
    EXPECT_EQ(loaded.storage, fixture_numbers(dtype));
    EXPECT_EQ(loaded.layout.sizes, Shape({2, 3}));
    EXPECT_EQ(loaded.layout.strides, Shape({3, 1}));
  }
}

TEST_F(TorchFile, OfEveryDTypeFromCpp) {
  constexpr const char* kNames[kDTypes] = {"float", "double", "int",     "long",
                                           "bool",  "half",   "bfloat16"};
  for (int code = 0; code < kDTypes; ++code) {
    SCOPED_TRACE(kNames[code]);
    const Loaded loaded = load(fixture(std::string("cpp_") + kNames[code] + ".pt"));
    EXPECT_EQ(loaded.dtype, static_cast<DType>(code));
    EXPECT_EQ(loaded.storage, fixture_numbers(loaded.dtype));
    EXPECT_EQ(loaded.layout.sizes, Shape({2, 3}));
  }
}

TEST_F(TorchFile, OfIntegersThatAreWidened) {
  for (const char* name : {"i8.pt", "i16.pt"}) {
    const Loaded loaded = load(fixture(name));
    EXPECT_EQ(loaded.dtype, DType::I32);
    EXPECT_EQ(loaded.storage, fixture_numbers(DType::I32));
  }
  EXPECT_THAT(load(fixture("u8.pt")).storage, ElementsAre(1, 0, 1, 2, 3, 4));
}

TEST_F(TorchFile, OfViews) {
  for (const char* name : {"strided.pt", "cpp_strided.pt"}) {
    const Loaded strided = load(fixture(name));
    EXPECT_EQ(strided.storage, fixture_numbers(DType::F32));
    EXPECT_EQ(strided.layout.sizes, Shape({3, 2}));
    EXPECT_EQ(strided.layout.strides, Shape({1, 3}));
  }
  const Loaded offset = load(fixture("offset.pt"));
  EXPECT_EQ(offset.storage.size(), 10u);
  EXPECT_EQ(offset.layout.sizes, Shape({3}));
  EXPECT_EQ(offset.layout.strides, Shape({2}));
  EXPECT_EQ(offset.layout.offset, 4);
  const Loaded expanded = load(fixture("expanded.pt"));
  EXPECT_THAT(expanded.storage, ElementsAre(1, 2));
  EXPECT_EQ(expanded.layout.sizes, Shape({2, 3}));
  EXPECT_EQ(expanded.layout.strides, Shape({1, 0}));
}

TEST_F(TorchFile, OfWhatTakesPartInGradients) {
  for (const char* name : {"parameter.pt", "cpp_requires_grad.pt"})
    EXPECT_EQ(load(fixture(name)).storage, fixture_numbers(DType::F32));
}

TEST_F(TorchFile, OfOneElementAndOfNone) {
  for (const char* name : {"zero_dim.pt", "cpp_zero_dim.pt"}) {
    EXPECT_THAT(load(fixture(name)).storage, ElementsAre(3.5));
    EXPECT_EQ(load(fixture(name)).layout.sizes, Shape());
  }
  for (const char* name : {"empty.pt", "cpp_empty.pt"})
    EXPECT_EQ(load(fixture(name)).layout.sizes, Shape({0, 3}));
}

TEST_F(TorchFile, OfOtherWaysToSave) {
  EXPECT_EQ(load(fixture("cpp_pickle.pt")).storage, fixture_numbers(DType::F32));
  EXPECT_EQ(load(fixture("unchecked.pt")).storage, fixture_numbers(DType::F32));
}

TEST_F(TorchFile, OtherThingsThanATensorAreNamed) {
  const auto expect = [&](const char* name, const char* why) {
    EXPECT_THAT(refused(fixture(name)), HasSubstr(why));
  };
  expect("dict.pt", "a dict of 2");
  expect("list.pt", "a list of 2");
  expect("cpp_vector.pt", "a module of 2");
  expect("number.pt", "a number");
  expect("model.pt", "torch.nn.modules.linear.Linear");
  expect("script.pt", "__torch__.torch.nn.modules.linear.Linear");
  expect("quantized.pt", "a quantized tensor");
  expect("sparse.pt", "a sparse tensor");
  expect("sparse_csr.pt", "a sparse tensor");
  expect("nested.pt", "a nested tensor");
  expect("meta.pt", "no values");
  expect("conjugated.pt", "metadata conj");
  expect("complex.pt", "C64");
  expect("legacy.pt", "before 1.6");
  expect("all.safetensors", "not a file of torch.save");
}

TEST_F(TorchFile, OfTypesWithoutAStorage) {
  const Loaded two = load(fixture("u16.pt")), four = load(fixture("u32.pt"));
  EXPECT_EQ(two.dtype, DType::I32);
  EXPECT_THAT(two.storage, ElementsAre(1, 65535));
  EXPECT_EQ(four.dtype, DType::I64);
  EXPECT_THAT(four.storage, ElementsAre(1, 4294967295.0));
  EXPECT_EQ(load(fixture("cpp_u16.pt")).storage, two.storage);
}

TEST_F(TorchFile, OfWhatIsNegatedLater) {
  const Loaded negated = load(fixture("negated.pt"));
  EXPECT_THAT(negated.storage, ElementsAreArray({1., 0., -1., -2., -3., -4.}));
  EXPECT_THAT(load(fixture("negated_i8.pt")).storage, ElementsAre(1, 0, -128));
  EXPECT_THAT(load(fixture("negated_f16.pt")).storage, ElementsAre(0xbc00, 0x8000));
}

TEST_F(TorchFile, OfTensorsWithAttributes) {
  for (const char* name : {"buffer.pt", "attributes.pt", "parameter_with_attributes.pt"})
    EXPECT_EQ(load(fixture(name)).storage, fixture_numbers(DType::F32)) << name;
}

TEST_F(TorchFile, OfOtherProtocols) {
  for (const char* name : {"protocol_3.pt", "protocol_4.pt", "protocol_5.pt"})
    EXPECT_EQ(load(fixture(name)).storage, fixture_numbers(DType::F32)) << name;
  for (const char* name : {"attributes_4.pt", "attributes_5.pt"})
    EXPECT_EQ(load(fixture(name)).storage, fixture_numbers(DType::F32)) << name;
}

TEST_F(TorchFile, OfBigEndianMachines) {
  EXPECT_THAT(load(file_with({{"archive/byteorder", "big"},
                              {"archive/data/0", std::string("\x3f\x80\0\0\xc0\0\0\0", 8)}}))
                  .storage,
              ElementsAre(1, -2));
}

TEST_F(TorchFile, OfSizesOf64Bits) {
  EXPECT_THAT(load(fixture("zip64.pt")).storage, ElementsAre(1, 2, 3, 4, 5, 6));
}

TEST_F(TorchFile, WithCommentsAndWhatLiesBehindThem) {
  std::string bytes = bytes_of(fixture("f32.pt"));
  const size_t end = bytes.rfind("PK\5\6");
  for (const std::string& comment : {std::string("a note"), std::string(0xffff, 'x')}) {
    std::string noted = bytes + comment;
    patch<uint16_t>(noted, end + 20, static_cast<uint16_t>(comment.size()));
    EXPECT_EQ(load(write("noted.pt", noted)).storage, fixture_numbers(DType::F32));
    EXPECT_THAT(refused(write("cut.pt", noted.substr(0, noted.size() - 1))),
                HasSubstr("no zip archive"));
  }
}

// ---- Our files.

TEST_F(TorchFile, EveryDTypeReadsBack) {
  const std::string data("\x00\x01\x01\x00\x00\x00\x00\x00\x01\x01\x01\x00\x00\x00\x00\x01", 16);
  for (int code = 0; code < kDTypes; ++code) {
    const auto dtype = static_cast<DType>(code);
    const int64_t columns = 8 / item_size(dtype), sizes[] = {2, columns};
    save_torch_file(path("a.pt"), dtype, sizes, data.data());
    const Loaded loaded = load(path("a.pt"));
    EXPECT_EQ(loaded.dtype, dtype);
    EXPECT_EQ(loaded.layout.sizes, Shape(sizes));
    EXPECT_EQ(loaded.layout.strides, Shape({columns, 1}));
    EXPECT_EQ(loaded.storage, numbers(dtype, data.data(), 2 * columns));
  }
  EXPECT_THAT(names(), ElementsAre("a.pt"));
}

TEST_F(TorchFile, OneElementAndNoneReadBack) {
  const double number = 2.5;
  save_torch_file(path("a.pt"), DType::F64, {}, &number);
  EXPECT_THAT(load(path("a.pt")).storage, ElementsAre(2.5));
  const int64_t sizes[] = {3, 0};
  save_torch_file(path("a.pt"), DType::F64, sizes, nullptr);
  EXPECT_EQ(load(path("a.pt")).layout.sizes, Shape(sizes));
}

TEST_F(TorchFile, DataLiesAtAMultipleOf64) {
  const int64_t sizes[] = {1};
  const uint64_t mark = 0x0123456789abcdef;
  save_torch_file(path("a.pt"), DType::F64, sizes, &mark);
  EXPECT_EQ(bytes_of(path("a.pt")).find(raw(mark)) % 64, 0u);
}

TEST_F(TorchFile, AFailedSaveLeavesTheOldFileWhole) {
  const std::vector<double> small(10, 1), big(100'000, 2);
  const int64_t few[] = {10}, many[] = {100'000};
  save_torch_file(path("a.pt"), DType::F64, few, small.data());
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit before;
  getrlimit(RLIMIT_FSIZE, &before);
  const rlimit less{100'000, before.rlim_max};
  setrlimit(RLIMIT_FSIZE, &less);
  const std::string message =
      refusal([&] { save_torch_file(path("a.pt"), DType::F64, many, big.data()); });
  setrlimit(RLIMIT_FSIZE, &before);
  EXPECT_THAT(message, AllOf(StartsWith(path("a.pt") + ": "), HasSubstr("cannot be written"),
                             HasSubstr("too large")));
  EXPECT_EQ(load(path("a.pt")).storage, small);
  EXPECT_THAT(names(), ElementsAre("a.pt"));
}

TEST_F(TorchFile, ACrashWhileSavingLeavesTheOldFileWhole) {
  const std::vector<double> small(10, 1), big(100'000, 2);
  const int64_t few[] = {10}, many[] = {100'000};
  save_torch_file(path("a.pt"), DType::F64, few, small.data());
  const pid_t child = fork();
  if (child == 0) {
    std::signal(SIGXFSZ, SIG_DFL);  // so that a write beyond the limit kills the process
    const rlimit none{0, 0}, less{100'000, 100'000};
    setrlimit(RLIMIT_CORE, &none);
    setrlimit(RLIMIT_FSIZE, &less);
    save_torch_file(path("a.pt"), DType::F64, many, big.data());
    _exit(0);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGXFSZ);
  EXPECT_EQ(load(path("a.pt")).storage, small);
}

// Runs only on demand (--gtest_also_run_disabled_tests), because it takes 5 GB of memory.
TEST_F(TorchFile, DISABLED_FiveGigabytesReadBack) {
  constexpr int64_t kElements = 640'000'000, kBytes = kElements * 8;
  const auto room = [] {
    void* bytes = mmap(nullptr, kBytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return bytes == MAP_FAILED ? nullptr : static_cast<double*>(bytes);
  };
  double *const data = room(), *const back = room();
  ASSERT_TRUE(data && back);
  data[0] = 1;
  data[kElements - 1] = 2;
  int file = open(path("big.pt").c_str(), O_RDWR | O_CREAT, 0600);
  {
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> stream(sparse_stream(file), std::fclose);
    ZipWriter zip(stream.get());
    const std::string pickle =
        write_pickle({&element_of(DType::F64), "0", kElements, {{kElements}, {1}, 0}});
    zip.add("archive/data/0", data, kBytes);
    zip.add("archive/data.pkl", pickle.data(), std::ssize(pickle));
    zip.add("archive/version", "3\n", 2);
    zip.finish();
  }
  close(file);
  EXPECT_EQ(load_torch_file(path("big.pt"), [&](DType, int64_t) { return back; }).sizes,
            Shape({kElements}));
  EXPECT_EQ(back[0], 1);
  EXPECT_EQ(back[kElements - 1], 2);
  munmap(data, kBytes);
  munmap(back, kBytes);
}

// ---- Damaged and false files.

TEST_F(TorchFile, AMadeFileIsGood) {
  EXPECT_THAT(load(file_with({})).storage, ElementsAre(0, 0));
  EXPECT_THAT(load(file_with({{"archive/byteorder", "little"}})).storage, ElementsAre(0, 0));
}

TEST_F(TorchFile, EveryCutIsNoticed) {
  for (const char* name : {"f32.pt", "cpp_float.pt"}) {
    const std::string all = bytes_of(fixture(name));
    for (size_t size = 0; size < all.size(); ++size) refused(write("cut.pt", all.substr(0, size)));
  }
}

TEST_F(TorchFile, NoSingleDamageIsLoadedAsAnotherTensor) {
  const std::string all = bytes_of(fixture("f32.pt"));
  for (size_t at = 0; at < all.size(); ++at) {
    std::string damaged = all;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x41);
    const std::string file = write("damaged.pt", damaged);
    try {
      EXPECT_EQ(load(file).storage, fixture_numbers(DType::F32)) << at;
    } catch (const Error& error) {
      EXPECT_THAT(error.text(), StartsWith(file + ": "));
    }
  }
}

TEST_F(TorchFile, SizesThatDoNotAgree) {
  for (const size_t size : {0, 4, 7, 9, 16})
    EXPECT_THAT(refused(file_with({{"archive/data/0", std::string(size, '\0')}})),
                AllOf(HasSubstr("archive/data/0"), HasSubstr(std::to_string(size) + " bytes"),
                      HasSubstr("2 elements")));
  const std::string huge =
      write_pickle({&element_of(DType::F64), "0", INT64_MAX, {{INT64_MAX / 8}, {1}, 0}});
  EXPECT_THAT(refused(file_with({{"archive/data.pkl", huge}})),
              HasSubstr("8 bytes, and the pickle asks for 9223"));
}

TEST_F(TorchFile, NoRoomIsMadeForWhatIsPackedSmall) {
  const std::string pickle =
      write_pickle({&element_of(DType::F64), "0", 500'000'000, {{500'000'000}, {1}, 0}});
  std::string bytes = bytes_of(file_with({{"archive/data.pkl", pickle}}));
  patch<uint16_t>(bytes, central_field(bytes, "archive/data/0", kCentralMethod), 8);
  patch<uint32_t>(bytes, central_field(bytes, "archive/data/0", kCentralSize), 4'000'000'000);
  const std::string bomb = write("bomb.pt", bytes);
  const auto no_room = [](DType, int64_t) -> void* {
    ADD_FAILURE() << "room was asked for";
    return nullptr;
  };
  EXPECT_THAT(refusal([&] { load_torch_file(bomb, no_room); }), HasSubstr("compressed"));
}

TEST_F(TorchFile, AStorageThatIsNotThere) {
  for (const char* key : {"1", "../data.pkl", ""}) {
    const std::string pickle = write_pickle({&element_of(DType::F32), key, 2, {{2}, {1}, 0}});
    EXPECT_THAT(refused(file_with({{"archive/data.pkl", pickle}})),
                HasSubstr(std::string("no entry archive/data/") + key));
  }
}

TEST_F(TorchFile, OtherByteOrdersAndVersions) {
  EXPECT_THAT(refused(file_with({{"archive/byteorder", "middle"}})), HasSubstr("\"middle\""));
  EXPECT_THAT(refused(file_with({{"archive/version", "11\n"}})), HasSubstr("\"11\\n\""));
  EXPECT_THAT(refused(file_with({{"archive/version", "three"}})), HasSubstr("three"));
  EXPECT_THAT(refused(file_with({{"archive/version", std::string(1000, '3')}})),
              HasSubstr("too long"));
}

TEST_F(TorchFile, ArchivesOfOtherPrograms) {
  EXPECT_THAT(refused(write("a.pt", archive({{"hello.txt", "hello"}}))),
              HasSubstr("without data.pkl"));
  EXPECT_THAT(refused(write("a.pt", archive({{"data.pkl", "N."}}))), HasSubstr("without data.pkl"));
  EXPECT_THAT(refused(file_with({{"other/data.pkl", "N."}})), HasSubstr("two pickles"));
  EXPECT_THAT(refused(write("a.pt", archive({{"archive/data.pkl", "N."}}))),
              HasSubstr("no entry archive/version"));
}

TEST_F(TorchFile, PicklesThatAreNoTensors) {
  EXPECT_THAT(refused(file_with({{"archive/data.pkl", "cos\nsystem\n."}})),
              HasSubstr("its pickle names os.system"));
  EXPECT_THAT(refused(file_with({{"archive/data.pkl", std::string(kMaxPickle + 1, 'N')}})),
              HasSubstr("1048577 bytes, more than one tensor needs"));
}

TEST_F(TorchFile, WhatIsNoFileOfTensors) {
  EXPECT_THAT(refused(path("none.pt")), HasSubstr("No such file"));
  EXPECT_THAT(refused(write("a.pt", "")), HasSubstr("is empty"));
  EXPECT_THAT(refused(write("a.pt", "P")), HasSubstr("not a file of torch.save"));
  EXPECT_THAT(refused(write("a.pt", "PK\3\4 and so on")), HasSubstr("no zip archive"));
  EXPECT_THAT(refused("/dev/null"), HasSubstr("not a regular file"));
}

}  // namespace
}  // namespace rt::test
