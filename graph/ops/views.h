// views.h -- how view rows lay their result over the storage of what they view.
#pragma once
#include "graph/ops/op.h"

namespace rt::view {

bool resized(const WordsView&, Sizes shape, const Layout& source, Layout& result);
bool contiguous(const WordsView&, Sizes shape, const Layout& source, Layout& result);
bool transpose(const WordsView&, Sizes shape, const Layout& source, Layout& result);
bool t(const WordsView&, Sizes shape, const Layout& source, Layout& result);
bool alias(const WordsView&, Sizes shape, const Layout& source, Layout& result);
/// Dimensions that self does not have, or has one of, repeat: their stride is 0.
bool expand(const WordsView&, Sizes shape, const Layout& source, Layout& result);
bool permute(const WordsView&, Sizes shape, const Layout& source, Layout& result);
/// Of a source without gaps; of others there is a copy.
bool as_strided(const WordsView&, Sizes shape, const Layout& source, Layout& result);
/// Reads the slice's start from scalar 0: on a batch hand in words whose scalars are values.
bool slice(const WordsView&, Sizes shape, const Layout& source, Layout& result);

}  // namespace rt::view
