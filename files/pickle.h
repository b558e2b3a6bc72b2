// pickle.h -- the pickle of one saved tensor: reading without executing anything, and writing.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "files/elements.h"
#include "graph/ops/op.h"

namespace rt::files {

/// A tensor as a pickle describes it: elements of a storage, in an order.
struct PickledTensor {
  const Element* element = nullptr;
  std::string key;       ///< the storage's name
  int64_t elements = 0;  ///< elements of the storage
  Layout layout;         ///< within the storage
  bool negated = false;  ///< the numbers are the negated elements of the storage
};

/// Bytes. The pickle of one tensor and its attributes is never longer.
inline constexpr int64_t kMaxPickle = 1 << 20;

/// Reads the pickle of one tensor as torch.save in Python, with the protocols 2 to 5, and
/// torch::save in C++ write it. The attributes of a parameter, a buffer or another tensor are
/// dropped. Only the Python classes and functions that such pickles name are known, and none is
/// called. Throws Error for anything else. Takes at most 16 MiB and ten times the pickle's size
/// of memory.
PickledTensor read_pickle(std::string_view pickle);

/// Writes the pickle that torch.save would, without memo opcodes and without `negated`.
std::string write_pickle(const PickledTensor& tensor);

}  // namespace rt::files
