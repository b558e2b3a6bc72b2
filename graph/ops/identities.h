// identities.h -- calls whose result is their operand itself, where PyTorch gives the tensor back.
#pragma once
#include "graph/ops/op.h"

namespace rt::identity {

bool equal_dtype(const Args& args, const TensorType& self, const Layout& layout);
bool equal_device(const Args& args, const TensorType& self, const Layout& layout);
bool one_dimension(const Args& args, const TensorType& self, const Layout& layout);
bool row_major(const Args& args, const TensorType& self, const Layout& layout);
/// Not training, or p is 0, or there are no elements.
bool drops_nothing(const Args& args, const TensorType& self, const Layout& layout);

}  // namespace rt::identity
