// torch_file.h -- files of one tensor, in PyTorch's format.
#pragma once
#include <cstdint>
#include <functional>
#include <string>

#include "graph/ops/op.h"

namespace rt::files {

/// Reads a tensor that torch.save in Python (from 1.6 on) or torch::save wrote. `room` returns
/// memory for `elements` elements of `dtype`, which is filled with the whole storage of the tensor.
/// Returns the tensor's layout in that storage. Throws Error for a file of anything else.
Layout load_torch_file(const std::string& path,
                       const std::function<void*(DType dtype, int64_t elements)>& room);

/// Writes the row-major elements at `data` as torch.save does, and waits for the disk. An older
/// file is replaced as a whole, or stays as it was when anything fails.
void save_torch_file(const std::string& path, DType dtype, Sizes sizes, const void* data);

}  // namespace rt::files
