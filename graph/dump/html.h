// html.h -- the batch explorer: a batch as one self-contained page.
#pragma once
#include <cstdint>

#include "graph/dump/dump.h"

namespace rt {

/// The centre of a value's box, in pixels, y downwards. A point of Graphviz is a pixel.
struct Position {
  float x = 0, y = 0;
};

/// Data for the page beside the batch. Each may be empty.
struct PageNotes {
  static constexpr uint32_t kNoGroup = 0xffffffffu;

  DumpNotes notes = {};
  std::span<const int64_t> times_ns = {};    ///< by step
  std::span<const uint32_t> groups = {};     ///< by step: its fused group, or kNoGroup
  std::span<const Position> positions = {};  ///< by value; empty: the page lays out the graph
  std::string title = {};
};

/// The page, in UTF-8. It needs no network and no other file.
std::string to_html(const Batch& batch, const PageNotes& notes);

}  // namespace rt
