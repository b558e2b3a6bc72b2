// parse.h -- what the readers of the two forms of dumps share.
#pragma once
#include <charconv>

#include "graph/dump/dump.h"

namespace rt::parse {

/// Bounds of what a dump may ask memory for, beyond which nothing could be well formed.
inline constexpr size_t kMaxRank = 64;
inline constexpr size_t kMaxWords = 0xffff;

/// Reads a number that is all of `text`.
template <class Number, class... Base>
bool read_all(std::string_view text, Number& value, Base... base) {
  const auto end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value, base...);
  return error == std::errc() && stop == end;
}

Dump read_text(std::string_view text);
Dump read_json(std::string_view text);

}  // namespace rt::parse
