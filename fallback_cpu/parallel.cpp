// parallel.cpp -- the number of OpenMP's threads that a loop can have.
#include "fallback_cpu/parallel.h"

#include "graph/spare_threads.h"

namespace rt::cpu {

#ifdef _OPENMP
int team_of([[maybe_unused]] int threads) {
  return threads_for_loop(threads, [](int count) {
#pragma omp parallel num_threads(count)
    {}
  });
}
#endif

}  // namespace rt::cpu
