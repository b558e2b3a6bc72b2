// indices.h -- index tensors, and the offsets of the elements that they name.
#pragma once
#include "fallback_cpu/kernels.h"

namespace rt::cpu {

/// The elements of an i32 or i64 tensor, as int64_t in row-major
/// order. Throws Error for other dtypes.
class Indices {
 public:
  Indices(const KernelCall& call, const BufferRef& tensor);
  /// Throws Error where an index lies outside [0, size). `dim` is for the message.
  void check(int64_t dim, int64_t size) const;
  int64_t operator[](int64_t i) const { return reinterpret_cast<const int64_t*>(wide_->data())[i]; }
  int64_t count() const { return count_; }

 private:
  BufferRef wide_;
  int64_t count_;
};

/// A tensor as lines along dimension `dim`, for an index of as many dimensions. A 0-d
/// tensor counts as one of sizes [1].
class Lines {
 public:
  Lines(Sizes index, const Layout& tensor, int64_t dim)
      : sizes_(index), strides_(tensor.strides), along_(static_cast<uint32_t>(dim)) {
    if (sizes_.empty()) sizes_.push_back(1);
    if (strides_.empty()) strides_.push_back(1);
    step = strides_[along_];
    size = tensor.sizes.empty() ? 1 : tensor.sizes[along_];
  }
  /// The offset in elements of the line that element `i` of the index picks from.
  int64_t start(int64_t i) const {
    int64_t offset = 0;
    for (uint32_t d = sizes_.size(); d-- > 0; i /= sizes_[d])
      if (d != along_) offset += i % sizes_[d] * strides_[d];
    return offset;
  }
  int64_t step;  ///< from one element of a line to the next, in elements
  int64_t size;  ///< elements of a line

 private:
  Shape sizes_;
  Strides strides_;
  uint32_t along_;
};

}  // namespace rt::cpu
