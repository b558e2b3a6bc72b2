// source_locations.cpp -- interns source locations, and drops unused ones.
#include "graph/tape/source_locations.h"

#include <algorithm>

namespace rt {

uint32_t SourceLocations::intern(std::string_view file, int64_t line) {
  if (file.empty()) return 0;
  std::string text = std::string(file) + ":" + std::to_string(line);
  if (const auto known = numbers_.find(text); known != numbers_.end()) return known->second;
  if (free_.empty()) {
    free_.push_back(static_cast<uint32_t>(locations_.size()));
    locations_.emplace_back();
  }
  const uint32_t number = free_.back();
  locations_[number].text = text;
  numbers_.emplace(std::move(text), number);
  free_.pop_back();
  return number;
}

uint32_t SourceLocations::exchange(std::string_view file, int64_t line, uint32_t left) {
  const uint32_t entered = intern(file, line);
  ++locations_[entered].threads;
  release(left);
  return entered;
}

void SourceLocations::keep(const std::vector<bool>& used) {
  free_.reserve(locations_.size());
  for (uint32_t number = 1; number < locations_.size(); ++number) {
    Location& location = locations_[number];
    if (used[number] || location.threads > 0 || location.text.empty()) continue;
    numbers_.erase(location.text);
    location.text = {};
    free_.push_back(number);
  }
  crowd_ = std::max(kFirstCrowd, 2 * numbers_.size());
}

}  // namespace rt
