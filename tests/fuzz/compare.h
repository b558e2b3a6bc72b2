// compare.h -- a tensor's elements as numbers, and comparisons of two tensors.
#pragma once
#include "graph/batch/backend.h"
#include "tests/fuzz/program.h"

namespace rt::fuzz {

/// A tensor's elements: doubles for float dtypes, else integers.
using Tensor = Literal;

Tensor read(Backend& backend, const Buffer& buffer);
/// A buffer of `backend` with these elements and, if given, these strides.
BufferRef write(Backend& backend, const Tensor& tensor, Sizes strides = {});

/// True for equal bits; all NaNs are equal.
bool same_bits(const Tensor& a, const Tensor& b);
/// "" if `got` is within the tolerance of torch.testing around `wanted`, else a description of the
/// first difference. `slack` adds to each element's tolerance; infinity excuses the element.
std::string difference(const Tensor& got, const Tensor& wanted,
                       const std::vector<double>& slack = {});

}  // namespace rt::fuzz
