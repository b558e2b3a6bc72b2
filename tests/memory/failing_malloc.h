// failing_malloc.h -- makes allocations fail on demand, in all libraries of the process.
#pragma once
#include <cstdint>

namespace rt_test {

/// After `passing` further allocations the next one fails, or all of them do.
enum class Fail { Once, FromThereOn };
void fail_after(int64_t passing, Fail how);
/// Ends the failures; returns their count.
int64_t fail_no_more();

}  // namespace rt_test
