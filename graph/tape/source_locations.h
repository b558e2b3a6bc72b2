// source_locations.h -- source places: small numbers for "train.spl:12".
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace rt {

/// Place 0 is no place. A program may make places without end, so that those that nothing names any
/// more are dropped from time to time.
class SourceLocations {
 public:
  /// The place where a thread is from here on, which was at `left`.
  uint32_t exchange(std::string_view file, int64_t line, uint32_t left);
  void release(uint32_t location) noexcept { --locations_[location].threads; }
  const std::string& text(uint32_t location) const { return locations_[location].text; }

  /// Whether there are so many that it is worth to look for some to drop.
  bool is_crowded() const { return numbers_.size() >= crowd_; }
  size_t end() const { return locations_.size(); }  ///< all numbers are below
  /// Drops all but those that are marked in `used` and those where threads are.
  void keep(const std::vector<bool>& used);
  size_t size() const { return numbers_.size(); }

 private:
  static constexpr size_t kFirstCrowd = 1 << 14;
  struct Location {
    std::string text;
    int64_t threads = 0;  ///< that are there
  };
  uint32_t intern(std::string_view file, int64_t line);

  std::vector<Location> locations_{1};
  std::unordered_map<std::string, uint32_t> numbers_;
  std::vector<uint32_t> free_;
  size_t crowd_ = kFirstCrowd;
};

}  // namespace rt
