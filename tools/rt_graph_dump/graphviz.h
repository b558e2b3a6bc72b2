// graphviz.h -- where Graphviz would draw the values of a batch, if it is installed.
#pragma once
#include <vector>

#include "graph/dump/html.h"

namespace rt::tool {

/// By value; empty where `dot` is not there, fails, or would take longer than a page is worth.
std::vector<Position> graphviz_positions(const Batch& batch);

}  // namespace rt::tool
