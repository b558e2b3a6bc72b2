// compare.cpp -- reads, writes and compares tensors.
#include "tests/fuzz/compare.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <memory>

namespace rt::fuzz {
namespace {

template <class T, class Number>
BufferRef write_as(Backend& backend, DType dtype, Sizes sizes, const std::vector<Number>& numbers) {
  const auto data = std::make_unique<T[]>(numbers.size());
  for (size_t i = 0; i < numbers.size(); ++i) data[i] = static_cast<T>(numbers[i]);
  return backend.from_host(data.get(), dtype, sizes, {});
}

BufferRef write_contiguous(Backend& backend, const Tensor& tensor, Sizes sizes) {
  switch (tensor.dtype) {
    case DType::F32: return write_as<float>(backend, tensor.dtype, sizes, tensor.reals);
    case DType::F64: return write_as<double>(backend, tensor.dtype, sizes, tensor.reals);
    case DType::I32: return write_as<int32_t>(backend, tensor.dtype, sizes, tensor.integers);
    case DType::I64: return write_as<int64_t>(backend, tensor.dtype, sizes, tensor.integers);
    case DType::Bool: return write_as<bool>(backend, tensor.dtype, sizes, tensor.integers);
    default: fail("programs have no ", name(tensor.dtype));
  }
}

/// Copies row-major elements to the offsets that strides give them, with zeros between.
template <class Number>
std::vector<Number> scatter(const std::vector<Number>& numbers, Sizes sizes, Sizes strides,
                            int64_t span) {
  std::vector<Number> out(static_cast<size_t>(span));
  for (size_t i = 0; i < numbers.size(); ++i) {
    int64_t rest = static_cast<int64_t>(i), at = 0;
    for (size_t d = sizes.size(); d-- > 0; rest /= sizes[d]) at += rest % sizes[d] * strides[d];
    out[static_cast<size_t>(at)] = numbers[i];
  }
  return out;
}

bool near(double got, double wanted, DType dtype, double slack) {
  if (std::isinf(slack)) return true;
  if (std::isnan(got) || std::isnan(wanted)) return std::isnan(got) && std::isnan(wanted);
  if (std::isinf(got) || std::isinf(wanted)) return got == wanted;
  const double relative = dtype == DType::F32 ? 1.3e-6 : 1e-7;
  const double absolute = dtype == DType::F32 ? 1e-5 : 1e-7;
  return std::abs(got - wanted) <= absolute + relative * std::abs(wanted) + slack;
}

}  // namespace

Tensor read(Backend& backend, const Buffer& buffer) {
  Tensor tensor{buffer.dtype(), Shape(buffer.sizes()), {}, {}};
  const auto count = static_cast<size_t>(buffer.numel());
  const bool real = is_float(buffer.dtype());
  if (real) tensor.reals.resize(count);
  else tensor.integers.resize(count);
  void* data = real ? static_cast<void*>(tensor.reals.data()) : tensor.integers.data();
  if (count > 0) backend.to_host(buffer, real ? DType::F64 : DType::I64, data);
  return tensor;
}

BufferRef write(Backend& backend, const Tensor& tensor, Sizes strides) {
  if (strides.empty() || numel(tensor.sizes) == 0)
    return write_contiguous(backend, tensor, tensor.sizes);
  int64_t span = 1;
  for (uint32_t d = 0; d < tensor.sizes.size(); ++d) span += (tensor.sizes[d] - 1) * strides[d];
  const Tensor spread{tensor.dtype,
                      {span},
                      scatter(tensor.reals, tensor.sizes, strides, span),
                      scatter(tensor.integers, tensor.sizes, strides, span)};
  const BufferRef memory = write_contiguous(backend, spread, spread.sizes);
  return BufferRef(new Buffer(memory->storage(), tensor.dtype,
                              {tensor.sizes, Strides(strides), memory->layout().offset}));
}

bool same_bits(const Tensor& a, const Tensor& b) {
  if (a.dtype != b.dtype || !(a.sizes == b.sizes) || a.integers != b.integers) return false;
  return std::ranges::equal(a.reals, b.reals, [](double x, double y) {
    return (std::isnan(x) && std::isnan(y)) ||
           std::bit_cast<uint64_t>(x) == std::bit_cast<uint64_t>(y);
  });
}

std::string difference(const Tensor& got, const Tensor& wanted, const std::vector<double>& slack) {
  const std::string type = to_string(got.dtype, got.sizes);
  const std::string wanted_type = to_string(wanted.dtype, wanted.sizes);
  if (type != wanted_type) return join("it is ", type, ", not ", wanted_type);
  for (size_t i = 0; i < got.integers.size(); ++i) {
    const bool excused = i < slack.size() && std::isinf(slack[i]);
    if (!excused && got.integers[i] != wanted.integers[i])
      return join("element ", i, " is ", got.integers[i], ", not ", wanted.integers[i]);
  }
  for (size_t i = 0; i < got.reals.size(); ++i)
    if (!near(got.reals[i], wanted.reals[i], got.dtype, i < slack.size() ? slack[i] : 0))
      return join("element ", i, " is ", to_string(got.reals[i]), ", not ",
                  to_string(wanted.reals[i]));
  return "";
}

}  // namespace rt::fuzz
