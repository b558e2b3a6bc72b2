// graphviz.h -- positions that Graphviz gives the values of a batch, if it is installed.
#pragma once
#include <vector>

#include "graph/dump/html.h"

namespace rt::tool {

/// Indexed by value; empty where `dot` is missing, fails or takes too long for a page.
std::vector<Position> graphviz_positions(const Batch& batch);

}  // namespace rt::tool
