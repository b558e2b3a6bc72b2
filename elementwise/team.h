// team.h -- the threads of a backend, for loops over pieces of work.
#pragma once
#include <cstdint>

namespace rt::cpu {

/// `each` calls body(context, piece) for every piece, in any order, on at most so many threads.
struct Team {
  int threads = 1;
  void (*each)(int64_t pieces, int threads, void (*body)(void*, int64_t), void* context) = nullptr;
};

}  // namespace rt::cpu
