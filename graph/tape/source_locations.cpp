// source_locations.cpp -- interning of source places, and dropping them.
#include "graph/tape/source_locations.h"

#include <algorithm>

namespace rt {

uint32_t Places::intern(std::string_view file, int64_t line) {
  if (file.empty()) return 0;
  std::string text = std::string(file) + ":" + std::to_string(line);
  if (const auto known = numbers_.find(text); known != numbers_.end()) return known->second;
  if (free_.empty()) {
    free_.push_back(static_cast<uint32_t>(places_.size()));
    places_.emplace_back();
  }
  const uint32_t number = free_.back();
  places_[number].text = text;
  numbers_.emplace(std::move(text), number);
  free_.pop_back();
  return number;
}

uint32_t Places::enter(std::string_view file, int64_t line, uint32_t left) {
  const uint32_t entered = intern(file, line);
  ++places_[entered].threads;
  leave(left);
  return entered;
}

void Places::keep(const std::vector<bool>& used) {
  free_.reserve(places_.size());
  for (uint32_t number = 1; number < places_.size(); ++number) {
    Place& place = places_[number];
    if (used[number] || place.threads > 0 || place.text.empty()) continue;
    numbers_.erase(place.text);
    place.text = {};
    free_.push_back(number);
  }
  crowd_ = std::max(kFirstCrowd, 2 * numbers_.size());
}

}  // namespace rt
