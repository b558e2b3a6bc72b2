// flavor_spl.h -- how lists and texts are passed in libspl_torch.so: as the Simple runtime's types.
#pragma once
#include <new>
#include <vector>

#include "frontend_abi/boundary.h"
#include "frontend_abi/flavors/spl_array.h"
#include "frontend_abi/signatures.h"
#include "graph/small.h"

namespace rt::abi {

/// A list argument. The caller keeps it; NULL is an empty list.
template <Kind kind>
struct SplList {
  using List = ListOf<kind>;
  using Element = typename List::Element;
  /// Short lists are read without an allocation.
  using Numbers =
      std::conditional_t<(List::kMost <= kMaxTensors), Small<Element, 8>, std::vector<Element>>;
  using Held = Numbers;
  const char* name;
  const SplArray* array;

  static SplList from(const char* name, std::span<const int64_t> words) {
    return {name, reinterpret_cast<const SplArray*>(words[0])};
  }
  Held get() const {
    const spl::List list(name, array, List::kMost);
    Held numbers;
    numbers.resize(static_cast<decltype(numbers.size())>(list.length()));
    list.read(numbers.data());
    return numbers;
  }
  void show(std::string& text) const {
    text.append(name).append("=");
    try {
      List::write(text, get());
    } catch (const Error&) {  // the last error will say why the list cannot be read
      spl::List::describe(text, array);
    }
  }
};

/// A list result, gathered in a vector until its length is known.
template <class T>
struct SplOutputList {
  std::vector<T> list;
  OutputList<T> get() { return OutputList<T>(list); }
  void show(std::string&) const {}
};

struct FlavorSpl {
  /// Checks an allocation of the host, made with the engine unlocked as its functions may call in.
  template <class Thing>
  static Thing* made(Thing* thing) {
    if (!thing) throw std::bad_alloc();
    return thing;
  }

  template <Kind kind>
  using CResult =
      std::conditional_t<kind == Kind::Text, char*,
                         std::conditional_t<ListOf<kind>::value, SplArray*, OneWord<kind>>>;
  template <Kind kind>
  using Raw = std::conditional_t<ListOf<kind>::value, SplList<kind>, abi::Raw<kind>>;

  template <Kind kind, class Raws>
  static CResult<kind> give(Result<kind> result, const Raws& raws) {
    if constexpr (kind == Kind::Text) return made(spl::make_text(result.c_str()));
    else if constexpr (kind == Kind::TextBits)
      return reinterpret_cast<int64_t>(give<Kind::Text>(std::move(result), raws));
    else if constexpr (ListOf<kind>::value)
      return made(spl::make_list(std::get<std::tuple_size_v<Raws> - 1>(raws).list));
    else return as_word<kind>(result);
  }
  template <Kind kind>
  static CResult<kind> failed() {
    if constexpr (kind == Kind::Text) return spl::make_text("");
    else if constexpr (kind == Kind::TextBits)
      return reinterpret_cast<int64_t>(failed<Kind::Text>());
    else if constexpr (ListOf<kind>::value) return spl::make_list(std::span<const int64_t>());
    else return static_cast<CResult<kind>>(failure<kind>());
  }
};
using Flavor = FlavorSpl;

}  // namespace rt::abi

#define RT_DECLARE_LIST(type, name) SplArray* name##_
#define RT_FIELDS_LIST(type, name) name##_
#define RT_DECLARE_OUTPUT(type)
#define RT_FIELDS_OUTPUT(type) , rt::abi::SplOutputList<type>()
#define RT_CALL_C(...)  // rows of the other flavor
