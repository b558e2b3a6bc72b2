// lines.h -- the lines along one dimension or several of a contiguous copy.
#pragma once
#include <string_view>
#include <vector>

#include "fallback_cpu/kernels.h"

namespace rt::cpu {

/// The row's integer of this name.
inline int64_t integer_named(const KernelCall& call, std::string_view name) {
  uint32_t i = 0;
  for (const Param& param : call.row.params) {
    if (param.kind != Kind::Int && param.kind != Kind::Flag) continue;
    if (param.name == name) break;
    ++i;
  }
  return call.attributes.integer(i);
}

/// `input` row-major with the dimensions in `dims` moved behind the others.
inline BufferRef moved_last(const KernelCall& call, const BufferRef& input, Sizes dims) {
  const size_t rank = input->sizes().size();
  std::vector<bool> moves(rank, false);
  if (rank > 0)
    for (const int64_t dim : dims) moves[static_cast<size_t>(dim)] = true;
  Layout layout;
  layout.offset = input->layout().offset;
  for (const bool now : {false, true})
    for (size_t d = 0; d < rank; ++d) {
      if (moves[d] != now) continue;
      layout.sizes.push_back(input->sizes()[d]);
      layout.strides.push_back(input->strides()[d]);
    }
  return call.contiguous(
      BufferRef(new Buffer(input->storage(), input->dtype(), std::move(layout))));
}

}  // namespace rt::cpu
