// places.h -- source places: small numbers for "train.spl:12".
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace rt {

/// Place 0 is no place. Places are as many as the program has, so none is ever given back.
class Places {
 public:
  uint32_t intern(std::string_view file, int64_t line);
  const std::string& text(uint32_t place) const { return texts_[place]; }

 private:
  std::vector<std::string> texts_{""};
  std::unordered_map<std::string, uint32_t> numbers_;
};

}  // namespace rt
