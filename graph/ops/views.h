// views.h -- the layouts of view rows over the storage of their operand; see ViewRule in op.h.
#pragma once
#include "graph/ops/op.h"

namespace rt::view {

bool resized(const AttributesView&, Sizes shape, const Layout& source, Layout& result);
bool contiguous(const AttributesView&, Sizes shape, const Layout& source, Layout& result);
bool transpose(const AttributesView&, Sizes shape, const Layout& source, Layout& result);
bool t(const AttributesView&, Sizes shape, const Layout& source, Layout& result);
bool alias(const AttributesView&, Sizes shape, const Layout& source, Layout& result);
/// Dimensions that the source lacks, or in which it has size 1, repeat: their stride is 0.
bool expand(const AttributesView&, Sizes shape, const Layout& source, Layout& result);
bool permute(const AttributesView&, Sizes shape, const Layout& source, Layout& result);
/// False for a source that is not contiguous, which must be copied.
bool as_strided(const AttributesView&, Sizes shape, const Layout& source, Layout& result);
/// Reads the slice's start from scalar 0: of a batch, hand in attributes with the scalars' bits.
bool slice(const AttributesView&, Sizes shape, const Layout& source, Layout& result);

}  // namespace rt::view
