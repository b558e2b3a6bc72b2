// tape_builder.h -- the builder that records: on the calling thread's tape.
#pragma once
#include <bit>

#include "executor/engine.h"

namespace rt {

class TapeBuilder final : public Builder {
 public:
  explicit TapeBuilder(Turn& turn) : turn_(turn) {}
  Value append(Args& args) override { return turn_.engine.append(turn_, args); }
  TensorType type(Value value) const override { return turn_.engine.type_of(value); }
  int64_t constant(double value) override { return std::bit_cast<int64_t>(value); }
  int64_t constant_index(int64_t value) override { return value; }

 private:
  Turn& turn_;
};

}  // namespace rt
