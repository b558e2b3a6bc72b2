// random.h -- random numbers that are equal on both sides.
#pragma once
#include <cmath>
#include <cstdint>
#include <random>
#include <span>
#include <vector>

namespace rt_bench {

using Sizes = std::vector<int64_t>;

inline int64_t count_of(std::span<const int64_t> sizes) {
  int64_t count = 1;
  for (const int64_t size : sizes) count *= size;
  return count;
}

class Random {
 public:
  std::vector<float> uniform(const Sizes& sizes, float low, float high) {
    return fill(sizes, std::uniform_real_distribution<float>(low, high));
  }
  std::vector<float> normal(const Sizes& sizes, double deviation = 1) {
    return fill(sizes, std::normal_distribution<float>(0, static_cast<float>(deviation)));
  }
  std::vector<int64_t> classes(int64_t count, int64_t end) {
    std::vector<int64_t> values(static_cast<size_t>(count));
    for (int64_t& value : values)
      value = static_cast<int64_t>(engine_() % static_cast<size_t>(end));
    return values;
  }

 private:
  template <class Distribution>
  std::vector<float> fill(const Sizes& sizes, Distribution distribution) {
    std::vector<float> values(static_cast<size_t>(count_of(sizes)));
    for (float& value : values) value = distribution(engine_);
    return values;
  }
  std::mt19937 engine_{1};
};

}  // namespace rt_bench
