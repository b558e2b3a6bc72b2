// pickle.h -- the pickle of one saved tensor: reading without executing anything, and writing.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "files/elements.h"
#include "graph/op.h"

namespace rt::files {

/// What a pickle says of a tensor: which elements of a storage in which order.
struct PickledTensor {
  const Element* element = nullptr;
  std::string key;       ///< the storage's name
  int64_t elements = 0;  ///< of the storage
  Layout layout;         ///< within the storage
};

/// No pickle of one tensor is longer.
inline constexpr int64_t kMostPickle = 1 << 16;

/// Reads what torch.save in Python and torch::save in C++ make of one tensor. Of Python's classes
/// and functions only those that they use are known, and none is called. Throws for all else.
PickledTensor read_pickle(std::string_view pickle);

/// As torch.save writes it, without its marks for what comes twice.
std::string write_pickle(const PickledTensor& tensor);

}  // namespace rt::files
