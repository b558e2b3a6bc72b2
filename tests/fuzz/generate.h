// generate.h -- random programs from the op table.
#pragma once
#include "tests/fuzz/program.h"

namespace rt::fuzz {

/// The rows of a program. Abi: those of exported functions, some in refused calls. Batch: every row
/// and dtype.
enum class Level : uint8_t { Abi, Batch };

/// 5 to 300 calls, drawn from the rows' parameters and kept if inference accepts them. A seed
/// determines the program.
Program generate(uint64_t seed, Level level);

}  // namespace rt::fuzz
