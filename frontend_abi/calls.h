// calls.h -- the bodies of calls.def, one function a row; both flavors of the ABI call them.
#pragma once
#include "frontend_abi/boundary.h"
#include "frontend_abi/signatures.h"

#define RT_BODY(kind, name) , abi::Param<Kind::kind> name

/// A list result is the last parameter. The body returns the count of all elements.
#define RT_BODY_OUTPUT(type) , abi::OutputList<type> out

namespace rt::call {

#define RT_CALL(symbol, result, params, forces, doc)                             \
  abi::Result<Kind::result> symbol(CallContext& context RT_EACH(RT_BODY, params) \
                                       RT_RETURNS_##result(RT_BODY));
#define RT_CALL_PURE(...)
#define RT_CALL_ALIAS(...)
#include "frontend_abi/calls.def"

/// The type of the tensor; counts the call.
TensorType query(CallContext& context, int64_t handle);

/// The dtype of a code that is below `codes`; throws for others.
DType dtype_of_code(int64_t code, int64_t codes);
/// Dtype and device of the codes that the group loader uses.
DType loader_dtype(int64_t code);
Device loader_device(int64_t code);
/// The CUDA device of this index; throws for a negative one.
Device cuda_device(int64_t index);
/// The sizes at a pointer; throws where there can be none.
Sizes sizes_at(const char* name, const int64_t* sizes, int64_t count);

}  // namespace rt::call
