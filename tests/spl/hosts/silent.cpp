// silent.cpp -- a host that exports nothing: lists and texts, also the library's, come from malloc.
#include "tests/spl/hosts/host.h"

#include <cstdlib>

namespace rt_test {

const HostMemory* host_memory() { return nullptr; }
void when_it_makes(void (*)()) {}

SplArray* new_list() {
  constexpr int64_t kFirst = 2;
  auto* const list = static_cast<SplArray*>(std::malloc(sizeof(SplArray)));
  *list = {static_cast<SplValue*>(std::malloc(kFirst * sizeof(SplValue))), 0, kFirst};
  return list;
}

SplArray* push(SplArray* list, SplValue value) {
  if (list->len == list->cap) {
    list->cap *= 2;
    list->items = static_cast<SplValue*>(
        std::realloc(list->items, static_cast<size_t>(list->cap) * sizeof(SplValue)));
  }
  list->items[list->len++] = value;
  return list;
}

void release(SplArray* list) {
  std::free(list->items);
  std::free(list);
}
void release(char* text) { std::free(text); }

}  // namespace rt_test
