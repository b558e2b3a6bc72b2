// spl_array.cpp -- SplArray to numbers and back, in the host's memory where the host says how.
#include "frontend_abi/spl_array.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdlib>
#include <cstring>

#include "frontend_abi/boundary.h"
#include "graph/error.h"

// What a host may export. A weak symbol that nobody has is NULL.
extern "C" {
[[gnu::weak]] SplArray* spl_array_new_i64(void);
[[gnu::weak]] void spl_array_push_i64(SplArray* array, int64_t number);
[[gnu::weak]] SplArray* spl_array_push(SplArray* array, SplValue value);
[[gnu::weak]] char* spl_str_new(const char* text);
}

namespace rt::spl {
namespace {

static_assert(sizeof(SplValue) == 16 && offsetof(SplValue, as_int) == 8);
static_assert(sizeof(SplArray) == 24 && offsetof(SplArray, len) == 8);

/// The tag as it lies there: a host may have written what SplTag does not name.
uint32_t tag_of(const SplValue& value) {
  static_assert(sizeof value.tag == sizeof(uint32_t));
  uint32_t tag = 0;
  std::memcpy(&tag, &value.tag, sizeof tag);
  return tag;
}

[[noreturn, gnu::cold]] void refuse(const char* name, size_t at, uint32_t tag) {
  constexpr const char* kTags[] = {"nil",    "a bool",   "an integer", "a float",
                                   "a text", "an array", "a dict"};
  if (tag >= std::size(kTags))
    fail(name, "[", at, "] has the tag ", tag, ", which there is not; pass numbers");
  fail(name, "[", at, "] is ", kTags[tag], "; pass numbers");
}

int64_t integer_of(const char* name, size_t at, double number) {
  constexpr double kBound = 9223372036854775808.0;  // 2^63
  if (number >= -kBound && number < kBound && number == std::trunc(number))
    return static_cast<int64_t>(number);
  fail(name, "[", at, "] is ", to_string(number), ", which is no integer; pass one");
}

/// A list of this many nils in memory of malloc. There is always room for some, as a host that
/// pushes more may double the capacity.
SplArray* allocate(size_t length) {
  constexpr size_t kLeast = 4;
  const size_t capacity = std::max(length, kLeast);
  auto* const array = static_cast<SplArray*>(std::malloc(sizeof(SplArray)));
  auto* const items = static_cast<SplValue*>(std::calloc(capacity, sizeof(SplValue)));
  if (!array || !items) {
    std::free(array);
    std::free(items);
    return nullptr;
  }
  *array = {items, static_cast<int64_t>(length), static_cast<int64_t>(capacity)};
  return array;
}

SplValue value_of(int64_t number) {
  SplValue value{};
  value.tag = SPL_INT;
  value.as_int = number;
  return value;
}
SplValue value_of(double number) {
  SplValue value{};
  value.tag = SPL_FLOAT;
  value.as_float = number;
  return value;
}

template <class T>
SplArray* own_list(std::span<const T> numbers) {
  SplArray* const array = allocate(numbers.size());
  if (array)
    std::transform(numbers.begin(), numbers.end(), array->items,
                   [](T number) { return value_of(number); });
  return array;
}

}  // namespace

std::span<const SplValue> items(const char* name, const SplArray* array, int64_t most) {
  if (!array) return {};
  abi::check_list(name, array->items, array->len, most);
  return {array->items, static_cast<size_t>(array->len)};
}

void read(const char* name, std::span<const SplValue> items, int64_t* out) {
  for (size_t at = 0; at < items.size(); ++at) {
    switch (const uint32_t tag = tag_of(items[at])) {
      case SPL_INT: out[at] = items[at].as_int; break;
      case SPL_BOOL: out[at] = items[at].as_bool != 0; break;
      case SPL_FLOAT: out[at] = integer_of(name, at, items[at].as_float); break;
      default: refuse(name, at, tag);
    }
  }
}

void read(const char* name, std::span<const SplValue> items, double* out) {
  for (size_t at = 0; at < items.size(); ++at) {
    switch (const uint32_t tag = tag_of(items[at])) {
      case SPL_INT: out[at] = static_cast<double>(items[at].as_int); break;
      case SPL_BOOL: out[at] = items[at].as_bool != 0; break;
      case SPL_FLOAT: out[at] = items[at].as_float; break;
      default: refuse(name, at, tag);
    }
  }
}

SplArray* make_list(std::span<const int64_t> numbers) noexcept {
  if (!spl_array_new_i64 || !spl_array_push_i64) return own_list(numbers);
  SplArray* const array = spl_array_new_i64();
  if (array)
    for (const int64_t number : numbers) spl_array_push_i64(array, number);
  return array;
}

SplArray* make_list(std::span<const double> numbers) noexcept {
  if (!spl_array_new_i64 || !spl_array_push) return own_list(numbers);
  SplArray* array = spl_array_new_i64();
  for (const double number : numbers)
    if (array) array = spl_array_push(array, value_of(number));
  return array;
}

char* make_text(const char* text) noexcept {
  return spl_str_new ? spl_str_new(text) : strdup(text);
}

}  // namespace rt::spl
