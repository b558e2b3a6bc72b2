// spl_array.cpp -- reads SplArrays, and creates them by the host's functions where it exports some.
#include "frontend_abi/flavors/spl_array.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdlib>
#include <cstring>

#include "frontend_abi/boundary.h"
#include "graph/error.h"

// Functions that a host may export. A weak symbol without a definition is NULL.
extern "C" {
[[gnu::weak]] SplArray* spl_array_new_i64(void);
[[gnu::weak]] void spl_array_push_i64(SplArray* array, int64_t number);
[[gnu::weak]] SplArray* spl_array_push(SplArray* array, SplValue value);
[[gnu::weak]] char* spl_str_new(const char* text);
// Functions of a runtime with tagged words: a list's length, -1 for other words; an element as a
// tagged word. `index` is not tagged.
[[gnu::weak]] int64_t rt_array_len(int64_t array);
[[gnu::weak]] int64_t rt_array_get(int64_t array, int64_t index);
// Functions of such a runtime that read the floats that it keeps on its heap.
[[gnu::weak]] int8_t rt_value_is_float(int64_t word);
[[gnu::weak]] double rt_value_as_float(int64_t word);
}

namespace rt::spl {
namespace {

static_assert(sizeof(SplValue) == 16 && offsetof(SplValue, as_int) == 8);
static_assert(sizeof(SplArray) == 24 && offsetof(SplArray, len) == 8);

/// The tag, copied as bytes: a host may have written a value outside SplTag.
uint32_t tag_of(const SplValue& value) {
  static_assert(sizeof value.tag == sizeof(uint32_t));
  uint32_t tag = 0;
  std::memcpy(&tag, &value.tag, sizeof tag);
  return tag;
}

[[noreturn, gnu::cold]] void refuse(const char* name, size_t at, uint32_t tag) {
  constexpr const char* kTags[] = {"nil",    "a bool",   "an integer", "a float",
                                   "a text", "an array", "a dict"};
  if (tag >= std::size(kTags)) fail(name, "[", at, "] has the unknown tag ", tag, "; pass numbers");
  fail(name, "[", at, "] is ", kTags[tag], "; pass numbers");
}

// The lowest three bits of a tagged word are its kind; an integer n is n << 3.
enum Tag { kInt, kHeap, kFloat, kSpecial };
constexpr int kTagBits = 3;
constexpr int64_t kTagMask = (1 << kTagBits) - 1;
constexpr int64_t kNil = kSpecial, kTrue = 1 << kTagBits | kSpecial,
                  kFalse = 2 << kTagBits | kSpecial;

int64_t word_of(const SplArray* array) { return reinterpret_cast<int64_t>(array); }
bool is_tagged(const SplArray* array) { return (word_of(array) & kTagMask) != 0; }
bool host_has_tags() { return rt_array_len && rt_array_get; }
/// True for NULL and for the nil of tagged words.
bool is_none(const SplArray* array) {
  return !array || (word_of(array) == kNil && host_has_tags());
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

/// A tagged word as an SplValue.
SplValue untagged(const char* name, size_t at, int64_t word) {
  if (word == kNil) return SplValue{};
  if (word == kTrue || word == kFalse) {
    SplValue value{};
    value.tag = SPL_BOOL;
    value.as_bool = word == kTrue;
    return value;
  }
  switch (word & kTagMask) {
    case kInt: return value_of(word >> kTagBits);
    case kFloat: return value_of(std::bit_cast<double>(word & ~kTagMask));
    case kHeap:
      if (rt_value_is_float && rt_value_as_float && rt_value_is_float(word))
        return value_of(rt_value_as_float(word));
      break;
    default: break;
  }
  fail(name, "[", at, "] is not a number; pass numbers");
}

int64_t integer_of(const char* name, size_t at, double number) {
  constexpr double kBound = 9223372036854775808.0;  // 2^63
  if (number >= -kBound && number < kBound && number == std::trunc(number))
    return static_cast<int64_t>(number);
  fail(name, "[", at, "] is ", to_string(number), "; it must be an integer");
}

/// A list of nils from malloc. Its capacity is never 0, since a host that pushes may double it.
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

template <class T>
SplArray* own_list(std::span<const T> numbers) {
  SplArray* const array = allocate(numbers.size());
  if (array)
    std::transform(numbers.begin(), numbers.end(), array->items,
                   [](T number) { return value_of(number); });
  return array;
}

void put(const char* name, size_t at, const SplValue& value, int64_t& out) {
  switch (const uint32_t tag = tag_of(value)) {
    case SPL_INT: out = value.as_int; break;
    case SPL_BOOL: out = value.as_bool != 0; break;
    case SPL_FLOAT: out = integer_of(name, at, value.as_float); break;
    default: refuse(name, at, tag);
  }
}
void put(const char* name, size_t at, const SplValue& value, double& out) {
  switch (const uint32_t tag = tag_of(value)) {
    case SPL_INT: out = static_cast<double>(value.as_int); break;
    case SPL_BOOL: out = value.as_bool != 0; break;
    case SPL_FLOAT: out = value.as_float; break;
    default: refuse(name, at, tag);
  }
}

}  // namespace

List::List(const char* name, const SplArray* array, int64_t most) : name_(name), array_(array) {
  if (is_none(array)) return;
  if (abi::is_number(array)) fail(name, " is the number ", word_of(array), "; pass a list");
  int64_t length = 0;
  if (!is_tagged(array)) {
    length = array->len;
    abi::check_list(name, array->items, length, most);
  } else {
    if (!host_has_tags())
      fail(name,
           " is a tagged word, and the program exports no rt_array_len and rt_array_get to "
           "read it with; pass an SplArray*");
    length = rt_array_len(word_of(array));
    if (length < 0) fail(name, " is not a list; pass one");
    abi::check_list(name, this, length, most);
  }
  length_ = static_cast<size_t>(length);
}

void List::describe(std::string& text, const SplArray* array) {
  if (abi::is_number(array)) text += std::to_string(word_of(array));
  else if (is_tagged(array)) text += "(a tagged word)";
  else abi::write_count(text, array ? array->len : 0);
}

template <class T>
void List::read_as(T* out) const {
  if (is_tagged(array_)) {
    for (size_t at = 0; at < length_; ++at) {
      const int64_t word = rt_array_get(word_of(array_), static_cast<int64_t>(at));
      put(name_, at, untagged(name_, at, word), out[at]);
    }
    return;
  }
  for (size_t at = 0; at < length_; ++at) put(name_, at, array_->items[at], out[at]);
}
void List::read(int64_t* out) const { read_as(out); }
void List::read(double* out) const { read_as(out); }

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
