// parallel.h -- a loop over pieces of work, on several threads where OpenMP is available.
#pragma once
#include <algorithm>
#include <cstdint>

namespace rt::cpu {

/// Elements of work below which a second thread costs more than it gains.
inline constexpr int64_t kParallelFrom = 65536;

#ifdef _OPENMP
/// The number of threads, at most `threads`, that a loop of the calling thread can have.
int team_of(int threads);
#endif

/// Calls body(piece) for every piece, in any order, on up to `threads` threads. The body must not
/// throw. Results must not depend on the order: cut the work by its shape, never by `threads`.
template <class Body>
void for_pieces(int64_t pieces, int threads, const Body& body) {
#ifdef _OPENMP
  // The whole team, even for fewer pieces: OpenMP ends threads that a loop does not need, and
  // may be unable to start them again.
  if (const int team = pieces > 1 && threads > 1 ? team_of(threads) : 1; team > 1) {
#pragma omp parallel for num_threads(team) schedule(static)
    for (int64_t piece = 0; piece < pieces; ++piece) body(piece);
    return;
  }
#else
  (void)threads;
#endif
  for (int64_t piece = 0; piece < pieces; ++piece) body(piece);
}

/// Calls body(begin, end) for ranges of `count` items, `cost` elements each. A range is
/// large enough to be worth a thread.
template <class Body>
void for_ranges(int64_t count, int64_t cost, int threads, const Body& body) {
  if (threads <= 1 || count * std::max<int64_t>(cost, 1) < kParallelFrom) {
    if (count > 0) body(int64_t{0}, count);
    return;
  }
  const int64_t step = std::max<int64_t>(1, kParallelFrom / 4 / std::max<int64_t>(cost, 1));
  for_pieces((count + step - 1) / step, threads,
             [&](int64_t i) { body(i * step, std::min(count, (i + 1) * step)); });
}

/// for_pieces in the form of Team::each, for the block interpreter.
inline void each_piece(int64_t pieces, int threads, void (*body)(void*, int64_t), void* context) {
  for_pieces(pieces, threads, [&](int64_t piece) { body(context, piece); });
}

}  // namespace rt::cpu
