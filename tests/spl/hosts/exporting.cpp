// exporting.cpp -- a host with the Simple runtime. A mark precedes its memory, so that only the
// host itself can free it or let it grow.
#include "tests/spl/hosts/host.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace rt_test {
namespace {

HostMemory given;
void (*hook)() = nullptr;

constexpr uint64_t kMark = 0x5351'4c4d'454d'4f52;
constexpr size_t kMarked = 16;

void* take(size_t bytes) {
  auto* const block = static_cast<char*>(std::malloc(kMarked + bytes));
  std::memcpy(block, &kMark, sizeof kMark);
  return block + kMarked;
}
void give_back(void* memory) {
  char* const block = static_cast<char*>(memory) - kMarked;
  uint64_t mark = 0;
  std::memcpy(&mark, block, sizeof mark);
  if (mark != kMark) {
    std::fputs("this is not memory of the host\n", stderr);
    std::abort();
  }
  std::memset(block, 0, sizeof mark);
  std::free(block);
}

}  // namespace

const HostMemory* host_memory() { return &given; }
void when_it_makes(void (*does)()) { hook = does; }

SplArray* new_list() {
  constexpr int64_t kFirst = 2;
  auto* const list = static_cast<SplArray*>(take(sizeof(SplArray)));
  *list = {static_cast<SplValue*>(take(kFirst * sizeof(SplValue))), 0, kFirst};
  ++given.lists;
  return list;
}

/// Moves the array itself when it grows, as a runtime may.
SplArray* push(SplArray* list, SplValue value) {
  if (list->len == list->cap) {
    SplArray* const grown = static_cast<SplArray*>(take(sizeof(SplArray)));
    const int64_t cap = list->cap * 2;
    *grown = {static_cast<SplValue*>(take(static_cast<size_t>(cap) * sizeof(SplValue))), list->len,
              cap};
    std::memcpy(grown->items, list->items, static_cast<size_t>(list->len) * sizeof(SplValue));
    give_back(list->items);
    give_back(list);
    list = grown;
  }
  list->items[list->len++] = value;
  return list;
}

void release(SplArray* list) {
  give_back(list->items);
  give_back(list);
  --given.lists;
}
void release(char* text) {
  give_back(text);
  --given.texts;
}

}  // namespace rt_test

#define RT_EXPORT extern "C" __attribute__((visibility("default"), used))

RT_EXPORT SplArray* spl_array_new_i64(void);
RT_EXPORT void spl_array_push_i64(SplArray* array, int64_t number);
RT_EXPORT SplArray* spl_array_push(SplArray* array, SplValue value);
RT_EXPORT char* spl_str_new(const char* text);

SplArray* spl_array_new_i64(void) {
  if (rt_test::hook) rt_test::hook();
  return rt_test::new_list();
}
SplArray* spl_array_push(SplArray* array, SplValue value) { return rt_test::push(array, value); }

/// Cannot return a moved array, so that it moves only the elements.
void spl_array_push_i64(SplArray* array, int64_t number) {
  if (array->len == array->cap) {
    array->cap *= 2;
    auto* const items =
        static_cast<SplValue*>(rt_test::take(static_cast<size_t>(array->cap) * sizeof(SplValue)));
    std::memcpy(items, array->items, static_cast<size_t>(array->len) * sizeof(SplValue));
    rt_test::give_back(array->items);
    array->items = items;
  }
  SplValue value{};
  value.tag = SPL_INT;
  value.as_int = number;
  array->items[array->len++] = value;
}

char* spl_str_new(const char* text) {
  if (rt_test::hook) rt_test::hook();
  const size_t bytes = std::strlen(text) + 1;
  auto* const copy = static_cast<char*>(rt_test::take(bytes));
  std::memcpy(copy, text, bytes);
  ++rt_test::given.texts;
  return copy;
}
