// memory_test.cpp -- files when memory is short: each allocation fails in turn and gives an error.
#include <cstdlib>
#include <new>

#include "files/safetensors.h"
#include "files/torch_file.h"
#include "tests/files/rig.h"

namespace rt::test {
namespace {

/// Allocations that this thread may still make; negative: any count.
thread_local int64_t left = -1;

}  // namespace
}  // namespace rt::test

void* operator new(size_t bytes) {
  using rt::test::left;
  if (left == 0) throw std::bad_alloc();
  if (left > 0) --left;
  if (void* memory = std::malloc(bytes > 0 ? bytes : 1)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }

namespace rt::test {
namespace {

/// Runs `work` again and again, each time with one more allocation, until it succeeds.
template <class F>
void starve(F work) {
  for (int64_t most = 0; most < 100'000; ++most) {
    left = most;
    try {
      work();
      left = -1;
      return;
    } catch (const std::bad_alloc&) {
      left = -1;
    }
  }
  ADD_FAILURE() << "it never had enough";
}

using Memory = InFolder;

TEST_F(Memory, ShortWhileATorchFileIsRead) {
  std::vector<char> room(1 << 16);
  for (const char* name : {"f32.pt", "cpp_float.pt", "attributes_5.pt", "zip64.pt", "u16.pt"}) {
    const std::string file = fixture(name);
    starve([&] { files::load_torch_file(file, [&](DType, int64_t) { return room.data(); }); });
  }
}

TEST_F(Memory, ShortWhileATorchFileIsWritten) {
  const int64_t sizes[] = {2, 3};
  const std::string file = path("a.pt");
  const float numbers[6] = {1, 2, 3, 4, 5, 6};
  files::save_torch_file(file, DType::F32, sizes, numbers);
  const std::string whole = bytes_of(file);
  starve([&] { files::save_torch_file(file, DType::F32, sizes, numbers); });
  EXPECT_EQ(bytes_of(file), whole);
  EXPECT_EQ(names().size(), 1u);
}

TEST_F(Memory, ShortWhileSafetensorsAreReadAndWritten) {
  const std::string file = fixture("all.safetensors"), made = path("made.safetensors");
  starve([&] { files::Safetensors(file).names(); });
  const std::vector<files::Stored> tensors = {{"%0", DType::F32, {2}}};
  const float numbers[2] = {1, 2};
  starve([&] { files::save_safetensors(made, tensors, [&](size_t) { return numbers; }); });
  EXPECT_EQ(files::Safetensors(made).names(), "%0");
}

}  // namespace
}  // namespace rt::test
