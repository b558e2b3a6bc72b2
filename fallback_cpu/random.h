// random.h -- the random numbers of libtorch's CPU generator.
#pragma once
#include <mutex>
#include <optional>
#include <random>

#include "graph/batch/backend.h"
#include "graph/turns.h"

namespace rt::cpu {

/// A 32-bit Mersenne twister, and the second number of the last pair of normal numbers. Draws the
/// numbers that at::CPUGeneratorImpl draws from the same seed.
class Draws {
 public:
  explicit Draws(uint64_t seed) : twister_(static_cast<uint32_t>(seed)) {}
  float uniform_float() { return static_cast<float>(bits32() & 0xffffffu) * 0x1p-24f; }
  double uniform_double() {
    return static_cast<double>(bits64() & ((uint64_t{1} << 53) - 1)) * 0x1p-53;
  }
  double normal();
  template <class T>
  T uniform() {
    if constexpr (std::is_same_v<T, float>) return uniform_float();
    else return uniform_double();
  }

 private:
  uint32_t bits32() { return static_cast<uint32_t>(twister_()); }
  uint64_t bits64() {
    const uint64_t high = bits32();
    return high << 32 | bits32();
  }
  std::mt19937 twister_;
  std::optional<double> next_normal_;
};

struct DrawsState final : RandomState {
  DrawsState(const Draws& draws, uint64_t turns) : draws(draws), turns(turns) {}
  Draws draws;
  uint64_t turns;
};

/// The generator of a backend. The mutex is held for a whole tensor, so that its draws
/// are not mixed with those of another.
struct Generator {
  std::mutex mutex;
  Draws draws{0};
  Turns turns;  ///< taken by each draw and each saved state
};

}  // namespace rt::cpu
