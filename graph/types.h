// types.h -- DType, Device, Shape and Layout, and their texts.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "graph/small.h"

namespace rt {

/// Element types; the numbers are the dtype codes of the ABI.
enum class DType : uint8_t { F32, F64, I32, I64, Bool, F16, BF16 };
inline constexpr int kDTypes = 7;

/// Bytes of one element.
inline int64_t item_size(DType dtype) {
  constexpr int64_t kSizes[kDTypes] = {4, 8, 4, 8, 1, 2, 2};
  return kSizes[static_cast<size_t>(dtype)];
}
std::string_view name(DType dtype);  ///< "f32", "i64", "bool" ...
std::optional<DType> parse_dtype(std::string_view name);
inline bool is_float(DType dtype) { return dtype <= DType::F64 || dtype >= DType::F16; }
inline bool is_half(DType dtype) { return dtype >= DType::F16; }
DType promote(DType a, DType b);  ///< PyTorch's promotion of two tensors of equal category rank

/// The CPU, or a CUDA device by its index.
struct Device {
  int8_t index = -1;  ///< -1: the CPU
  bool is_cuda() const { return index >= 0; }
  bool operator==(const Device&) const = default;
};
std::string name(Device device);  ///< "cpu", "cuda:0"

using Sizes = std::span<const int64_t>;
using Shape = Small<int64_t, 6>;
using Strides = Shape;  ///< in elements

/// The positions of a tensor's elements in its storage.
struct Layout {
  Shape sizes;
  Strides strides;
  int64_t offset = 0;  ///< in elements
};

/// Number of elements; none when the product does not fit an int64_t or a size is negative.
std::optional<int64_t> checked_numel(Sizes sizes);
/// As checked_numel(), for sizes that have passed it.
inline int64_t numel(Sizes sizes) {
  uint64_t count = 1;  // unsigned, because beside a 0 the product of the others may wrap
  for (const int64_t size : sizes) count *= static_cast<uint64_t>(size);
  return static_cast<int64_t>(count);
}
Strides contiguous_strides(Sizes sizes);
bool is_contiguous(Sizes sizes, Sizes strides);

std::string to_string(Sizes list);                ///< "[2,3]"
std::string to_string(DType dtype, Sizes sizes);  ///< "f32[2,3]"
std::string to_string(double value);  ///< shortest text that reads back to the same double

}  // namespace rt
