// calls.h -- the bodies of calls.def, one function a row; both flavors of the ABI call them.
#pragma once
#include "frontend_abi/boundary.h"

#define RT_BODY_A(kind, name) , abi::Param<Kind::kind> name RT_BODY_B
#define RT_BODY_B(kind, name) , abi::Param<Kind::kind> name RT_BODY_A
#define RT_BODY_A_END
#define RT_BODY_B_END

/// A list result is a last parameter too: see abi::Room. The bodies return its true length.
#define RT_BODY_ROOM_IntList , abi::Room<int64_t> out
#define RT_BODY_ROOM_TensorList , abi::Room<int64_t> out
#define RT_BODY_ROOM_Handle
#define RT_BODY_ROOM_Void
#define RT_BODY_ROOM_Float
#define RT_BODY_ROOM_Int
#define RT_BODY_ROOM_Int32
#define RT_BODY_ROOM_Flag
#define RT_BODY_ROOM_Count
#define RT_BODY_ROOM_Code
#define RT_BODY_ROOM_Status
#define RT_BODY_ROOM_Rate
#define RT_BODY_ROOM_Text
#define RT_BODY_ROOM_TextBits

namespace rt::call {

#define RT_CALL(symbol, result, params, doc) \
  abi::Result<Kind::result> symbol(Turn& turn RT_END(RT_BODY_A params) RT_BODY_ROOM_##result);
#define RT_CALL_PURE(...)
#include "frontend_abi/calls.def"

/// The type of what a handle stands for, as a counted query.
TensorType query(Turn& turn, int64_t handle);

/// The dtype of a code of the ABI that is below `codes`; throws for others.
DType dtype_of_code(int64_t code, int64_t codes);
/// What the group loader means by its dtype and device codes.
DType loader_dtype(int64_t code);
Device loader_device(int64_t code);
/// A CUDA device by its number; a negative number is an error.
Device cuda_device(int64_t index);
/// The sizes at a pointer, checked.
Sizes sizes_at(const char* name, const int64_t* sizes, int64_t count);

}  // namespace rt::call
