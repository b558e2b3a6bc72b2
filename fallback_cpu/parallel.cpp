// parallel.cpp -- the team of the reference backend.
#include "fallback_cpu/parallel.h"

#include "graph/spare_threads.h"

#ifdef _OPENMP
#include <omp.h>
#endif

namespace rt::cpu {
namespace {

#ifdef _OPENMP
void each_piece(int64_t pieces, int threads, void (*body)(void*, int64_t), void* context) {
  // The whole team, even for fewer pieces: OpenMP ends threads that a loop does not need, and
  // may be unable to start them again.
  const auto start = [](int count) {
#pragma omp parallel num_threads(count)
    {}
  };
  const int team = pieces > 1 && threads > 1 ? threads_for_loop(threads, start) : 1;
#pragma omp parallel for num_threads(team) schedule(static) if (team > 1)
  for (int64_t piece = 0; piece < pieces; ++piece) body(context, piece);
}
#endif

}  // namespace

Team own_team([[maybe_unused]] int threads) {
#ifdef _OPENMP
  return {threads > 0 ? threads : std::max(1, omp_get_num_procs()), each_piece};
#else
  return {};
#endif
}

}  // namespace rt::cpu
