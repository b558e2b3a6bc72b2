// tape_builder.h -- the builder that records on the calling thread's tape.
#pragma once
#include <bit>

#include "executor/engine.h"
#include "graph/ops/expr.h"

namespace rt {

class TapeBuilder final : public Builder {
 public:
  /// With `graded` a backward pass can go through the appended values.
  TapeBuilder(CallContext& context, bool graded) : context_(context), graded_(graded) {}
  Value append(Args& args) override {
    return context_.engine.recorder.append(context_, args, graded_);
  }
  TensorType type(Value value) const override { return context_.engine.graph.type(value); }
  int64_t constant(double value) override { return std::bit_cast<int64_t>(value); }
  int64_t constant_index(int64_t value) override { return value; }
  Expr expr(Value value) { return {*this, value}; }

 private:
  CallContext& context_;
  bool graded_;
};

}  // namespace rt
