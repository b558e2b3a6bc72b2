// readers.cpp -- properties that a file reader must have for any input, beyond returning at all.
#include "tests/fuzz_files/readers.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "files/pickle.h"
#include "files/safetensors.h"
#include "files/torch_file.h"
#include "graph/error.h"

namespace rt::test {
namespace {

using namespace rt::files;

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "a reader broke its promise: %s\n", what);
  std::abort();
}

/// A file in memory.
class MemoryFile {
 public:
  explicit MemoryFile(Bytes bytes) : descriptor_(memfd_create("fuzz", MFD_CLOEXEC)) {
    require(write(descriptor_, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()),
            "the file in memory cannot be written");
  }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;
  ~MemoryFile() { close(descriptor_); }
  std::string path() const { return "/proc/self/fd/" + std::to_string(descriptor_); }

 private:
  int descriptor_;
};

/// Runs a reader, which may only throw errors that name the file.
template <class F>
void expect_sound(const std::string& path, F read) {
  try {
    read();
  } catch (const Error& error) {
    require(error.text().starts_with(path + ": "), "an error opens with the name of the file");
  }
}

/// Reads each byte, so that sanitizers notice an uninitialised one, and expects bools of 0 or 1.
void look_at(DType dtype, const std::vector<unsigned char>& bytes) {
  for (const unsigned char byte : bytes)
    require(dtype != DType::Bool || byte <= 1, "bools are 0 or 1");
}

bool within(const Layout& layout, int64_t elements) {
  if (numel(layout.sizes) == 0) return true;
  int64_t last = layout.offset;
  for (uint32_t d = 0; d < layout.sizes.size(); ++d)
    last += (layout.sizes[d] - 1) * layout.strides[d];
  return layout.offset >= 0 && last < elements;
}

}  // namespace

void fuzz_pickle(Bytes bytes) {
  try {
    const PickledTensor tensor =
        read_pickle({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    require(within(tensor.layout, tensor.elements), "a tensor lies within its storage");
    const PickledTensor again = read_pickle(write_pickle(tensor));
    require(again.element == tensor.element && again.key == tensor.key &&
                again.elements == tensor.elements && again.layout.sizes == tensor.layout.sizes &&
                again.layout.strides == tensor.layout.strides &&
                again.layout.offset == tensor.layout.offset,
            "what was read reads back when it is written");
  } catch (const Error& error) {
    require(!error.text().empty(), "an error says what is wrong");
  }
}

void fuzz_torch_file(Bytes bytes) {
  const MemoryFile file(bytes);
  expect_sound(file.path(), [&] {
    DType dtype{};
    int64_t count = 0;
    std::vector<unsigned char> storage;
    const Layout layout = load_torch_file(file.path(), [&](DType held, int64_t elements) {
      dtype = held;
      count = elements;
      require(elements <= static_cast<int64_t>(bytes.size()), "nothing is longer than its file");
      storage.resize(static_cast<size_t>(elements * item_size(held)));
      return storage.data();
    });
    require(within(layout, count), "a tensor lies within its storage");
    look_at(dtype, storage);
  });
}

void fuzz_safetensors(Bytes bytes) {
  const MemoryFile file(bytes);
  expect_sound(file.path(), [&] {
    const Safetensors opened(file.path());
    expect_sound(file.path(), [&] { opened.names(); });
    for (const Safetensors::Tensor& tensor : opened.tensors()) {
      require(&opened.at(tensor.name) == &tensor, "a tensor is found by its name");
      expect_sound(file.path(), [&] {
        const DType dtype = opened.dtype(tensor);
        const int64_t count = numel(tensor.sizes);
        require(count <= static_cast<int64_t>(bytes.size()), "nothing is longer than its file");
        std::vector<unsigned char> data(static_cast<size_t>(count * item_size(dtype)));
        opened.read(tensor, data.data());
        look_at(dtype, data);
      });
    }
  });
}

}  // namespace rt::test
