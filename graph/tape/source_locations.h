// source_locations.h -- source locations of the client, such as "train.spl:12", by small ids.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace rt {

/// Id 0 is no location. A program may make locations without end, so those that nothing refers to
/// are dropped from time to time.
class SourceLocations {
 public:
  /// The id of the location that a thread enters; `left` is the one that it leaves.
  uint32_t exchange(std::string_view file, int64_t line, uint32_t left);
  void release(uint32_t location) noexcept { --locations_[location].threads; }
  const std::string& text(uint32_t location) const { return locations_[location].text; }

  /// True where there are so many locations that dropping unused ones is worth the search.
  bool is_crowded() const { return numbers_.size() >= crowd_; }
  size_t end() const { return locations_.size(); }  ///< all ids are below
  /// Drops all locations but those that are marked in `used`, by id, and those that threads are at.
  void keep(const std::vector<bool>& used);
  size_t size() const { return numbers_.size(); }

 private:
  static constexpr size_t kFirstCrowd = 1 << 14;
  struct Location {
    std::string text;
    int64_t threads = 0;  ///< threads that are at it
  };
  uint32_t intern(std::string_view file, int64_t line);

  std::vector<Location> locations_{1};
  std::unordered_map<std::string, uint32_t> numbers_;
  std::vector<uint32_t> free_;
  size_t crowd_ = kFirstCrowd;
};

}  // namespace rt
