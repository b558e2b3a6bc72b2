// symbols.cpp -- the list of the calls that have been made.
#include "graph/tape/symbols.h"

#include <algorithm>
#include <vector>

namespace rt {
namespace {

std::vector<std::string_view>& symbols() {
  // Never destroyed, because calls may come from static destructors.
  static auto* const all = new std::vector<std::string_view>{""};
  return *all;
}

}  // namespace

uint16_t symbol_id(std::string_view symbol) {
  auto& all = symbols();
  const auto found = std::ranges::find(all, symbol);
  const auto number = static_cast<uint16_t>(found - all.begin());
  if (found == all.end()) all.push_back(symbol);
  return number;
}

std::string_view symbol_text(uint16_t number) { return symbols()[number]; }

}  // namespace rt
