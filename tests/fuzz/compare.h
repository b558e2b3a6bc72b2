// compare.h -- elements of tensors as numbers, and how near two tensors have to be.
#pragma once
#include "graph/batch/backend.h"
#include "tests/fuzz/program.h"

namespace rt::fuzz {

/// A tensor read back: elements as doubles for float dtypes, else as integers.
using Tensor = Literal;

Tensor read(Backend& backend, const Buffer& buffer);
/// A buffer of `backend` with these elements, under `strides` where they are given.
BufferRef write(Backend& backend, const Tensor& tensor, Sizes strides = {});

/// Equal bits, but that any NaN equals any other.
bool same_bits(const Tensor& a, const Tensor& b);
/// "" when `got` is as near to `wanted` as torch.testing asks for, else where it is not. `slack`
/// holds what each element may be off beyond that; infinity excuses it altogether.
std::string difference(const Tensor& got, const Tensor& wanted,
                       const std::vector<double>& slack = {});

}  // namespace rt::fuzz
