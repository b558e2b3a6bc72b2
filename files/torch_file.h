// torch_file.h -- files of one tensor, as PyTorch saves them.
#pragma once
#include <cstdint>
#include <functional>
#include <string>

#include "graph/ops/op.h"

namespace rt::files {

/// Reads what torch.save in Python (from 1.6 on) or torch::save in C++ wrote. `room` makes room for
/// the elements of the tensor's storage, so many of this type; what it points at is filled. Returns
/// where in the storage the tensor lies. Throws for all else than one tensor.
Layout load_torch_file(const std::string& path,
                       const std::function<void*(DType dtype, int64_t elements)>& room);

/// Writes the row-major elements at `data` as torch.save does. An older file is replaced all at
/// once, or stays whole when anything fails.
void save_torch_file(const std::string& path, DType dtype, Sizes sizes, const void* data);

}  // namespace rt::files
