// flavor_c.h -- how lists and texts are passed in librt_torch.so: as plain C types.
#pragma once
#include "frontend_abi/boundary.h"
#include "frontend_abi/signatures.h"
#include "rt_torch.h"

namespace rt::abi {

/// A list argument: a pointer and a length.
template <Kind kind>
struct CList {
  using List = ListOf<kind>;
  using Element = typename List::Element;
  using Held = std::span<const Element>;
  const char* name;
  const Element* items;
  int64_t length;

  static CList from(const char* name, std::span<const int64_t> words) {
    return {name, reinterpret_cast<const Element*>(words[0]), words[1]};
  }
  Held get() const {
    if (length <= 0 || !items || is_number(items) || length > List::kMost) [[unlikely]]
      check_list(name, items, length, List::kMost);
    return {items, static_cast<size_t>(length)};
  }
  void show(std::string& text) const {
    text.append(name).append("=");
    if (!items && length != 0) text += join("NULL, ", name, "_len=", length);
    else if (length < 0 || length > List::kMost) write_count(text, length);
    else if (length > 0 && is_number(items))
      text += join(reinterpret_cast<int64_t>(items), ", ", name, "_len=", length);
    else List::write(text, get());
  }
};

/// A list result: the caller's memory and its capacity.
template <class T>
struct CRoom {
  T* items;
  int64_t capacity;
  OutputList<T> get() const {
    if (capacity < 0 || (!items && capacity > 0)) check_list("out", items, capacity, INT64_MAX);
    return {items, capacity};
  }
  void show(std::string& text) const {
    text += join("out=", items ? "(pointer)" : "NULL", ", capacity=", capacity);
  }
};

struct FlavorC {
  template <Kind kind>
  using CResult = std::conditional_t<kind == Kind::Text, const char*, OneWord<kind>>;
  template <Kind kind>
  using Raw = std::conditional_t<ListOf<kind>::value, CList<kind>, abi::Raw<kind>>;

  template <Kind kind, class Raws>
  static CResult<kind> give(Result<kind> result, [[maybe_unused]] const Raws& raws) {
    if constexpr (kind == Kind::Text) {
      std::string& text = Engine::this_thread()->text;
      text = std::move(result);
      return text.c_str();
    } else if constexpr (kind == Kind::TextBits) {
      return reinterpret_cast<int64_t>(give<Kind::Text>(std::move(result), raws));
    } else {
      return as_word<kind>(result);
    }
  }
  template <Kind kind>
  static CResult<kind> failed() {
    return static_cast<CResult<kind>>(failure<kind>());
  }
};
using Flavor = FlavorC;

}  // namespace rt::abi

#define RT_DECLARE_LIST(type, name) const type *name##_, int64_t name##_len_
#define RT_FIELDS_LIST(type, name) name##_, name##_len_
#define RT_DECLARE_OUTPUT(type) , type *out_, int64_t capacity_
#define RT_FIELDS_OUTPUT(type) \
  , rt::abi::CRoom<type> { out_, capacity_ }
#define RT_CALL_SPL(...)  // rows of the other flavor
