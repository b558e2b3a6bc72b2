// allocator.cpp -- the allocator of recycled blocks, which falls back to libtorch's.
#include "executor/torchscript/allocator.h"

#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>

#include <array>
#include <cstring>
#include <utility>

#include "graph/error.h"
#include "graph/memory/host_memory.h"
#include "graph/memory/machine_memory.h"

namespace rt::torchscript {
namespace {

constexpr size_t kMaxPooled = size_t{1} << 40;
constexpr int kSizes = size_class(int64_t{1} << 40).id + 1;

/// One deleter for each size class, so that no list of blocks is needed, nor a lock for it that a
/// forked child could find taken.
template <int id>
void give_back(void* block) {
  give_block(block, class_bytes(id));
}
template <int... id>
constexpr auto deleters(std::integer_sequence<int, id...>) {
  static_assert(((size_class(class_bytes(id)).id == id) && ...));
  return std::array<c10::DeleterFnPtr, sizeof...(id)>{give_back<id>...};
}
constexpr auto kGiveBack = deleters(std::make_integer_sequence<int, kSizes>());

thread_local int scopes = 0;

class Pooling final : public c10::Allocator {
 public:
  static Pooling& instance() {
    // Never destroyed, because libtorch may hold tensors until the process ends.
    static Pooling* const pooling = new Pooling;
    return *pooling;
  }
  c10::DataPtr allocate(size_t bytes) override {
    if (scopes == 0 || bytes > kMaxPooled) return before_->allocate(bytes);
    const SizeClass size = size_class(static_cast<int64_t>(bytes));
    void* const block = take_block(size.bytes);
    if (!block && size.bytes > machine_memory())
      fail(bytes, " bytes are needed and this machine has ", machine_memory(), " for this process");
    // libtorch's allocator registers a thread-local object, which aborts without memory.
    if (!block) fail("out of memory: ", bytes, " bytes could not be allocated");
    return {block, block, kGiveBack[static_cast<size_t>(size.id)], c10::Device(c10::kCPU)};
  }
  /// For memory without a DataPtr. Our blocks come from malloc, so that before_ can free them.
  c10::DeleterFnPtr raw_deleter() const override { return before_->raw_deleter(); }
  void copy_data(void* to, const void* from, size_t count) const override {
    std::memcpy(to, from, count);
  }

 private:
  Pooling() : before_(c10::GetCPUAllocator()) { c10::SetCPUAllocator(this); }

  c10::Allocator* const before_;
};

}  // namespace

PooledMemory::PooledMemory() {
  Pooling::instance();
  ++scopes;
}
PooledMemory::~PooledMemory() { --scopes; }

}  // namespace rt::torchscript
