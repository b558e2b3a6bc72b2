// symbols.h -- small numbers for the calls of the ABI, so that what was recorded knows its call.
#pragma once
#include <cstdint>
#include <string_view>

namespace rt {

/// The number of an exported function, from 1: the same each time. The text stays the caller's and
/// has to last. Both functions are called under the engine's lock.
uint16_t symbol_id(std::string_view symbol);
std::string_view symbol_text(uint16_t number);  ///< "" for 0

}  // namespace rt
