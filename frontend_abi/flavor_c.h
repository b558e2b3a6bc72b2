// flavor_c.h -- how arguments and results cross in librt_torch.so: plain C types.
#pragma once
#include <bit>
#include <type_traits>

#include "frontend_abi/boundary.h"
#include "rt_torch.h"

namespace rt::abi {

struct FlavorC {
  template <Kind kind>
  using CResult = std::conditional_t<
      kind == Kind::Void, void,
      std::conditional_t<kind == Kind::Float || kind == Kind::Rate, double,
                         std::conditional_t<kind == Kind::Text, const char*, int64_t>>>;

  template <Kind kind>
  static CResult<kind> give(Turn& turn, Result<kind> result) {
    if constexpr (kind == Kind::Text) {
      turn.thread.text = std::move(result);
      return turn.thread.text.c_str();
    } else if constexpr (kind == Kind::TextBits) {
      return reinterpret_cast<int64_t>(give<Kind::Text>(turn, std::move(result)));
    } else if constexpr (kind == Kind::Bits) {
      return std::bit_cast<int64_t>(result);
    } else {
      return static_cast<CResult<kind>>(result);
    }
  }
  template <Kind kind>
  static CResult<kind> failed() {
    return static_cast<CResult<kind>>(failure<kind>());
  }
};
using Flavor = FlavorC;

}  // namespace rt::abi

// RT_AS_<kind>(what, name): what_ONE(type, name) or, for a list, what_TWO(type, name).
#define RT_AS_Tensor(what, name) what##_ONE(int64_t, name)
#define RT_AS_OptTensor(what, name) what##_ONE(int64_t, name)
#define RT_AS_Handle(what, name) what##_ONE(int64_t, name)
#define RT_AS_Int(what, name) what##_ONE(int64_t, name)
#define RT_AS_Index(what, name) what##_ONE(int64_t, name)
#define RT_AS_Int32(what, name) what##_ONE(int64_t, name)
#define RT_AS_Flag(what, name) what##_ONE(int64_t, name)
#define RT_AS_Bits(what, name) what##_ONE(int64_t, name)
#define RT_AS_TextBits(what, name) what##_ONE(int64_t, name)
#define RT_AS_Float(what, name) what##_ONE(double, name)
#define RT_AS_Text(what, name) what##_ONE(const char*, name)
#define RT_AS_Doubles(what, name) what##_ONE(const double*, name)
#define RT_AS_Int64s(what, name) what##_ONE(const int64_t*, name)
#define RT_AS_Int64Out(what, name) what##_ONE(int64_t*, name)
#define RT_AS_FloatOut(what, name) what##_ONE(float*, name)
#define RT_AS_VoidOut(what, name) what##_ONE(void*, name)
#define RT_AS_TensorList(what, name) what##_TWO(const int64_t*, name)
#define RT_AS_IntList(what, name) what##_TWO(const int64_t*, name)
#define RT_AS_Sizes(what, name) what##_TWO(const int64_t*, name)
#define RT_AS_IntData(what, name) what##_TWO(const int64_t*, name)
#define RT_AS_FloatList(what, name) what##_TWO(const double*, name)

// RT_RETURNS_<kind>(what): what_LIST(element) for a list, else nothing.
#define RT_RETURNS_Tensor(what)
#define RT_RETURNS_Handle(what)
#define RT_RETURNS_Void(what)
#define RT_RETURNS_Float(what)
#define RT_RETURNS_Bits(what)
#define RT_RETURNS_Int(what)
#define RT_RETURNS_Int32(what)
#define RT_RETURNS_Flag(what)
#define RT_RETURNS_Count(what)
#define RT_RETURNS_Code(what)
#define RT_RETURNS_Status(what)
#define RT_RETURNS_Rate(what)
#define RT_RETURNS_Text(what)
#define RT_RETURNS_TextBits(what)
#define RT_RETURNS_IntList(what) what##_LIST(int64_t)
#define RT_RETURNS_TensorList(what) what##_LIST(int64_t)
#define RT_RETURNS_FloatList(what) what##_LIST(double)

#define RT_DECLARE_ONE(type, name) type name##_
#define RT_DECLARE_TWO(type, name) type name##_, int64_t name##_len_
#define RT_DECLARE_LIST(type) , type *out_, int64_t capacity_
#define RT_FIELDS_ONE(type, name) name##_
#define RT_FIELDS_TWO(type, name) name##_, name##_len_
#define RT_FIELDS_LIST(type) \
  , rt::abi::RoomArgument<type> { out_, capacity_ }
