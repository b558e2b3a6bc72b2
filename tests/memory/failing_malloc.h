// failing_malloc.h -- allocations that fail when a test wants them to, in all libraries of the
// process.
#pragma once
#include <cstdint>

namespace rt_test {

/// From here on `passing` allocations succeed; the one behind them fails, or all of them do.
enum class Fail { Once, FromThereOn };
void fail_after(int64_t passing, Fail how);
/// No allocation fails from here on. Returns how many did.
int64_t fail_no_more();

}  // namespace rt_test
