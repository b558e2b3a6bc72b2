// views.h -- how view rows lay their result over the storage of what they view.
#pragma once
#include "graph/ops/op.h"

namespace rt::view {

bool resized(const AttributesView&, Sizes shape, const Layout& source, Layout& result);
bool contiguous(const AttributesView&, Sizes shape, const Layout& source, Layout& result);
bool transpose(const AttributesView&, Sizes shape, const Layout& source, Layout& result);
bool t(const AttributesView&, Sizes shape, const Layout& source, Layout& result);
bool alias(const AttributesView&, Sizes shape, const Layout& source, Layout& result);
/// Dimensions that self does not have, or has one of, repeat: their stride is 0.
bool expand(const AttributesView&, Sizes shape, const Layout& source, Layout& result);
bool permute(const AttributesView&, Sizes shape, const Layout& source, Layout& result);
/// Of a source without gaps; of others there is a copy.
bool as_strided(const AttributesView&, Sizes shape, const Layout& source, Layout& result);
/// Reads the slice's start from scalar 0: on a batch hand in words whose scalars are values.
bool slice(const AttributesView&, Sizes shape, const Layout& source, Layout& result);

}  // namespace rt::view
