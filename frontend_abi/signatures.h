// signatures.h -- C spelling of parameters and results by kind; each flavor spells its lists.
#pragma once

// RT_AS_<kind>(what, name): what_ONE(type, name) or, for a list, what_LIST(element, name).
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
#define RT_AS_TensorList(what, name) what##_LIST(int64_t, name)
#define RT_AS_IntList(what, name) what##_LIST(int64_t, name)
#define RT_AS_Sizes(what, name) what##_LIST(int64_t, name)
#define RT_AS_IntData(what, name) what##_LIST(int64_t, name)
#define RT_AS_FloatList(what, name) what##_LIST(double, name)

// RT_RETURNS_<kind>(what): what_OUTPUT(element) for a list, else nothing.
#define RT_RETURNS_Tensor(what)
#define RT_RETURNS_Handle(what)
#define RT_RETURNS_Void(what)
#define RT_RETURNS_Float(what)
#define RT_RETURNS_Bits(what)
#define RT_RETURNS_Int(what)
#define RT_RETURNS_Int32(what)
#define RT_RETURNS_Flag(what)
#define RT_RETURNS_Idle(what)
#define RT_RETURNS_Count(what)
#define RT_RETURNS_Code(what)
#define RT_RETURNS_Status(what)
#define RT_RETURNS_Rate(what)
#define RT_RETURNS_Text(what)
#define RT_RETURNS_TextBits(what)
#define RT_RETURNS_IntList(what) what##_OUTPUT(int64_t)
#define RT_RETURNS_TensorList(what) what##_OUTPUT(int64_t)
#define RT_RETURNS_FloatList(what) what##_OUTPUT(double)

#define RT_DECLARE_ONE(type, name) type name##_
#define RT_FIELDS_ONE(type, name) name##_
