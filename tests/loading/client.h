// client.h -- opens the library at run time, and gives it work.
#pragma once
#include <dlfcn.h>

#include <cmath>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include "rt_torch.h"

namespace rt_test {

/// A copy of librt_torch.so, opened as the Simple interpreter opens it.
class Library {
 public:
  explicit Library(const std::string& path)
      : handle_(dlopen(path.c_str(), RTLD_LAZY | RTLD_LOCAL)) {
    if (!handle_) throw std::runtime_error(dlerror());
#define RT_FIND(name) find(name, "rt_torch_" #name)
    RT_FIND(tensor_full);
    RT_FIND(tensor_linspace);
    RT_FIND(tensor_rand);
    RT_FIND(torchtensor_matmul);
    RT_FIND(torchtensor_softmax);
    RT_FIND(torchtensor_add_scalar);
    RT_FIND(torchtensor_sum);
    RT_FIND(torchtensor_sum_tensor);
    RT_FIND(torchtensor_item);
    RT_FIND(torchtensor_free);
    RT_FIND(live_handles);
    RT_FIND(stat);
    RT_FIND(pending);
    RT_FIND(flush);
    RT_FIND(backend);
    RT_FIND(last_error);
    RT_FIND(clear_error);
    RT_FIND(set_location);
#undef RT_FIND
  }
  void close() { dlclose(handle_); }

#define RT_ENTRY(name) decltype(&rt_torch_##name) name = nullptr
  RT_ENTRY(tensor_full);
  RT_ENTRY(tensor_linspace);
  RT_ENTRY(tensor_rand);
  RT_ENTRY(torchtensor_matmul);
  RT_ENTRY(torchtensor_softmax);
  RT_ENTRY(torchtensor_add_scalar);
  RT_ENTRY(torchtensor_sum);
  RT_ENTRY(torchtensor_sum_tensor);
  RT_ENTRY(torchtensor_item);
  RT_ENTRY(torchtensor_free);
  RT_ENTRY(live_handles);
  RT_ENTRY(stat);
  RT_ENTRY(pending);
  RT_ENTRY(flush);
  RT_ENTRY(backend);
  RT_ENTRY(last_error);
  RT_ENTRY(clear_error);
  RT_ENTRY(set_location);
#undef RT_ENTRY

 private:
  template <class Function>
  void find(Function& to, const char* name) {
    to = reinterpret_cast<Function>(dlsym(handle_, name));
    if (!to) throw std::runtime_error(dlerror());
  }
  void* handle_;
};

/// The library's error after a failed call.
struct Refused : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// A wrong result.
struct Wrong : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Owns handles of one library.
class Client {
 public:
  explicit Client(const Library& library) : library_(library) {}
  Client(const Client&) = delete;
  ~Client() {
    for (int64_t handle : handles_) library_.torchtensor_free(handle);
  }

  int64_t keep(int64_t handle) {
    if (handle <= 0) throw Refused(library_.last_error());
    handles_.push_back(handle);
    return handle;
  }
  int64_t square(int64_t size, double value) {
    const int64_t sizes[] = {size, size};
    return keep(library_.tensor_full(sizes, 2, value));
  }
  int64_t chain(int64_t from, int64_t length) {
    for (int64_t i = 0; i < length; ++i) from = keep(library_.torchtensor_add_scalar(from, 1));
    return from;
  }
  void expect(double number, double right) {
    if (std::isnan(number)) throw Refused(library_.last_error());
    if (number < right * (1 - 1e-5) || number > right * (1 + 1e-5))
      throw Wrong(std::to_string(number) + " should be " + std::to_string(right));
  }

 private:
  const Library& library_;
  std::vector<int64_t> handles_;
};

/// Runs a matrix product, a softmax and a chain of 100. Each `size` has batches of its own; 512 is
/// large enough for several threads.
inline void compute(const Library& library, int64_t size) {
  Client client(library);
  const auto n = static_cast<double>(size);
  const int64_t left = client.square(size, 0.5), right = client.square(size, 2);
  const int64_t product = client.keep(library.torchtensor_matmul(left, right));
  client.expect(library.torchtensor_sum(client.chain(product, 1)), (n + 1) * n * n);
  const int64_t line = client.keep(library.tensor_linspace(0, 1, size));
  const int64_t soft = client.keep(library.torchtensor_softmax(line, 0));
  client.expect(library.torchtensor_sum(soft), 1);
  const int64_t last = client.chain(client.keep(library.tensor_full(&size, 1, 0)), 100);
  client.expect(library.torchtensor_sum(last), 100 * n);
}

/// Runs until the batches of compute(size) are compiled and cached.
inline void compute_often(const Library& library, int64_t size) {
  for (int i = 0; i < 3; ++i) compute(library, size);
}

/// Draws numbers in [0, 1), whose mean must be near a half.
inline void draw(const Library& library) {
  Client client(library);
  const int64_t count = 1 << 16;
  const double sum = library.torchtensor_sum(client.keep(library.tensor_rand(&count, 1)));
  if (!(sum > 0.4 * count && sum < 0.6 * count)) throw Wrong("the numbers drawn are not uniform");
}

}  // namespace rt_test
