// printable.h -- foreign text in a form that is safe in a message.
#pragma once
#include <string>
#include <string_view>

namespace rt {

/// Text of a file, a client or the environment for a message on a terminal or in a log: control
/// characters and bytes that are not UTF-8 are escaped ("\n", "\x1b"), and
/// long text is cut.
std::string printable(std::string_view text);

/// The bytes of the UTF-8 character at the front of `text`; 0 where there is none.
size_t utf8_length(std::string_view text);

}  // namespace rt
