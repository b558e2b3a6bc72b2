// types.cpp -- element types, sizes and how they are written.
#include "graph/types.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace rt {
namespace {
constexpr std::array<std::string_view, kDTypes> kNames = {"f32",  "f64", "i32", "i64",
                                                          "bool", "f16", "bf16"};
}  // namespace

std::string_view name(DType dtype) { return kNames[static_cast<size_t>(dtype)]; }

std::optional<DType> parse_dtype(std::string_view name) {
  for (size_t i = 0; i < kNames.size(); ++i)
    if (kNames[i] == name) return static_cast<DType>(i);
  return std::nullopt;
}

DType promote(DType a, DType b) {
  // Width within bool < integer < float; f16 and bf16 promote to f32.
  constexpr std::array<int, kDTypes> rank = {5, 6, 1, 2, 0, 3, 3};
  if (a == b) return a;
  const int ra = rank[static_cast<size_t>(a)], rb = rank[static_cast<size_t>(b)];
  if (ra == rb) return DType::F32;
  return ra > rb ? a : b;
}

std::string name(Device device) {
  return device.is_cuda() ? "cuda:" + std::to_string(device.index) : "cpu";
}

std::optional<int64_t> checked_numel(Sizes sizes) {
  // As in PyTorch: a size of 0 keeps later sizes from overflowing the count, but not the strides.
  uint64_t count = 1;
  for (const int64_t size : sizes)
    if (size < 0 || __builtin_mul_overflow(count, static_cast<uint64_t>(size), &count))
      return std::nullopt;
  if (count > INT64_MAX) return std::nullopt;
  int64_t step = 1;
  for (size_t i = sizes.size(); i-- > 1;)
    if (__builtin_mul_overflow(step, std::max<int64_t>(sizes[i], 1), &step)) return std::nullopt;
  return static_cast<int64_t>(count);
}

Strides contiguous_strides(Sizes sizes) {
  Strides strides;
  strides.resize(static_cast<uint32_t>(sizes.size()));
  int64_t step = 1;
  for (size_t i = sizes.size(); i-- > 0;) {
    strides[static_cast<uint32_t>(i)] = step;
    if (i > 0) step *= std::max<int64_t>(sizes[i], 1);
  }
  return strides;
}

bool is_contiguous(Sizes sizes, Sizes strides) {
  if (numel(sizes) == 0) return true;
  int64_t step = 1;
  for (size_t i = sizes.size(); i-- > 0;) {
    if (sizes[i] != 1 && strides[i] != step) return false;
    step *= sizes[i];
  }
  return true;
}

std::string to_string(Sizes list) {
  std::string text = "[";
  for (size_t i = 0; i < list.size(); ++i) {
    if (i > 0) text += ',';
    text += std::to_string(list[i]);
  }
  text += ']';
  return text;
}

std::string to_string(DType dtype, Sizes sizes) {
  std::string text(name(dtype));
  text += to_string(sizes);
  return text;
}

std::string to_string(double value) {
  std::array<char, 32> text;
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  return {text.data(), end};
}

}  // namespace rt
