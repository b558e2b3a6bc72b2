// symbols.h -- small ids of the ABI's calls, so that a node knows the call that recorded it.
#pragma once
#include <cstdint>
#include <string_view>

namespace rt {

/// The id of an exported function, from 1, equal for equal texts. The text is not copied, and must
/// last. Both functions are called under the engine's lock.
uint16_t symbol_id(std::string_view symbol);
std::string_view symbol_text(uint16_t number);  ///< "" for 0

}  // namespace rt
