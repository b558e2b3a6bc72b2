// entry_points.cpp -- one exported body per row of the tables, compiled once per flavor of the ABI.
// It includes the generated header, so that a body with another declaration does not compile.
#include <array>
#include <bit>

#include "frontend_abi/calls.h"
#include RT_FLAVOR  // "frontend_abi/flavors/flavor_c.h" or "frontend_abi/flavors/flavor_spl.h"

namespace rt::abi {

/// The kinds of op parameters as types: overloads of put_* choose the field of an rt::Call.
namespace arg {
struct Tensor {
  int64_t handle;
  Tensor(int64_t value) : handle(value) {}
};
using OptTensor = Tensor;
struct Int {
  int64_t value;
  Int(int64_t number) : value(number) {}
};
using Flag = Int;
struct Index {
  int64_t word;
  Index(int64_t value) : word(value) {}
};
struct Float {
  int64_t word;
  Float(double value) : word(std::bit_cast<int64_t>(value)) {}
};
template <int kTag>
struct List {
  std::span<const int64_t> items;
  List(std::span<const int64_t> list) : items(list) {}
  template <size_t N>
  List(const std::array<int64_t, N>& list) : items(list) {}
};
using TensorList = List<0>;
using IntList = List<1>;
using Sizes = List<2>;
using DType = rt::DType;
using Device = rt::Device;
}  // namespace arg

// Attributes of an rt::Call are packed in three rounds: scalars, integers, lists.
template <class T>
void put_first(Call&, const T&) {}
inline void put_first(Call& call, arg::Tensor self) { call.handles.push_back(self.handle); }
inline void put_first(Call& call, const arg::TensorList& list) { call.handles.append(list.items); }
inline void put_first(Call& call, arg::Index index) { call.args.attributes.push_back(index.word); }
inline void put_first(Call& call, arg::Float number) {
  call.args.attributes.push_back(number.word);
}
inline void put_first(Call& call, const arg::Sizes& sizes) { call.args.shape.assign(sizes.items); }
inline void put_first(Call& call, DType dtype) { call.args.dtype = dtype; }
inline void put_first(Call& call, Device device) { call.args.device = device; }
template <class T>
void put_integer(Call&, const T&) {}
inline void put_integer(Call& call, arg::Int number) {
  call.args.attributes.push_back(number.value);
}
template <class T>
void put_list(Call&, const T&) {}
inline void put_list(Call& call, const arg::IntList& list) {
  call.args.attributes.push_back(static_cast<int64_t>(list.items.size()));
  call.args.attributes.append(list.items);
}

template <class... Arguments>
void put(Call& call, const Arguments&... arguments) {
  (put_first(call, arguments), ...);
  (put_integer(call, arguments), ...);
  (put_list(call, arguments), ...);
}

/// One function per row of ops.def: fills an rt::Call from arguments of the row's kinds.
namespace fill {
#define RT_FILL(kind, name) , arg::kind name
#define RT_NAME(kind, name) , name
#define RT_INTERNAL(Id, params, ...)                    \
  inline void Id(Call& call RT_EACH(RT_FILL, params)) { \
    call.args.op = Op::Id;                              \
    put(call RT_EACH(RT_NAME, params));                 \
  }
#define RT_OP(Id, symbol, result, params, ...) RT_INTERNAL(Id, params)
#include "graph/ops/ops.def"
}  // namespace fill

/// A result of kind Tensor is recorded and forces nothing; one of kind Float is read.
template <Kind kind>
Result<kind> finish(CallContext& context, Call& call) {
  if constexpr (kind == Kind::Tensor) return context.engine.recorder.record(context, call);
  else return context.engine.recorder.record_and_read(context, call);
}

// ---- Names that aliases.def may use beside its parameters.
namespace {
using call::cuda_device;
using call::loader_device;
using call::loader_dtype;
using call::sizes_at;

Device default_device() { return Engine::instance().backends.default_device(); }
Device any_device(int64_t index) { return Engine::instance().backends.device(index); }
constexpr Device the_cpu() { return {}; }
/// Sizes, dims or handles that the client passes as separate parameters.
template <class... Items>
constexpr std::array<int64_t, sizeof...(Items)> list(Items... items) {
  return {items...};
}
}  // namespace
}  // namespace rt::abi

#define RT_DROP_(first, ...) __VA_ARGS__
#define RT_DROP(...) RT_DROP_(__VA_ARGS__)
#define RT_DECLARE(kind, name) , RT_AS_##kind(RT_DECLARE, name)
#define RT_RAW(kind, name) \
  , rt::abi::Flavor::Raw<rt::Kind::kind> { #name, RT_AS_##kind(RT_FIELDS, name) }
#define RT_TAKE(kind, name) , [[maybe_unused]] rt::abi::Param<rt::Kind::kind> name

// clang-format off
#define RT_SIGNATURE(symbol, result, params)                                                    \
  extern "C" rt::abi::Flavor::CResult<rt::Kind::result> symbol(                                 \
      RT_DROP(RT_EACH(RT_DECLARE, params) RT_RETURNS_##result(RT_DECLARE)))
#define RT_GUARDED(symbol, result, params)                                                      \
  return rt::abi::guarded<rt::Kind::result, rt::abi::Flavor>(                                   \
      #symbol, std::tuple(RT_DROP(RT_EACH(RT_RAW, params) RT_RETURNS_##result(RT_FIELDS))),

#define RT_RECORDING(symbol_, Id, result, params, ...)                                          \
  [](rt::CallContext& context RT_EACH(RT_TAKE, params)) {                                       \
    using namespace rt;                                                                         \
    using namespace rt::abi;                                                                    \
    Call call;                                                                                  \
    call.symbol = #symbol_;                                                                     \
    fill::Id(call, __VA_ARGS__);                                                                \
    return finish<Kind::result>(context, call);                                                 \
  }
#define RT_ALIAS(symbol_, Id, result, params, doc, ...)                                         \
  RT_SIGNATURE(symbol_, result, params) {                                                       \
    RT_GUARDED(symbol_, result, params)                                                         \
    RT_RECORDING(symbol_, Id, result, params, __VA_ARGS__));                                    \
  }

#define RT_CHECKED(symbol_, Id, doc)                                                            \
  extern "C" int64_t symbol_(int64_t handle_, double* out_) {                                   \
    return rt::abi::guarded<rt::Kind::Status, rt::abi::Flavor>(                                 \
        #symbol_,                                                                               \
        std::tuple(rt::abi::HandleNumber{{"handle", handle_}},                                  \
                   rt::abi::Pointer<double>{"out", out_}),                                      \
        [](rt::CallContext& context, int64_t handle, double* out) {                             \
          if (!out) rt::fail("out is NULL; pass the address of a double");                      \
          rt::Call call;                                                                        \
          call.symbol = #symbol_;                                                               \
          rt::abi::fill::Id(call, handle);                                                      \
          *out = context.engine.recorder.record_and_read(context, call);                        \
          return int64_t{0};                                                                    \
        });                                                                                     \
  }

// The header declares a list of sizes. The exported function takes five integers, because that
// covers the registers of both kinds of callers; for a list it reads only those that carry it.
#define RT_SIZED_PARAMS(more)                                                                   \
  int64_t d0_, int64_t d1_, int64_t d2_, int64_t d3_, int64_t ndim_ RT_EACH(RT_DECLARE, more)
#define RT_SIZED(symbol_, Id, more, doc, ...)                                                   \
  static_assert(std::is_same_v<decltype(symbol_), int64_t(RT_DROP(                              \
      RT_EACH(RT_DECLARE, (Sizes, dims) more)))>);                                              \
  extern "C" int64_t symbol_##_sized(RT_SIZED_PARAMS(more)) __asm__(#symbol_);                  \
  int64_t symbol_##_sized(RT_SIZED_PARAMS(more)) {                                              \
    return rt::abi::guarded<rt::Kind::Tensor, rt::abi::Flavor>(                                 \
        #symbol_,                                                                               \
        std::tuple(rt::abi::ListOrSizes<rt::abi::Flavor::Raw<rt::Kind::Sizes>>{                 \
                       {d0_, d1_, d2_, d3_, ndim_}} RT_EACH(RT_RAW, more)),                     \
        RT_RECORDING(symbol_, Id, Tensor, (Sizes, dims) more, __VA_ARGS__));                    \
  }
#define RT_OP(Id, symbol_, result, params, ...)                                                 \
  RT_ALIAS(symbol_, Id, result, params, , RT_DROP(RT_EACH(RT_NAME, params)))
#define RT_INTERNAL(...)
#include "graph/ops/ops.def"
#include "frontend_abi/aliases.def"

#define RT_CALL(symbol, result, params, forces, doc)                                            \
  RT_SIGNATURE(symbol, result, params) {                                                        \
    RT_GUARDED(symbol, result, params)                                                          \
    [](rt::CallContext& context, auto... arguments) {                                           \
      return rt::call::symbol(context, arguments...);                                           \
    });                                                                                         \
  }
// The status of a call whose body returns nothing is 0.
#define RT_CALL_ALIAS(symbol, call_, result, params)                                            \
  RT_SIGNATURE(symbol, result, params) {                                                        \
    RT_GUARDED(symbol, result, params)                                                          \
    [](rt::CallContext& context, auto... arguments) {                                           \
      if constexpr (rt::Kind::result == rt::Kind::Status) {                                     \
        rt::call::call_(context, arguments...);                                                 \
        return int64_t{0};                                                                      \
      } else {                                                                                  \
        return rt::call::call_(context, arguments...);                                          \
      }                                                                                         \
    });                                                                                         \
  }
#define RT_CALL_PURE(symbol, result, value, doc)                                                \
  RT_SIGNATURE(symbol, result, ) { return value; }
#include "frontend_abi/calls.def"
// clang-format on
