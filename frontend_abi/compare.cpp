// compare.cpp -- comparisons of whole tensors, which the host reads as a flag.
#include <algorithm>
#include <bit>

#include "frontend_abi/calls.h"
#include "graph/tape/symbols.h"

namespace rt::call {
namespace {

Call comparison(CallContext& context, Op op, int64_t self, int64_t other) {
  Call call;
  call.symbol = symbol_text(context.thread.tape.call);
  call.args.op = op;
  call.handles = {self, other};
  return call;
}

}  // namespace

bool rt_torch_torchtensor_allclose(CallContext& context, int64_t self, int64_t other, double rtol,
                                   double atol, bool equal_nan) {
  Call call = comparison(context, Op::AllClose, self, other);
  call.args.attributes = {std::bit_cast<int64_t>(rtol), std::bit_cast<int64_t>(atol), equal_nan};
  return context.engine.recorder.record_and_read(context, call) != 0;
}

bool rt_torch_torchtensor_equal(CallContext& context, int64_t self, int64_t other) {
  const TensorType left = context.engine.recorder.type(context, self);
  const TensorType right = context.engine.recorder.type(context, other);
  if (!std::ranges::equal(left.sizes, right.sizes)) return false;
  Call call = comparison(context, Op::AllEqual, self, other);
  return context.engine.recorder.record_and_read(context, call) != 0;
}

}  // namespace rt::call
