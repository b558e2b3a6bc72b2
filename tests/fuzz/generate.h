// generate.h -- random programs from the op table.
#pragma once
#include "tests/fuzz/program.h"

namespace rt::fuzz {

/// What a program is for. Abi: only what exported functions can say, with refused calls among it.
/// Batch: every row, every dtype.
enum class Level : uint8_t { Abi, Batch };

/// 5 to 300 calls, drawn by the rows' parameters and kept when inference takes them. One seed gives
/// one program.
Program generate(uint64_t seed, Level level);

}  // namespace rt::fuzz
