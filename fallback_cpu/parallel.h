// parallel.h -- loops over pieces of work on the threads of a team.
#pragma once
#include <algorithm>
#include <cstdint>

#include "elementwise/team.h"

namespace rt::cpu {

/// Elements of work below which a second thread costs more than it gains.
inline constexpr int64_t kParallelFrom = 65536;

/// OpenMP's threads where it is available, else the calling thread. `threads` <= 0 stands for all
/// cores.
Team own_team(int threads);

/// Calls body(piece) for every piece, in any order, on up to `team.threads` threads. The body must
/// not throw. Results must not depend on the order: cut the work by its shape, never by the team.
template <class Body>
void for_pieces(int64_t pieces, const Team& team, const Body& body) {
  if (pieces > 1 && team.threads > 1) {
    const auto call = [](void* context, int64_t piece) {
      (*static_cast<const Body*>(context))(piece);
    };
    return team.each(pieces, team.threads, call, const_cast<Body*>(&body));
  }
  for (int64_t piece = 0; piece < pieces; ++piece) body(piece);
}

/// Calls body(begin, end) for ranges of `count` items, `cost` elements each. A range is
/// large enough to be worth a thread.
template <class Body>
void for_ranges(int64_t count, int64_t cost, const Team& team, const Body& body) {
  if (team.threads <= 1 || count * std::max<int64_t>(cost, 1) < kParallelFrom) {
    if (count > 0) body(int64_t{0}, count);
    return;
  }
  const int64_t step = std::max<int64_t>(1, kParallelFrom / 4 / std::max<int64_t>(cost, 1));
  for_pieces((count + step - 1) / step, team,
             [&](int64_t i) { body(i * step, std::min(count, (i + 1) * step)); });
}

}  // namespace rt::cpu
