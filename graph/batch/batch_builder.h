// batch_builder.h -- the builder that appends to a batch.
#pragma once
#include <unordered_map>

#include "graph/batch/batch.h"
#include "graph/ops/builder.h"

namespace rt {

/// Appends steps to a batch. Constants become scalars after those that the batch has. Equal ones
/// share an index, so that equal steps stay equal.
class BatchBuilder final : public Builder {
 public:
  explicit BatchBuilder(Batch& batch) : batch_(batch) {}
  Value append(Args& args) override;
  void infer(Args& args);  ///< the part of append() that appends nothing
  TensorType type(Value value) const override { return batch_.type(value.id); }
  int64_t constant(double value) override;
  int64_t constant_index(int64_t value) override { return constant_bits(value); }

 private:
  int64_t constant_bits(int64_t bits);

  Batch& batch_;
  std::unordered_map<int64_t, int64_t> constants_;
};

}  // namespace rt
