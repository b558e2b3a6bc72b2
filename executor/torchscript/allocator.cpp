// allocator.cpp -- the allocator that stands before libtorch's own.
#include "executor/torchscript/allocator.h"

#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>

#include <array>
#include <bit>
#include <cstring>
#include <mutex>
#include <unordered_map>
#include <utility>

#include "graph/host_memory.h"

namespace rt::torchscript {
namespace {

/// Small blocks are given back by a function that knows their size: a result of a small operator
/// costs as much as the operator. Of larger ones the size is looked up.
constexpr size_t kSmall = size_t{64} << 10, kMost = size_t{1} << 40;
constexpr int kSmallSizes = 9;  ///< powers of two from 256 bytes on

template <size_t bytes>
void give_small(void* block) {
  give_block(block, static_cast<int64_t>(bytes));
}
template <int... power>
constexpr auto small_deleters(std::integer_sequence<int, power...>) {
  return std::array<c10::DeleterFnPtr, sizeof...(power)>{give_small<size_t{256} << power>...};
}
constexpr auto kGiveSmall = small_deleters(std::make_integer_sequence<int, kSmallSizes>());

thread_local int scopes = 0;

class Pooling final : public c10::Allocator {
 public:
  static Pooling& instance() {
    // Stays for good: libtorch may hold tensors until the process ends.
    static Pooling* const pooling = new Pooling;
    return *pooling;
  }
  c10::DataPtr allocate(size_t bytes) override {
    if (scopes == 0 || bytes > kMost) return before_->allocate(bytes);
    if (bytes <= kSmall) return small(bytes);
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
  c10::DataPtr small(size_t bytes) {
    const int power = bytes <= 256 ? 0 : std::bit_width((bytes - 1) >> 8);
    void* const block = take_block(int64_t{256} << power);
    if (!block) return before_->allocate(bytes);
    return {block, block, kGiveSmall[static_cast<size_t>(power)], c10::Device(c10::kCPU)};
  }

  Pooling() : before_(c10::GetCPUAllocator()) { c10::SetCPUAllocator(this); }

  /// Where libtorch keeps no DataPtr: of a large block of ours, or of one that malloc gave, as
  /// before_ takes it and small ones of ours are, too.
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
