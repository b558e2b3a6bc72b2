// boundary.h -- the edge of the ABI: checks and converts arguments, catches every exception.
#pragma once
#include <cxxabi.h>
#include <pthread.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <vector>

#include "executor/engine.h"
#include "graph/ops/op.h"
#include "graph/tape/symbols.h"

namespace rt::abi {

// ---- Parameter and result types of the bodies in C++, by kind.

/// Receives the elements of a list result: into the caller's memory, as many as fit, or into a
/// vector that grows.
template <class T>
class OutputList {
 public:
  OutputList(T* items, int64_t capacity) : items_(items), capacity_(capacity) {}
  explicit OutputList(std::vector<T>& list) : list_(&list) {}
  int64_t count() const { return count_; }  ///< of all puts, also of those that did not fit
  bool full() const { return !list_ && count_ >= capacity_; }
  int64_t room() const { return list_ ? INT64_MAX : std::max<int64_t>(capacity_ - count_, 0); }
  void put(T item) {
    if (list_) list_->push_back(item);
    else if (!full()) items_[count_] = item;
    ++count_;
  }
  T& operator[](int64_t at) { return list_ ? (*list_)[static_cast<size_t>(at)] : items_[at]; }

 private:
  std::vector<T>* list_ = nullptr;
  T* items_ = nullptr;
  int64_t capacity_ = 0, count_ = 0;
};

template <Kind>
struct Types {
  using Param = int64_t;
  using Result = int64_t;
};
template <>
struct Types<Kind::Void> {
  using Result = void;
};
template <>
struct Types<Kind::Float> {
  using Param = double;
  using Result = double;
};
template <>
struct Types<Kind::Rate> {
  using Result = double;
};
template <>
struct Types<Kind::Bits> {
  using Param = double;
  using Result = double;
};
template <>
struct Types<Kind::Flag> {
  using Param = bool;
  using Result = bool;
};
template <>
struct Types<Kind::Idle> {
  using Result = bool;
};
template <>
struct Types<Kind::Text> {
  using Param = std::string_view;
  using Result = std::string;
};
template <>
struct Types<Kind::TextBits> : Types<Kind::Text> {};
template <class T, class Returned = void>
struct ParamIs {
  using Param = T;
  using Result = Returned;
};
// clang-format off
template <> struct Types<Kind::Int32> : ParamIs<int32_t, int64_t> {};
template <> struct Types<Kind::IntList> : ParamIs<std::span<const int64_t>, int64_t> {};
template <> struct Types<Kind::TensorList> : ParamIs<std::span<const int64_t>, int64_t> {};
template <> struct Types<Kind::Sizes> : ParamIs<std::span<const int64_t>> {};
template <> struct Types<Kind::IntData> : ParamIs<std::span<const int64_t>> {};
template <> struct Types<Kind::FloatList> : ParamIs<std::span<const double>, int64_t> {};
template <> struct Types<Kind::Doubles> : ParamIs<const double*> {};
template <> struct Types<Kind::Int64s> : ParamIs<const int64_t*> {};
template <> struct Types<Kind::Int64Out> : ParamIs<int64_t*> {};
template <> struct Types<Kind::FloatOut> : ParamIs<float*> {};
template <> struct Types<Kind::VoidOut> : ParamIs<void*> {};
// clang-format on

template <Kind kind>
using Param = typename Types<kind>::Param;
template <Kind kind>
using Result = typename Types<kind>::Result;

/// The result of a call that has failed.
template <Kind>
auto failure();
#define RT_KIND(kind, c, c_params, spl, spl_params, simple, value) \
  template <>                                                      \
  inline auto failure<Kind::kind>() {                              \
    return value;                                                  \
  }
#include "graph/ops/kinds.def"

/// Results that both flavors return in one register.
template <Kind kind>
using OneWord = std::conditional_t<
    kind == Kind::Void, void,
    std::conditional_t<kind == Kind::Float || kind == Kind::Rate, double, int64_t>>;
template <Kind kind>
OneWord<kind> as_word(Result<kind> result) {
  if constexpr (kind == Kind::Bits) return std::bit_cast<int64_t>(result);
  else return static_cast<OneWord<kind>>(result);
}

// ---- Arguments as the caller passes them: get() checks and converts, show() writes for a message.

/// Limits of PyTorch's dims and of tensors in one call. A greater length is a mistake, so the list
/// is never read.
inline constexpr int64_t kMaxDims = 64;
inline constexpr int64_t kMaxTensors = int64_t{1} << 20;

struct Number {
  const char* name;
  int64_t value;
  int64_t get() const { return value; }
  void show(std::string& text) const;
};
struct Narrow : Number {
  int32_t get() const { return static_cast<int32_t>(value); }
  void show(std::string& text) const;
};
struct Boolean : Number {
  bool get() const { return (value & 0xff) != 0; }
  void show(std::string& text) const;
};
struct HandleNumber : Number {
  void show(std::string& text) const;
};
struct Real {
  const char* name;
  double value;
  double get() const { return value; }
  void show(std::string& text) const;
};
struct RealBits : Number {
  double get() const { return std::bit_cast<double>(value); }
  void show(std::string& text) const;
};
struct CString {
  const char* name;
  const char* value;
  std::string_view get() const;
  void show(std::string& text) const;
};
/// A text as a pointer in an integer.
struct CStringBits : Number {
  CString text() const { return {name, reinterpret_cast<const char*>(value)}; }
  std::string_view get() const { return text().get(); }
  void show(std::string& all) const { text().show(all); }
};

/// True where no memory is mapped at this address. It completes is_number().
bool is_unmapped(int64_t address);
/// True where an argument that should be an address can only be a number: a negative or a small
/// one, since programs are mapped higher. 0 is NULL.
inline bool is_number(int64_t word) {
  constexpr uint64_t kNegative = uint64_t{1} << 55, kSmall = uint64_t{2} << 20;
  return static_cast<uint64_t>(word) + kNegative < kNegative + kSmall && is_unmapped(word);
}
inline bool is_number(const void* pointer) { return is_number(reinterpret_cast<int64_t>(pointer)); }

/// Throws unless `length` elements may be at `pointer`.
void check_list(const char* name, const void* pointer, int64_t length, int64_t most);

/// Write a list into a message.
void write_sizes(std::string& text, std::span<const int64_t> sizes);
void write_handles(std::string& text, std::span<const int64_t> handles);
void write_count(std::string& text, int64_t length);
/// Writes the count of a tensor's elements, not the elements.
template <class T>
void write_data(std::string& text, std::span<const T> data) {
  write_count(text, static_cast<int64_t>(data.size()));
}

/// The sizes that d0, d1, d2, d3 and ndim spell; throws where ndim or a size is impossible.
std::span<const int64_t> sizes_one_by_one(std::span<const int64_t, 5> words);
void write_sizes_one_by_one(std::string& text, std::span<const int64_t, 5> words);

/// Element type and greatest length of a list kind. The flavor says how the list is passed.
template <Kind>
struct ListOf : std::false_type {};
template <class T, int64_t kLimit, void (*kWrite)(std::string&, std::span<const T>)>
struct ListIs : std::true_type {
  using Element = T;
  static constexpr int64_t kMost = kLimit;
  static void write(std::string& text, std::span<const T> list) { kWrite(text, list); }
};
inline constexpr int64_t kMaxData = INT64_MAX / 8;
// clang-format off
template <> struct ListOf<Kind::IntList> : ListIs<int64_t, kMaxDims, write_sizes> {};
template <> struct ListOf<Kind::Sizes> : ListIs<int64_t, kMaxDims, write_sizes> {};
template <> struct ListOf<Kind::TensorList> : ListIs<int64_t, kMaxTensors, write_handles> {};
template <> struct ListOf<Kind::IntData> : ListIs<int64_t, kMaxData, write_data<int64_t>> {};
template <> struct ListOf<Kind::FloatList> : ListIs<double, kMaxData, write_data<double>> {};
// clang-format on

/// Sizes as a list or, as some clients pass them, as integers d0, d1, d2, d3 and the count of those
/// that are meant. Both come in the same registers. `List` is the flavor's list of sizes.
template <class List>
struct ListOrSizes {
  static constexpr size_t kWords = 5;
  std::array<int64_t, kWords> words;

  typename List::Held get() const {
    if (!is_number(words[0])) [[likely]]
      return list().get();
    return typename List::Held(sizes_one_by_one(words));
  }
  void show(std::string& text) const {
    if (is_number(words[0])) write_sizes_one_by_one(text, words);
    else list().show(text);
  }

 private:
  List list() const { return List::from("dims", words); }
};

template <class T>
struct Pointer {
  const char* name;
  T* value;
  T* get() const { return value; }
  void show(std::string& text) const;
};
// clang-format off
template <Kind> struct RawOf { using type = Number; };
template <> struct RawOf<Kind::Tensor> { using type = HandleNumber; };
template <> struct RawOf<Kind::OptTensor> { using type = HandleNumber; };
template <> struct RawOf<Kind::Handle> { using type = HandleNumber; };
template <> struct RawOf<Kind::Int32> { using type = Narrow; };
template <> struct RawOf<Kind::Flag> { using type = Boolean; };
template <> struct RawOf<Kind::Float> { using type = Real; };
template <> struct RawOf<Kind::Bits> { using type = RealBits; };
template <> struct RawOf<Kind::Text> { using type = CString; };
template <> struct RawOf<Kind::TextBits> { using type = CStringBits; };
template <> struct RawOf<Kind::Doubles> { using type = Pointer<const double>; };
template <> struct RawOf<Kind::Int64s> { using type = Pointer<const int64_t>; };
template <> struct RawOf<Kind::Int64Out> { using type = Pointer<int64_t>; };
template <> struct RawOf<Kind::FloatOut> { using type = Pointer<float>; };
template <> struct RawOf<Kind::VoidOut> { using type = Pointer<void>; };
// clang-format on
template <Kind kind>
using Raw = typename RawOf<kind>::type;

// ---- The guard.

/// Makes the exception in flight the thread's last error. `call` precedes the message unless that
/// starts with a call already.
void report_failure(std::string_view call);
/// Makes "out of memory" the last error where no message can be allocated.
void report_out_of_memory() noexcept;

template <class Raws>
[[gnu::cold, gnu::noinline]] void explain(const char* symbol, const Raws& raws) noexcept {
  try {
    std::string call = std::string(symbol) + "(";
    const auto show = [&](const auto& raw) {
      std::string argument;
      raw.show(argument);
      if (call.back() != '(' && !argument.empty()) call += ", ";
      call += argument;
    };
    std::apply([&](const auto&... raw) { (show(raw), ...); }, raws);
    report_failure(call + ")");
  } catch (...) {
    report_out_of_memory();
  }
}

/// True for calls that neither create nor free, such as reads: pthread_cancel may end their thread
/// before they run.
constexpr bool is_cancellation_point(Kind result) {
  return result != Kind::Tensor && result != Kind::Handle && result != Kind::Void;
}

/// Runs a body with the engine locked. Arguments and results are converted without the lock, since
/// lists may be long. Flavor converts results. Only the unwinding of a cancelled thread leaves it.
template <Kind kind, class Flavor, class... Raws, class Body>
typename Flavor::template CResult<kind> guarded(const char* symbol, std::tuple<Raws...> raws,
                                                Body body) {
  if constexpr (is_cancellation_point(kind)) pthread_testcancel();
  const auto run = [&](const auto&... arguments) {
    CallContext context(Engine::instance());
    try {
      static const uint16_t call = symbol_id(symbol);
      context.thread.tape.call = call;
      context.engine.begin(context);
      return body(context, arguments...);
    } catch (const __cxxabiv1::__forced_unwind&) {
      throw;
    } catch (...) {
      context.take_back();
      throw;
    }
  };
  try {
    const auto result = [&] {
      return std::apply([&](Raws&... raw) { return run(raw.get()...); }, raws);
    };
    if constexpr (kind == Kind::Void) return result();
    else return Flavor::template give<kind>(result(), raws);
  } catch (const __cxxabiv1::__forced_unwind&) {
    throw;
  } catch (...) {
    explain(symbol, raws);
  }
  return Flavor::template failed<kind>();
}

}  // namespace rt::abi
