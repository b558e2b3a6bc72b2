// pickle.h -- the pickle of one saved tensor: reading without executing anything, and writing.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "files/elements.h"
#include "graph/ops/op.h"

namespace rt::files {

/// What a pickle says of a tensor: which elements of a storage in which order.
struct PickledTensor {
  const Element* element = nullptr;
  std::string key;       ///< the storage's name
  int64_t elements = 0;  ///< of the storage
  Layout layout;         ///< within the storage
  bool negated = false;  ///< the numbers have the other sign than the elements of the storage
};

/// No pickle of one tensor and its attributes is longer.
inline constexpr int64_t kMaxPickle = 1 << 20;

/// Reads what torch.save in Python, with the protocols 2 to 5, and torch::save in C++ make of one
/// tensor: also of a parameter, a buffer or another tensor with attributes, which are dropped. Of
/// Python's classes and functions only those that these use are known, and none is called. Throws
/// for all else. It takes at most 16 MiB and ten times the pickle's size of memory.
PickledTensor read_pickle(std::string_view pickle);

/// As torch.save writes it, without its marks for what comes twice and without `negated`.
std::string write_pickle(const PickledTensor& tensor);

}  // namespace rt::files
