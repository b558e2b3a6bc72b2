// host.h -- the tests' view of the program that opens libspl_torch.so. There are two such hosts:
// one exports the functions of the Simple runtime, one exports nothing.
#pragma once
#include <cstdint>

#include "spl_torch.h"

namespace rt_test {

/// Counts of the lists and texts that the host has allocated.
struct HostMemory {
  int64_t lists = 0, texts = 0;
};
/// nullptr if the host exports nothing.
const HostMemory* host_memory();
/// Sets a function that the host calls when it makes a list or text for the library, or NULL.
void when_it_makes(void (*hook)());

/// The host's own lists and texts, made and released as its runtime does. Releasing other memory
/// aborts.
SplArray* new_list();
SplArray* push(SplArray* list, SplValue value);
void release(SplArray* list);
void release(char* text);

}  // namespace rt_test
