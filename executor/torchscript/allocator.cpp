// allocator.cpp -- the allocator that stands before libtorch's own.
#include "executor/torchscript/allocator.h"

#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>

#include <cstring>
#include <mutex>
#include <unordered_map>

#include "graph/host_memory.h"

namespace rt::torchscript {
namespace {

/// Below this libtorch's allocator gets memory that was used before anyway.
constexpr size_t kLeast = size_t{64} << 10, kMost = size_t{1} << 40;

thread_local int scopes = 0;

class Pooling final : public c10::Allocator {
 public:
  static Pooling& instance() {
    // Stays for good: libtorch may hold tensors until the process ends.
    static Pooling* const pooling = new Pooling;
    return *pooling;
  }
  c10::DataPtr allocate(size_t bytes) override {
    if (scopes == 0 || bytes < kLeast || bytes > kMost) return before_->allocate(bytes);
    void* const block = take_block(static_cast<int64_t>(bytes));
    if (!block) return before_->allocate(bytes);  // its error is the one that users know
    const std::lock_guard lock(mutex_);
    blocks_[block] = static_cast<int64_t>(bytes);
    return {block, block, give_back, c10::Device(c10::kCPU)};
  }
  c10::DeleterFnPtr raw_deleter() const override {
    return before_->raw_deleter() ? give_back : nullptr;
  }
  void copy_data(void* to, const void* from, size_t count) const override {
    std::memcpy(to, from, count);
  }

 private:
  Pooling() : before_(c10::GetCPUAllocator()) { c10::SetCPUAllocator(this); }

  /// Of a block of ours or, where libtorch keeps no DataPtr, of one that came from before_.
  static void give_back(void* block) {
    Pooling& pooling = instance();
    int64_t bytes = 0;
    {
      const std::lock_guard lock(pooling.mutex_);
      const auto found = pooling.blocks_.find(block);
      if (found != pooling.blocks_.end()) {
        bytes = found->second;
        pooling.blocks_.erase(found);
      }
    }
    if (bytes > 0) give_block(block, bytes);
    else pooling.before_->raw_deleter()(block);
  }

  c10::Allocator* const before_;
  std::mutex mutex_;
  std::unordered_map<void*, int64_t> blocks_;  ///< in use
};

}  // namespace

PooledMemory::PooledMemory() {
  Pooling::instance();
  ++scopes;
}
PooledMemory::~PooledMemory() { --scopes; }

}  // namespace rt::torchscript
