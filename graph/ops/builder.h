// builder.h -- the interface that appends ops to a tape or a batch.
#pragma once
#include "graph/ops/op.h"

namespace rt {

/// Rules that express ops by other ops are written against this interface, so that one rule works
/// for tapes and for batches.
class Builder {
 public:
  virtual ~Builder() = default;
  virtual Value append(Args& args) = 0;  ///< infers, appends, returns the result
  virtual TensorType type(Value value) const = 0;
  virtual int64_t constant(double value) = 0;  ///< the attribute for a scalar
  virtual int64_t constant_index(int64_t value) = 0;

  Value op(Op op, std::initializer_list<Value> operands,
           std::initializer_list<int64_t> attributes = {});
  Value cast(Value value, DType dtype);
  Value resized(Value value, Sizes sizes);  ///< by Reshape
};

}  // namespace rt
