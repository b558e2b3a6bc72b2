// printable.cpp -- finds UTF-8 characters, and escapes control characters and other bytes.
#include "graph/printable.h"

#include <cstdint>

namespace rt {
namespace {

constexpr size_t kMost = 1024;  // bytes, so that a message stays readable

void put_escaped(std::string& out, unsigned char byte) {
  constexpr const char* kDigits = "0123456789abcdef";
  switch (byte) {
    case '\n': out += "\\n"; break;
    case '\r': out += "\\r"; break;
    case '\t': out += "\\t"; break;
    default: (out += "\\x") += {kDigits[byte >> 4], kDigits[byte & 15]};
  }
}

/// True for C0, DEL, and C1, which terminals obey as well.
bool is_control(std::string_view character) {
  const auto byte = static_cast<unsigned char>(character[0]);
  if (character.size() == 1) return byte < 0x20 || byte == 0x7f;
  return byte == 0xc2 && static_cast<unsigned char>(character[1]) < 0xa0;
}

}  // namespace

size_t utf8_length(std::string_view text) {
  const auto byte = [text](size_t at) {
    return at < text.size() ? static_cast<unsigned char>(text[at]) : 0u;
  };
  const auto continues = [&](size_t at) { return (byte(at) & 0xc0) == 0x80; };
  const unsigned first = byte(0), second = byte(1);
  if (text.empty()) return 0;
  if (first < 0x80) return 1;
  if (first < 0xc2 || !continues(1)) return 0;
  if (first < 0xe0) return 2;
  // Longer than needed, or half of a UTF-16 pair.
  if ((first == 0xe0 && second < 0xa0) || (first == 0xed && second > 0x9f)) return 0;
  if (!continues(2)) return 0;
  if (first < 0xf0) return 3;
  // Longer than needed, or beyond the last character.
  if ((first == 0xf0 && second < 0x90) || (first == 0xf4 && second > 0x8f) || first > 0xf4)
    return 0;
  return continues(3) ? 4 : 0;
}

std::string printable(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    if (out.size() >= kMost) return out += "...";
    const size_t length = utf8_length(text);
    const std::string_view character = text.substr(0, length > 0 ? length : 1);
    if (length > 0 && !is_control(character)) out += character;
    else
      for (const char byte : character) put_escaped(out, static_cast<unsigned char>(byte));
    text.remove_prefix(character.size());
  }
  return out;
}

}  // namespace rt
