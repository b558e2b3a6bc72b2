// small.h -- Small<T, N>: a list with up to N elements in place, and more of them on the heap.
#pragma once
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <span>
#include <type_traits>

namespace rt {

/// For trivially copyable T only. Shapes and argument lists are nearly always short, so recording
/// an op allocates nothing. Invariant: the elements lie in place exactly while capacity_ == N.
template <class T, uint32_t N>
class Small {
  static_assert(std::is_trivially_copyable_v<T> && std::is_trivially_destructible_v<T>);

 public:
  Small() noexcept {}
  Small(std::initializer_list<T> list) { assign({list.begin(), list.size()}); }
  explicit Small(std::span<const T> list) { assign(list); }
  Small(const Small& other) { assign(other); }
  Small(Small&& other) noexcept { steal(other); }
  ~Small() { release(); }

  Small& operator=(const Small& other) {
    if (this != &other) assign(other);
    return *this;
  }
  Small& operator=(Small&& other) noexcept {
    if (this != &other) {
      release();
      steal(other);
    }
    return *this;
  }

  void assign(std::span<const T> list) {
    size_ = 0;
    append(list);
  }
  /// For a list that is probably in place too, so that a copy of a fixed size is enough.
  template <uint32_t M>
  void assign(const Small<T, M>& other) {
    constexpr uint32_t kBoth = N < M ? N : M;
    if (capacity_ != N || other.capacity_ != M || other.size_ > kBoth) [[unlikely]]
      return assign(std::span<const T>(other));
    std::memcpy(bytes_, other.bytes_, kBoth * sizeof(T));
    size_ = other.size_;
  }
  void append(std::span<const T> list) {
    const auto count = static_cast<uint32_t>(list.size());
    reserve(size_ + count);
    T* const to = data() + size_;
    // Most lists have one or two elements, for which a call of memcpy would cost
    // more than the copy.
    if (count == 1) to[0] = list[0];
    else if (count == 2) std::memcpy(to, list.data(), 2 * sizeof(T));
    else if (count != 0) std::memcpy(to, list.data(), count * sizeof(T));
    size_ += count;
  }
  void push_back(T value) {
    if (size_ == capacity_) reserve(size_ + 1);
    data()[size_++] = value;
  }
  void insert(uint32_t at, T value) {
    push_back(value);
    for (uint32_t i = size_ - 1; i > at; --i) data()[i] = data()[i - 1];
    data()[at] = value;
  }
  void erase(uint32_t at) {
    for (uint32_t i = at; i + 1 < size_; ++i) data()[i] = data()[i + 1];
    --size_;
  }
  void resize(uint32_t size, T value = T{}) {
    reserve(size);
    for (uint32_t i = size_; i < size; ++i) data()[i] = value;
    size_ = size;
  }
  void clear() { size_ = 0; }

  uint32_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  T* data() { return capacity_ == N ? reinterpret_cast<T*>(bytes_) : heap_; }
  const T* data() const { return capacity_ == N ? reinterpret_cast<const T*>(bytes_) : heap_; }
  T& operator[](uint32_t i) { return data()[i]; }
  const T& operator[](uint32_t i) const { return data()[i]; }
  T& back() { return data()[size_ - 1]; }
  const T& back() const { return data()[size_ - 1]; }
  T* begin() { return data(); }
  T* end() { return data() + size_; }
  const T* begin() const { return data(); }
  const T* end() const { return data() + size_; }
  operator std::span<const T>() const { return {data(), size_}; }
  bool operator==(const Small& other) const {
    if (size_ != other.size_) return false;
    for (uint32_t i = 0; i < size_; ++i)
      if (!(data()[i] == other.data()[i])) return false;
    return true;
  }

 private:
  template <class, uint32_t>
  friend class Small;

  void reserve(uint32_t wanted) {
    if (wanted <= capacity_) return;
    uint32_t capacity = capacity_ * 2;
    if (capacity < wanted) capacity = wanted;
    T* grown = static_cast<T*>(::operator new(capacity * sizeof(T)));
    if (size_ != 0) std::memcpy(grown, data(), size_ * sizeof(T));
    release();
    heap_ = grown;
    capacity_ = capacity;
  }
  void release() {
    if (capacity_ != N) ::operator delete(heap_);
    capacity_ = N;
  }
  void steal(Small& other) noexcept {
    size_ = other.size_;
    capacity_ = other.capacity_;
    if (capacity_ == N) std::memcpy(bytes_, other.bytes_, size_ * sizeof(T));
    else heap_ = other.heap_;
    other.capacity_ = N;
    other.size_ = 0;
  }

  uint32_t size_ = 0, capacity_ = N;
  union {
    T* heap_ = nullptr;
    alignas(T) unsigned char bytes_[N * sizeof(T)];
  };
  static_assert(N * sizeof(T) >= sizeof(T*));
};

}  // namespace rt
