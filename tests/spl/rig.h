// rig.h -- shared by the tests of the Simple flavor: the library, opened as the interpreter does,
// lists, and a fixture that checks for leaks.
#pragma once
#include <dlfcn.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <initializer_list>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "tests/spl/hosts/host.h"

namespace rt_test {

/// A library of the ABI, which stays open.
class Library {
 public:
  explicit Library(const char* path) : handle_(dlopen(path, RTLD_LAZY | RTLD_LOCAL)) {
    if (!handle_) throw std::runtime_error(dlerror());
  }
  void* entry(const char* symbol) const {
    void* const found = dlsym(handle_, symbol);
    if (!found) throw std::runtime_error(std::string(symbol) + " is not exported");
    return found;
  }

 private:
  void* handle_;
};

inline const Library& spl_library() {
  static const Library library(RT_TEST_SPL_LIBRARY);
  return library;
}
/// A call of the library, with the type that its header declares.
#define SPL(symbol) reinterpret_cast<decltype(&symbol)>(spl_library().entry(#symbol))

inline SplValue integer(int64_t number) {
  SplValue value{};
  value.tag = SPL_INT;
  value.as_int = number;
  return value;
}
inline SplValue real(double number) {
  SplValue value{};
  value.tag = SPL_FLOAT;
  value.as_float = number;
  return value;
}
inline SplValue boolean(bool yes) {
  SplValue value{};
  value.tag = SPL_BOOL;
  value.as_bool = yes;
  return value;
}

/// Owns a list that the test created or a call returned.
class List {
 public:
  List(SplArray* owned) : array_(owned) {}
  List(std::initializer_list<SplValue> values) : array_(new_list()) {
    for (const SplValue& value : values) array_ = push(array_, value);
  }
  List(const List&) = delete;
  List& operator=(const List&) = delete;
  ~List() {
    if (array_) release(array_);
  }
  SplArray* get() const { return array_; }
  operator SplArray*() const { return array_; }
  SplArray* operator->() const { return array_; }
  void add(SplValue value) { array_ = push(array_, value); }

  std::vector<int64_t> integers() const {
    std::vector<int64_t> numbers;
    for (int64_t at = 0; at < array_->len; ++at) {
      EXPECT_EQ(array_->items[at].tag, SPL_INT);
      numbers.push_back(array_->items[at].as_int);
    }
    return numbers;
  }
  std::vector<double> reals() const {
    std::vector<double> numbers;
    for (int64_t at = 0; at < array_->len; ++at) {
      EXPECT_EQ(array_->items[at].tag, SPL_FLOAT);
      numbers.push_back(array_->items[at].as_float);
    }
    return numbers;
  }

 private:
  SplArray* array_;
};
template <class... Numbers>
List integers(const Numbers&... numbers) {
  return List{integer(numbers)...};
}

/// Copies and frees a text that a call returned.
inline std::string take(char* text) {
  if (!text) throw std::runtime_error("a text result is NULL");
  const std::string copy = text;
  release(text);
  return copy;
}
inline std::string last_error() { return take(SPL(rt_torch_last_error)()); }
inline int64_t stat(const char* name) { return SPL(rt_torch_stat)(name); }

/// Owns a handle.
class Tensor {
 public:
  Tensor(int64_t handle) : handle_(handle) { EXPECT_GT(handle, 0) << last_error(); }
  Tensor(Tensor&& other) noexcept : handle_(std::exchange(other.handle_, 0)) {}
  ~Tensor() {
    if (handle_ > 0) SPL(rt_torch_torchtensor_free)(handle_);
  }
  operator int64_t() const { return handle_; }

 private:
  int64_t handle_;
};

/// An f32 tensor of these sizes with the numbers 0, 1, ...
template <class... Sizes>
Tensor counted(Sizes... sizes) {
  const Tensor flat = SPL(rt_torch_tensor_arange)(0, static_cast<double>((sizes * ...)), 1);
  return SPL(rt_torch_torchtensor_reshape)(flat, integers(sizes...));
}

/// Checks that handles and the host's memory are released at the end.
class SplTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(SPL(rt_torch_sync)(), 1) << last_error();
    SPL(rt_torch_clear_error)();
    handles_ = SPL(rt_torch_live_handles)();
    if (host_memory()) memory_ = *host_memory();
  }
  void TearDown() override {
    SPL(rt_torch_sync)();
    EXPECT_EQ(SPL(rt_torch_live_handles)(), handles_);
    if (!host_memory()) return;
    EXPECT_EQ(host_memory()->lists, memory_.lists);
    EXPECT_EQ(host_memory()->texts, memory_.texts);
  }
  /// Expects these words in the newest error, and clears it.
  template <class... Words>
  static void expect_error(const Words&... attributes) {
    EXPECT_THAT(last_error(), testing::AllOf(testing::HasSubstr(attributes)...));
    SPL(rt_torch_clear_error)();
  }

 private:
  int64_t handles_ = 0;
  HostMemory memory_;
};

}  // namespace rt_test
