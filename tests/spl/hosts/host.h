// host.h -- the program that opens libspl_torch.so, as its tests see it. There are two: one exports
// the functions of the Simple runtime, one exports nothing.
#pragma once
#include <cstdint>

#include "spl_torch.h"

namespace rt_test {

/// What the host has given out and not taken back.
struct HostMemory {
  int64_t lists = 0, texts = 0;
};
/// nullptr where the host exports nothing.
const HostMemory* host_memory();
/// The host does this whenever it makes a list or a text for the library; NULL: nothing.
void when_it_makes(void (*hook)());

/// The host's own arrays and texts, which it makes and takes back as its runtime does. Taking back
/// what is of other memory ends the program.
SplArray* new_list();
SplArray* push(SplArray* list, SplValue value);
void release(SplArray* list);
void release(char* text);

}  // namespace rt_test
