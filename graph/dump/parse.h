// parse.h -- the parts that the readers of text and JSON dumps share.
#pragma once
#include <charconv>

#include "graph/dump/dump.h"

namespace rt::parse {

/// Limits of a dump, so that it cannot make the reader take much memory. No
/// well-formed batch exceeds them.
inline constexpr size_t kMaxRank = 64;
inline constexpr size_t kMaxWords = 0xffff;

/// Reads a number that is all of `text`. False where `text` is something else.
template <class Number, class... Base>
bool read_all(std::string_view text, Number& value, Base... base) {
  const auto end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value, base...);
  return error == std::errc() && stop == end;
}

Dump read_text(std::string_view text);
Dump read_json(std::string_view text);

}  // namespace rt::parse
