// buffer.h -- concrete tensors: reference-counted storages, and layouts over them.
#pragma once
#include <atomic>
#include <utility>

#include "graph/types.h"

namespace rt {

/// Bytes of live storages, now and at most. Every storage adds and subtracts its own.
struct MemoryCount {
  std::atomic<int64_t> live{0}, peak{0};
  void add(int64_t bytes) {
    const int64_t now = live.fetch_add(bytes, std::memory_order_relaxed) + bytes;
    int64_t most = peak.load(std::memory_order_relaxed);
    while (now > most && !peak.compare_exchange_weak(most, now, std::memory_order_relaxed)) {
    }
  }
};

/// An intrusive reference: one pointer wide, so that a node can hold it.
template <class T>
class Ref {
 public:
  Ref() = default;
  explicit Ref(T* adopted) : pointer_(adopted) {}  ///< takes over one reference
  Ref(const Ref& other) : pointer_(other.pointer_) {
    if (pointer_) pointer_->retain();
  }
  Ref(Ref&& other) noexcept : pointer_(std::exchange(other.pointer_, nullptr)) {}
  ~Ref() {
    if (pointer_) pointer_->drop();
  }
  Ref& operator=(Ref other) noexcept {
    std::swap(pointer_, other.pointer_);
    return *this;
  }
  T* get() const { return pointer_; }
  T* release() { return std::exchange(pointer_, nullptr); }
  T* operator->() const { return pointer_; }
  T& operator*() const { return *pointer_; }
  explicit operator bool() const { return pointer_ != nullptr; }

 private:
  T* pointer_ = nullptr;
};

/// Bytes on a device, with reference count. Subclasses know how to free them.
class Storage {
 public:
  Storage(void* data, int64_t bytes, Device device, MemoryCount* count)
      : data_(data), bytes_(bytes), device_(device), count_(count) {
    if (count_) count_->add(bytes_);
  }
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;
  void* data() const { return data_; }
  int64_t bytes() const { return bytes_; }
  Device device() const { return device_; }
  bool unique() const { return references_.load(std::memory_order_acquire) == 1; }
  void retain() { references_.fetch_add(1, std::memory_order_relaxed); }
  void drop() {
    if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
  }

 protected:
  virtual ~Storage() {
    if (count_) count_->add(-bytes_);
  }

 private:
  void* data_;
  int64_t bytes_;
  Device device_;
  MemoryCount* count_;
  std::atomic<int64_t> references_{1};
};

/// A concrete tensor: a type and a layout over a storage. Immutable once a value holds it.
class Buffer {
 public:
  Buffer(Ref<Storage> storage, DType dtype, Layout layout)
      : storage_(std::move(storage)), layout_(std::move(layout)), dtype_(dtype) {}
  const Ref<Storage>& storage() const { return storage_; }
  DType dtype() const { return dtype_; }
  Device device() const { return storage_->device(); }
  const Layout& layout() const { return layout_; }
  Sizes sizes() const { return layout_.sizes; }
  Sizes strides() const { return layout_.strides; }
  int64_t numel() const { return rt::numel(layout_.sizes); }
  bool contiguous() const { return is_contiguous(layout_.sizes, layout_.strides); }
  /// The address of the first element.
  char* data() const {
    return static_cast<char*>(storage_->data()) + layout_.offset * item_size(dtype_);
  }
  /// True where nothing else refers to its memory: buffer and storage have one reference each.
  bool unique() const {
    return references_.load(std::memory_order_acquire) == 1 && storage_->unique();
  }
  void retain() { references_.fetch_add(1, std::memory_order_relaxed); }
  void drop() {
    if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
  }

 private:
  ~Buffer() = default;
  Ref<Storage> storage_;
  Layout layout_;
  DType dtype_;
  std::atomic<int64_t> references_{1};
};
using BufferRef = Ref<Buffer>;

}  // namespace rt
