// places.cpp -- interning of source places.
#include "graph/places.h"

namespace rt {

uint32_t Places::intern(std::string_view file, int64_t line) {
  if (file.empty()) return 0;
  std::string text = std::string(file) + ":" + std::to_string(line);
  const auto [found, added] = numbers_.try_emplace(text, static_cast<uint32_t>(texts_.size()));
  if (added) texts_.push_back(std::move(text));
  return found->second;
}

}  // namespace rt
