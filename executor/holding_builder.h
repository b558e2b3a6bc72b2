// holding_builder.h -- the builder of compositions.
#pragma once
#include "executor/in_place.h"
#include "executor/tape_builder.h"

namespace rt {

/// Holds all that it appends, because the values between the ops of a composition have no handle:
/// a view of a concrete value would stay for ever, and so would what a composition that fails
/// halfway has appended.
class HoldingBuilder final : public Builder {
 public:
  HoldingBuilder(CallContext& context, bool graded)
      : build_(context, graded), held_(context.engine.graph) {}
  Value append(Args& args) override { return held_.add(build_.append(args)); }
  TensorType type(Value value) const override { return build_.type(value); }
  int64_t constant(double value) override { return build_.constant(value); }
  int64_t constant_index(int64_t value) override { return build_.constant_index(value); }

  /// Releases all, and `result` without ending it, because it gets another holder now.
  void release_but(Value result) { held_.release_but(result); }

 private:
  TapeBuilder build_;
  Held held_;
};

}  // namespace rt
