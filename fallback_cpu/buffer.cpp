// buffer.cpp -- storage on the host.
#include "fallback_cpu/buffer.h"

#include <new>

#include "graph/error.h"
#include "graph/memory/host_memory.h"

namespace rt::cpu {
namespace {

constexpr int64_t kHeader = kAlignment;

/// A storage whose object lies in front of its data. A block holds its own size in bytes as an
/// int64_t, the object, and the data from kHeader on.
class HostStorage final : public Storage {
 public:
  static Ref<Storage> make(int64_t bytes, MemoryCount& memory) {
    void* const block = take_block(bytes + kHeader);
    if (!block) fail("out of memory: ", bytes, " bytes could not be allocated");
    *static_cast<int64_t*>(block) = bytes + kHeader;
    char* const start = static_cast<char*>(block);
    return Ref<Storage>(::new (start + sizeof(int64_t))
                            HostStorage(start + kHeader, bytes, memory));
  }
  static void operator delete(void* self) {
    char* const block = static_cast<char*>(self) - sizeof(int64_t);
    give_block(block, *reinterpret_cast<int64_t*>(block));
  }

 private:
  HostStorage(void* data, int64_t bytes, MemoryCount& memory)
      : Storage(data, bytes, Device{}, &memory) {}
};
static_assert(sizeof(int64_t) + sizeof(HostStorage) <= kHeader);

}  // namespace

BufferRef allocate(DType dtype, Sizes sizes, MemoryCount& memory) {
  const auto count = checked_numel(sizes);
  int64_t bytes = 0;
  constexpr int64_t kMost = INT64_MAX / 4;
  if (!count || __builtin_mul_overflow(*count, item_size(dtype), &bytes) || bytes > kMost)
    fail("out of memory: ", to_string(dtype, sizes), " is larger than any memory");
  Layout layout{Shape(sizes), contiguous_strides(sizes), 0};
  return BufferRef(new Buffer(HostStorage::make(bytes, memory), dtype, std::move(layout)));
}

}  // namespace rt::cpu
