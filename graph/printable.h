// printable.h -- foreign text, as it may stand in a message.
#pragma once
#include <string>
#include <string_view>

namespace rt {

/// Text of a file, a client or the environment for a message on a terminal or in a log: control
/// characters and bytes that are not UTF-8 are escaped ("\n", "\x1b"), and what is long is cut.
std::string printable(std::string_view text);

/// The bytes that the character at the front of `text` takes in UTF-8; 0 where there is none.
size_t utf8_length(std::string_view text);

}  // namespace rt
