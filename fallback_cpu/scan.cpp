// scan.cpp -- running sums along a dimension.
#include "elementwise/dtypes.h"
#include "fallback_cpu/kernels.h"
#include "fallback_cpu/parallel.h"

namespace rt::cpu {

/// Sums are added up in f64 for floats, as ATen's CPU kernel does, and wrap for integers.
BufferRef scan(const KernelCall& call) {
  const BufferRef input = call.contiguous(call.converted(call.operand(0)));
  BufferRef result = call.result();
  if (result->numel() == 0) return result;  // its lines may be as many as sizes can say
  const Extent extent(call.sizes, call.attributes.integer(0));
  visit_number(call.row.name, call.dtype, [&]<class T>(Type<T>) {
    using Sum =
        std::conditional_t<std::is_floating_point_v<T>, double, std::make_unsigned_t<int64_t>>;
    const T* const in = reinterpret_cast<const T*>(input->data());
    T* const out = reinterpret_cast<T*>(result->data());
    const int64_t inner = extent.inner;
    for_ranges(extent.outer * inner, extent.count, call.machine.team,
               [&](int64_t begin, int64_t end) {
                 for (int64_t line = begin; line < end; ++line) {
                   int64_t at = line / inner * extent.count * inner + line % inner;
                   Sum sum = 0;
                   for (int64_t i = 0; i < extent.count; ++i, at += inner)
                     out[at] = static_cast<T>(sum += static_cast<Sum>(in[at]));
                 }
               });
  });
  return result;
}

}  // namespace rt::cpu
