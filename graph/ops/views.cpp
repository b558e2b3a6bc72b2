// views.cpp -- the layout rules of the view rows.
#include "graph/ops/views.h"

#include <utility>

namespace rt::view {

// Dimensions of the source that are evenly spaced in memory form runs. A new dimension may split or
// join those of one run, but cannot span two runs.
bool resized(const AttributesView&, Sizes shape, const Layout& source, Layout& result) {
  result.offset = source.offset;
  result.sizes.assign(shape);
  if (numel(source.sizes) == 0) {
    result.strides = contiguous_strides(shape);
    return true;
  }
  result.strides.resize(static_cast<uint32_t>(shape.size()));
  auto to = static_cast<int64_t>(shape.size()) - 1;
  int64_t run = 1, stride = 1;
  bool open = false;
  const auto close = [&] {
    int64_t filled = 1;
    while (to >= 0 && (filled < run || shape[static_cast<size_t>(to)] == 1)) {
      result.strides[static_cast<uint32_t>(to)] = filled * stride;
      filled *= shape[static_cast<size_t>(to--)];
    }
    return filled == run;
  };
  for (uint32_t i = source.sizes.size(); i-- > 0;) {
    if (source.sizes[i] == 1) continue;
    if (open && source.strides[i] == run * stride) {
      run *= source.sizes[i];
      continue;
    }
    if (open && !close()) return false;
    run = source.sizes[i];
    stride = source.strides[i];
    open = true;
  }
  if (!close()) return false;
  while (to >= 0) result.strides[static_cast<uint32_t>(to--)] = run * stride;
  return true;
}

bool contiguous(const AttributesView&, Sizes, const Layout& source, Layout& result) {
  if (!is_contiguous(source.sizes, source.strides)) return false;
  result = source;
  return true;
}

bool transpose(const AttributesView& attributes, Sizes, const Layout& source, Layout& result) {
  result = source;
  if (source.sizes.empty()) return true;
  const auto a = static_cast<uint32_t>(attributes.integer(0)),
             b = static_cast<uint32_t>(attributes.integer(1));
  std::swap(result.sizes[a], result.sizes[b]);
  std::swap(result.strides[a], result.strides[b]);
  return true;
}

bool t(const AttributesView&, Sizes, const Layout& source, Layout& result) {
  result = source;
  if (source.sizes.size() < 2) return true;
  std::swap(result.sizes[0], result.sizes[1]);
  std::swap(result.strides[0], result.strides[1]);
  return true;
}

bool alias(const AttributesView&, Sizes, const Layout& source, Layout& result) {
  result = source;
  return true;
}

bool expand(const AttributesView&, Sizes shape, const Layout& source, Layout& result) {
  result.sizes.assign(shape);
  result.strides.clear();
  result.offset = source.offset;
  const size_t missing = shape.size() - source.sizes.size();
  for (size_t d = 0; d < shape.size(); ++d) {
    const auto at = static_cast<uint32_t>(d - missing);
    const bool repeats = d < missing || source.sizes[at] != shape[d];
    result.strides.push_back(repeats ? 0 : source.strides[at]);
  }
  return true;
}

bool permute(const AttributesView& attributes, Sizes, const Layout& source, Layout& result) {
  const auto dims = attributes.list(0);
  result.sizes.clear();
  result.strides.clear();
  for (int64_t dim : dims) {
    result.sizes.push_back(source.sizes[static_cast<uint32_t>(dim)]);
    result.strides.push_back(source.strides[static_cast<uint32_t>(dim)]);
  }
  result.offset = source.offset;
  return true;
}

bool as_strided(const AttributesView& attributes, Sizes shape, const Layout& source,
                Layout& result) {
  if (!is_contiguous(source.sizes, source.strides)) return false;
  result.sizes.assign(shape);
  result.strides.assign(attributes.list(0));
  result.offset = source.offset + attributes.integer(0);
  return true;
}

bool slice(const AttributesView& attributes, Sizes shape, const Layout& source, Layout& result) {
  result = source;
  const auto dim = static_cast<uint32_t>(attributes.integer(0));
  result.sizes[dim] = shape[dim];
  // Skipped where it has no effect, because strides without elements may have
  // any size and overflow.
  if (numel(shape) > 0) result.offset += attributes.scalar(0) * source.strides[dim];
  if (shape[dim] > 1) result.strides[dim] *= attributes.integer(1);
  return true;
}

}  // namespace rt::view
