// builder.h -- appends ops to whatever holds them (a tape, a batch) by values and names.
#pragma once
#include "graph/ops/op.h"

namespace rt {

/// Rules that make ops out of ops are written against this, so that one rule serves the tape and a
/// batch alike.
class Builder {
 public:
  virtual ~Builder() = default;
  virtual Value append(Args& args) = 0;  ///< infers, appends, gives the result
  virtual TensorType type(Value value) const = 0;
  virtual int64_t constant(double value) = 0;  ///< a word for a scalar's place
  virtual int64_t constant_index(int64_t value) = 0;

  Value op(Op op, std::initializer_list<Value> operands,
           std::initializer_list<int64_t> attributes = {});
  Value cast(Value value, DType dtype);
  Value resized(Value value, Sizes sizes);  ///< Reshape
};

}  // namespace rt
