// infer.cpp -- inference of one op: devices, limits, and the dtype rules.
#include "graph/ops/infer.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "graph/error.h"
#include "graph/memory/machine_memory.h"

namespace rt {
namespace {

constexpr size_t kMaxRank = 64;  // as in libtorch's iterators

/// All operands must be on one device; 0-d CPU tensors go along with any.
void check_devices(Inference& call) {
  const TensorType* first = nullptr;
  for (const TensorType& type : call.operands) {
    if (type.none || (!type.device.is_cuda() && type.sizes.empty())) continue;
    if (!first) first = &type;
    if (!(first->device == type.device))
      fail("operands are on ", name(first->device), " and on ", name(type.device),
           "; move them to one device first");
  }
  if (first) call.device = first->device;
}

void check_size(const Inference& call) {
  if (call.shape.size() > kMaxRank)
    fail("the result would have ", call.shape.size(), " dimensions; at most ", kMaxRank,
         " are supported");
  int64_t bytes = 0;
  const auto count = checked_numel(call.shape);
  if (!count || __builtin_mul_overflow(*count, item_size(call.dtype), &bytes))
    fail("the bytes of ", to_string(call.dtype, call.shape),
         " overflow 64 bits; use smaller sizes");
  if (!call.device.is_cuda() && bytes > machine_memory() && !call.row.rules.view)
    fail(to_string(call.dtype, call.shape), " needs ", bytes, " bytes and this machine has ",
         machine_memory(), " for this process; use a smaller size");
}

int category(DType dtype) { return is_float(dtype) ? 2 : dtype == DType::Bool ? 0 : 1; }

}  // namespace

void infer(Args& args, std::span<const TensorType> operands) {
  const OpInfo& row = info(args.op);
  Inference call{row, operands, args.attributes, args.shape, args.dtype, args.device};
  if (!row.placed) check_devices(call);
  row.rules.shape(call);
  row.rules.type(call);
  check_size(call);
}

DType result_type(std::span<const TensorType> operands) {
  // One dtype per tier: tensors with dimensions, then 0-d ones. The second tier counts only where
  // its category is higher (torch.result_type).
  bool any[2] = {false, false};
  DType tier[2] = {DType::Bool, DType::Bool};
  for (const TensorType& type : operands) {
    if (type.none) continue;
    const int t = type.sizes.empty() ? 1 : 0;
    tier[t] = any[t] ? promote(tier[t], type.dtype) : type.dtype;
    any[t] = true;
  }
  if (!any[0]) return tier[1];
  if (!any[1] || category(tier[1]) <= category(tier[0])) return tier[0];
  return promote(tier[0], tier[1]);
}

DType computed_in(const OpInfo& row, std::span<const TensorType> operands, DType result) {
  if (row.rules.type != type::boolean) return result;
  const DType common = result_type(operands);
  return row.scalars > 0 && !is_float(common) ? DType::F32 : common;
}

namespace type {
namespace {

void need_float(DType dtype) {
  if (!is_float(dtype))
    fail("takes floating point tensors, not ", name(dtype),
         "; convert with to_float32 or to_float");
}

}  // namespace

void keep(Inference& call) { call.dtype = call.operand(0).dtype; }
void keep_second(Inference& call) { call.dtype = call.operand(1).dtype; }

void numeric(Inference& call) {
  keep(call);
  if (call.dtype == DType::Bool) fail("takes no bool tensor; convert with to_int or to_float32");
}

void floating(Inference& call) {
  keep(call);
  need_float(call.dtype);
}

void to_float(Inference& call) {
  keep(call);
  if (!is_float(call.dtype)) call.dtype = DType::F32;
}

void numeric_to_float(Inference& call) {
  numeric(call);
  to_float(call);
}

void averaged(Inference& call) {
  keep(call);
  if (!is_float(call.dtype) && call.dtype != DType::I64)
    fail("takes floating point and i64 tensors, not ", name(call.dtype),
         "; convert with to_float32 or to_int");
}

void promote(Inference& call) { call.dtype = result_type(call.operands); }

void promote_numeric(Inference& call) {
  for (const TensorType& type : call.operands)
    if (type.dtype == DType::Bool) fail("takes no bool tensor; convert with to_int or to_float32");
  promote(call);
}

void promote_to_number(Inference& call) {
  promote(call);
  if (call.dtype == DType::Bool) fail("takes no two bool tensors; convert one of them with to_int");
}

void promote_floating(Inference& call) {
  promote(call);
  need_float(call.dtype);
}

void promote_float(Inference& call) {
  promote(call);
  if (!is_float(call.dtype)) call.dtype = DType::F32;
}

void promote_expanded(Inference& call) {
  call.dtype = rt::promote(call.operand(0).dtype, call.operand(1).dtype);
  need_float(call.dtype);
}

void equal_stored(Inference& call) {
  keep(call);
  for (const TensorType& type : call.operands)
    if (!type.none && type.dtype != call.dtype)
      fail("operands have dtypes ", name(call.dtype), " and ", name(type.dtype),
           "; convert one of them first");
}

void equal(Inference& call) {
  equal_stored(call);
  if (call.dtype == DType::Bool) fail("takes no bool tensors; convert with to_int or to_float32");
}

void equal_floating(Inference& call) {
  equal(call);
  need_float(call.dtype);
}

void normalized(Inference& call) {
  floating(call);
  const auto is_single = [](const TensorType& type) {
    return !type.none && type.dtype == DType::F32;
  };
  const auto parameters = call.operands.subspan(1);
  const bool on_cuda = call.operand(0).device.is_cuda();  // layer_norm mixes no dtypes on CUDA
  const bool mixed = is_half(call.dtype) && !(on_cuda && call.row.op == Op::LayerNorm) &&
                     std::ranges::any_of(parameters, is_single);
  if (!mixed) return equal(call);
  for (const TensorType& type : parameters)
    if (!type.none && !is_single(type))
      fail("input is ", name(call.dtype), " and the others ", name(DType::F32), " and ",
           name(type.dtype), "; they must all be ", name(DType::F32), " or all ", name(call.dtype));
}

void cross_entropy(Inference& call) {
  floating(call);
  if (is_float(call.operand(1).dtype)) call.dtype = rt::promote(call.dtype, call.operand(1).dtype);
}

void sum(Inference& call) {
  keep(call);
  if (!is_float(call.dtype)) call.dtype = DType::I64;
}

void counted(Inference& call) {
  keep(call);
  if (call.dtype == DType::Bool) call.dtype = DType::I64;
}

void masked_fill(Inference& call) {
  const DType mask = call.operand(1).dtype;
  if (mask != DType::Bool)
    fail("mask is ", name(mask), "; it must be bool, as rt_torch_torchtensor_ne_scalar gives it");
  keep(call);
  filled(call);
}

void index(Inference& call) {
  numeric(call);
  call.dtype = DType::I64;
}

void position(Inference& call) { call.dtype = DType::I64; }

void rank(Inference& call) {
  floating(call);
  position(call);
}

void boolean(Inference& call) { call.dtype = DType::Bool; }

void isclose(Inference& call) {
  equal_stored(call);
  boolean(call);
}

void where(Inference& call) {
  const DType condition = call.operand(0).dtype;
  if (condition != DType::Bool) fail("condition is ", name(condition), "; it must be bool");
  call.dtype = result_type(call.operands.subspan(1));
}

void given(Inference&) {}

void filled(Inference& call) {
  // The scalars are fill_value or the ends of a linspace. Integer fills have a row of their own.
  constexpr double kLargest = 3.4028234663852886e38;  // of f32
  for (uint32_t i = 0; i < call.row.scalars; ++i) {
    const double value = std::bit_cast<double>(call.attributes[i]);
    const bool too_large = call.dtype == DType::F32
                               ? std::isfinite(value) && std::abs(value) > kLargest
                           : call.dtype == DType::I32 ? !(std::abs(value) < 0x1p31)
                           : call.dtype == DType::I64 ? !(std::abs(value) < 0x1p63)
                                                      : false;
    if (too_large)
      fail(to_string(value), " does not fit ", name(call.dtype),
           "; use an f64 tensor or a smaller number");
  }
}

void filled_float(Inference& call) {
  need_float(call.dtype);
  filled(call);
}

void given_float(Inference& call) { need_float(call.dtype); }
void given_number(Inference& call) {
  if (call.dtype == DType::Bool) fail("makes no bool tensor; make one of i64 and convert it");
}
void cast(Inference&) {}

}  // namespace type
}  // namespace rt
